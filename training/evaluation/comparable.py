"""Restrict a comparison to the words and texts that all models can handle, so that it is fair.

Vocabularies differ: a word may be one token to one model and several pieces to another, and a rare character
may be unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.evaluation.metrics import Case, Tokens
from training.inference.fill_model import FillModel

Models = Mapping[str, FillModel]  # by name, in the order to show


@dataclass(frozen=True, slots=True)
class ComparableCases:
    """Cases restricted to words that all models can say; cases that lose a side are skipped."""

    cases: tuple[Case, ...]
    skipped: int
    dropped_words: tuple[str, ...]


def tokens_of(models: Models) -> dict[str, Tokens]:
    """Model → ascending ids of its offered words that all other models can say."""
    shared = {}
    for name, model in models.items():
        is_shared = [_can_all_say(models, model.word_of(int(token))) for token in model.offered]
        shared[name] = model.offered[np.asarray(is_shared)]
    return shared


def cases_of(models: Models, cases: Sequence[Case]) -> ComparableCases:
    """Drop words that some model cannot say."""
    words = {word for case in cases for word in (*case.wanted, *case.unwanted)}
    dropped = {word for word in words if not _can_all_say(models, word)}
    kept = []
    for case in cases:
        wanted, unwanted = (
            tuple(word for word in side if word not in dropped) for side in (case.wanted, case.unwanted)
        )
        if wanted and unwanted:
            kept.append(replace(case, wanted=wanted, unwanted=unwanted))
    return ComparableCases(tuple(kept), len(cases) - len(kept), tuple(sorted(dropped)))


def texts_of(models: Models, texts: Sequence[str]) -> list[str]:
    """Return the texts that every model splits into the same number of words, none unknown."""
    return [text for text in texts if _is_read_alike(models, text)]


def _can_all_say(models: Models, word: str) -> bool:
    return all(model.token_of(word) is not None for model in models.values())


def _is_read_alike(models: Models, text: str) -> bool:
    numbers = set()
    for model in models.values():
        ids, words = model.encoder.words_of(text)
        if model.encoder.words.unk in ids:
            return False
        numbers.add(len(words))
    return len(numbers) == 1 and numbers != {0}
