"""Pseudo-perplexity per word, which is comparable between vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.inference.encoder import Encoded
from training.inference.fill_model import FillModel


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
    scores = [score_text(model, text) for text in texts]
    words = sum(score.words for score in scores)
    return float(np.exp(-sum(score.log_probability for score in scores) / max(words, 1)))


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
