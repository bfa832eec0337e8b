"""Generalization: which words the votes make wanted or unwanted on sentences without votes. Pure.

How much the team wants a word, from −1 to 1, is modelled by a Gaussian process over the vocabulary
(Rasmussen & Williams 2006, algorithm 2.1): the sum of independent terms with known variances.

    lists        one value for the built-in list of good words, expected to be 1, and one for that of bad
                 words, expected to be −1; each expectation is worth `LIST_WEIGHT` judged words
    similarity   a linear function of the output embedding, so that similar words are wanted alike
    own          what the team thinks of this word alone
    noise        what it thinks of the word in one sentence only

So every judgement counts: it moves its word at once and its list a little, several on one word outweigh one,
and a team whose taste is not that of the lists unlearns them. A word that an admin prefers counts as
`PREFERRED_WEIGHT` judgements in its favour. Whether similarity counts, and how much, is decided by the votes:
every judged word is predicted from all others, and the variance with the best predictions is taken (section
5.4.2).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from training.corpus.lexicon import unwanted_words, wanted_words
from training.votes.retraining_set import Example

LIST_WEIGHT = 3  # judged words that weigh as much as what is expected of a list
# Judgements that a preferred word is worth: they outweigh the list of bad words, and a team that rejects the
# word in several sentences outweighs them.
PREFERRED_WEIGHT = 3
OWN_VARIANCE = 0.3
NOISE_VARIANCE = 0.5  # of one judgement of weight 1
LIST_MEANS = torch.tensor([1.0, -1.0], dtype=torch.float64)  # expected of good and of bad words
LIST_VARIANCE = (OWN_VARIANCE + NOISE_VARIANCE) / LIST_WEIGHT
SIMILARITY_VARIANCES = (0.0, 0.25, 0.5, 1.0)
MIN_GAIN = 1.0  # nats of all predictions together by which a larger similarity has to be better
MIN_TILT = 0.3  # a word that the votes say less about stays where it is
MIN_NEIGHBOUR_TILT = 0.75  # the same, for a word that was not judged and is in no list
MAX_JUDGED = 1_500  # words, those with the most judgements: the time grows with the third power


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that may be offered, and what is known about them before any vote.

    Attributes:
        words: the words.
        lists: (words, 2) float64, 1 where a word is in the list of good and of bad words, else 0.
        directions: (words, dimensions) float64 of length 1, whose products are similarities.
    """

    words: Sequence[str]
    lists: Tensor
    directions: Tensor

    @classmethod
    def of(cls, words: Sequence[str], embeddings: Tensor, *, has_lists: bool = True) -> Self:
        """Describe words by their embeddings.

        Args:
            words: the words that may be offered.
            embeddings: (words, dimensions) rows of the output projection.
            has_lists: whether the built-in lists of good and bad words count.
        """
        centred = embeddings.double() - embeddings.double().mean(dim=0)
        lists = (wanted_words(), unwanted_words())
        membership = [[float(has_lists and word.lower() in of) for of in lists] for word in words]
        return cls(
            words,
            torch.tensor(membership, dtype=torch.float64).reshape(-1, len(lists)),
            torch.nn.functional.normalize(centred, dim=-1),
        )


def word_tilts(
    examples: Sequence[Example], vocabulary: Vocabulary, *, preferred: Collection[str] = ()
) -> dict[str, float]:
    """How much each word is wanted on sentences without votes.

    Args:
        examples: judged words.
        vocabulary: the words that may be offered.
        preferred: words that the team prefers, in lower case.

    Returns:
        Word → probability that the team wants it minus the probability that it does not, in [−1, 1], without
        the words about which the votes say little.
    """
    judged = _judged_words(examples, vocabulary.words, frozenset(preferred))
    if not judged:
        return {}
    similarity = _best_similarity(judged, vocabulary)
    tilts = _Process.given(judged, vocabulary, similarity).tilts(vocabulary)  # (words,)
    is_known = vocabulary.lists.any(dim=1)
    is_known[[word.index for word in judged]] = True
    least = torch.where(is_known, MIN_TILT, MIN_NEIGHBOUR_TILT)
    return {
        vocabulary.words[index]: float(tilts[index]) for index in torch.nonzero(tilts.abs() >= least)[:, 0]
    }


