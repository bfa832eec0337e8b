"""What several models can all do, so that a comparison is fair: say a word as one token, read a text.

Vocabularies differ: one model has words that another spells in pieces, and reads a rare sign as unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.evaluation.metrics import Case, Tokens
from training.inference.fill_model import FillModel

UNKNOWN = "[UNK]"

Models = Mapping[str, FillModel]  # by name, in the order to show


@dataclass(frozen=True, slots=True)
class ComparableCases:
    """Cases with only words that all models can say; those that lose a side by it are skipped."""

    cases: tuple[Case, ...]
    skipped: int
    dropped_words: tuple[str, ...]


def tokens_of(models: Models) -> dict[str, Tokens]:
    """Model → ids, ascending, of the words that it may offer and all others can say."""
    shared = {}
    for name, model in models.items():
        is_shared = [_can_all_say(models, model.word_of(int(token))) for token in model.offered]
        shared[name] = model.offered[np.asarray(is_shared)]
    return shared


def cases_of(models: Models, cases: Sequence[Case]) -> ComparableCases:
    """Leave out what not all can say."""
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
    """The texts that are as many words to every model, with nothing unknown among them."""
    return [text for text in texts if _is_read_alike(models, text)]


def _can_all_say(models: Models, word: str) -> bool:
    return all(model.token_of(word) is not None for model in models.values())


def _is_read_alike(models: Models, text: str) -> bool:
    numbers = set()
    for model in models.values():
        ids, words = model.encoder.words_of(text)
        if model.encoder.ids.get(UNKNOWN) in ids:
            return False
        numbers.add(len(words))
    return len(numbers) == 1 and numbers != {0}
