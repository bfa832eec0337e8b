"""Pseudo-perplexity per word, which is comparable between vocabularies."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.inference.encoder import Encoded
from training.inference.fill_model import FillModel

TEXTS_AT_ONCE = 30  # scored before looking whether the comparison with a limit is clear
CLEAR = 3.0  # standard errors between the ratio and the limit


@dataclass(frozen=True, slots=True)
class WordLogProbabilities:
    """The sum of the natural-log probabilities of a text's words, and the number of words."""

    log_probability: float
    words: int


def pseudo_perplexity(model: FillModel, texts: Sequence[str]) -> float:
    """exp(−mean log-probability of a whitespace word), each word hidden in turn.

    Salazar et al. 1910.14659, with the pieces of a word scored left to right while those to the right stay
    hidden (PLL-word-l2r, Kauf & Ivanova 2305.10588). Smaller is better.
    """
    return _perplexity([score_text(model, text) for text in texts])


class PerplexityComparison:
    """Compares models with one model, on as many texts as it takes to tell which side of a limit they are on.

    A text takes one forward pass per word piece, which is most of an evaluation. The difference of two models
    on one text varies much less than either, so a third of the texts often suffices.
    """

    def __init__(self, model: FillModel, texts: Sequence[str]) -> None:
        """Score nothing yet: `model` is scored on a text when a comparison comes to it."""
        # A fixed mixture: the file is grouped by kind, and the first thirty would all be reviews.
        self._texts = random.Random(0).sample(texts, len(texts))  # noqa: S311
        self._model = model
        self._before: list[WordLogProbabilities] = []

    def with_model(self, model: FillModel, *, limit: float) -> tuple[float, float]:
        """Return the pseudo-perplexities of the first model and of this one, on the same texts.

        Args:
            model: the model to compare.
            limit: the ratio of the two that matters. Texts are scored in order until the ratio is `CLEAR`
                standard errors away from the limit, or to the end.
        """
        after: list[WordLogProbabilities] = []
        while len(after) < len(self._texts):
            texts = self._texts[len(after) : len(after) + TEXTS_AT_ONCE]
            if len(self._before) < len(after) + len(texts):
                self._before += [score_text(self._model, text) for text in texts]
            after += [score_text(model, text) for text in texts]
            if _is_clear(self._before[: len(after)], after, limit):
                break
        return _perplexity(self._before[: len(after)]), _perplexity(after)


def score_text(model: FillModel, text: str) -> WordLogProbabilities:
    """Score one text: one forward pass per word piece, for at most `max_tokens` pieces."""
    queries: list[Encoded] = []
    targets: list[int] = []
    ids, words = model.encoder.words_of(text)
    for positions in words:
        for index, position in enumerate(positions):
            hidden = list(ids)
            for later in positions[index:]:
                hidden[later] = model.encoder.mask
            queries.append(Encoded(tuple(hidden), (position,)))
            targets.append(ids[position])
    rows = model.log_probabilities(queries)
    total = sum(float(logs[0, target]) for logs, target in zip(rows, targets, strict=True))
    return WordLogProbabilities(total, len(words))


def _perplexity(scores: Sequence[WordLogProbabilities]) -> float:
    if not scores:
        return math.nan
    words = sum(score.words for score in scores)
    return float(np.exp(-sum(score.log_probability for score in scores) / max(words, 1)))


def _is_clear(
    before: Sequence[WordLogProbabilities], after: Sequence[WordLogProbabilities], limit: float
) -> bool:
    """Whether the ratio of the perplexities is clearly on one side of the limit.

    The logarithm of the ratio is itself a ratio of sums over texts, nats lost to words; its standard error is
    that of the ratio estimator, linearised.
    """
    words = _floats(score.words for score in after)  # (texts,)
    lost = _floats(
        old.log_probability - new.log_probability for old, new in zip(before, after, strict=True)
    )  # (texts,)
    if len(after) < TEXTS_AT_ONCE or not words.sum():
        return False
    growth = lost.sum() / words.sum()  # nats per word
    error = np.sqrt(len(words) * np.var(lost - growth * words, ddof=1)) / words.sum()
    return bool(abs(growth - np.log(limit)) > CLEAR * error)


def _floats(values: Iterable[float]) -> npt.NDArray[np.float64]:
    return np.array(list(values), dtype=np.float64)