@dataclass(frozen=True, slots=True)
class _JudgedWord:
    index: int  # in the vocabulary
    mean: float  # of its judgements, in [−1, 1]
    weight: float  # of all of them


def _judged_words(
    examples: Sequence[Example], words: Sequence[str], preferred: Collection[str]
) -> list[_JudgedWord]:
    """Return the judged words that may be offered; those with the most weight if there are too many."""
    place = {word.lower(): index for index, word in enumerate(words)}
    total: dict[int, float] = defaultdict(float)
    weight: dict[int, float] = defaultdict(float)
    for example in examples:
        for side, sign in ((example.wanted, 1.0), (example.unwanted, -1.0)):
            for word, amount in side:
                if (index := place.get(word.lower())) is not None and amount > 0:
                    total[index] += sign * amount
                    weight[index] += amount
    for index, word in enumerate(words):
        if word.lower() in preferred:
            total[index] += PREFERRED_WEIGHT
            weight[index] += PREFERRED_WEIGHT
    most = sorted(weight, key=lambda index: (-weight[index], index))[:MAX_JUDGED]
    return [_JudgedWord(index, total[index] / weight[index], weight[index]) for index in sorted(most)]


def _best_similarity(judged: Sequence[_JudgedWord], vocabulary: Vocabulary) -> float:
    """Choose the smallest similarity variance that predicts every judged word well from the others."""
    scores = [_Process.given(judged, vocabulary, similarity).score() for similarity in SIMILARITY_VARIANCES]
    best = 0
    for index, score in enumerate(scores):
        if score > scores[best] + MIN_GAIN:
            best = index
    return SIMILARITY_VARIANCES[best]


@dataclass(frozen=True, slots=True)
class _Process:
    """The Gaussian process, given the judged words.

    Attributes:
        at: (judged,) indices of the words.
        values: (judged,) mean judgements.
        similarity: variance of the similarity term.
        precision: (judged, judged) inverse of the covariance of the mean judgements.
        surprise: (judged,) precision · (values − expected values).
    """

    at: Tensor
    values: Tensor
    similarity: float
    precision: Tensor
    surprise: Tensor

    @classmethod
    def given(cls, judged: Sequence[_JudgedWord], vocabulary: Vocabulary, similarity: float) -> Self:
        at = torch.tensor([word.index for word in judged])
        values, weights = (
            torch.tensor(column, dtype=torch.float64)
            for column in zip(*((word.mean, word.weight) for word in judged), strict=True)
        )
        covariance = _shared_covariance(vocabulary, at, at, similarity)
        covariance += torch.diag(OWN_VARIANCE + NOISE_VARIANCE / weights)
        precision = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
        surprise = precision @ (values - vocabulary.lists[at] @ LIST_MEANS)
        return cls(at, values, similarity, precision, surprise)

    def score(self) -> float:
        """Log-probability, in nats, of the sign of every judged word given all others.

        Rasmussen & Williams 2006, equation 5.12.
        """
        variance = 1 / self.precision.diagonal()
        mean = self.values - self.surprise * variance
        return float(torch.special.log_ndtr(self.values.sign() * mean / variance.sqrt()).sum())

    def tilts(self, vocabulary: Vocabulary) -> Tensor:
        """(words,) in [−1, 1]: 2 Φ(mean / standard deviation) − 1 of what the team thinks of each word."""
        covariance = _shared_covariance(vocabulary, slice(None), self.at, self.similarity)  # (words, judged)
        covariance[self.at, torch.arange(len(self.at))] += OWN_VARIANCE
        mean = vocabulary.lists @ LIST_MEANS + covariance @ self.surprise
        before = LIST_VARIANCE * vocabulary.lists.square().sum(dim=1) + self.similarity + OWN_VARIANCE
        known = torch.einsum("wi,ij,wj->w", covariance, self.precision, covariance)
        tilts: Tensor = 2 * torch.special.ndtr(mean / (before - known).clamp_min(1e-9).sqrt()) - 1
        return tilts


def _shared_covariance(
    vocabulary: Vocabulary, rows: Tensor | slice, columns: Tensor, similarity: float
) -> Tensor:
    """(rows, columns) covariance of the terms that words share: lists and similarity."""
    lists, directions = vocabulary.lists, vocabulary.directions
    return (
        LIST_VARIANCE * lists[rows] @ lists[columns].T + similarity * directions[rows] @ directions[columns].T
    )
