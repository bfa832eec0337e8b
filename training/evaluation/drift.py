"""Measure how far a model's answers moved from a reference model's, on queries without votes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from training.corpus.lexicon import unwanted_words, wanted_words
from training.inference.encoder import MASK, finished
from training.inference.fill_model import FillModel
from training.inference.vocabulary import WORD

TOP = 10


@dataclass(frozen=True, slots=True)
class Drift:
    """Means over masks: KL(reference ‖ model) in nats, the share of the reference's ten best words kept."""

    nats: float
    top10_kept: float
    masks: int


def pooled(drifts: Sequence[Drift]) -> Drift | None:
    """Return the mean over several drifts, weighted by their masks; None without any."""
    masks = [drift.masks for drift in drifts]
    if not masks:
        return None
    nats, kept = (
        np.average([getattr(d, of) for d in drifts], weights=masks) for of in ("nats", "top10_kept")
    )
    return Drift(float(nats), float(kept), sum(masks))


class Reference:
    """A reference model's answers to some queries; kept in memory, 120 kB per mask with 30,522 words."""

    def __init__(self, model: FillModel, queries: Sequence[str]) -> None:
        self._encoded = [model.encoder.encode(query) for query in queries]
        self._rows = model.log_probabilities(self._encoded)
        self._best = [[set(model.best(row, TOP)) for row in rows] for rows in self._rows]

    def drift_of(self, model: FillModel) -> Drift | None:
        """Return the drift of a model with the same vocabulary; None without queries.

        Raises:
            ValueError: the vocabularies differ.
        """
        nats, kept = [], []
        answers = model.log_probabilities(self._encoded)
        for before, after, best in zip(self._rows, answers, self._best, strict=True):
            if before.shape != after.shape:
                raise ValueError("drift needs two models of one vocabulary")
            nats.extend((np.exp(before) * (before - after)).sum(axis=-1))
            kept += [
                len(words & set(model.best(row, TOP))) / TOP for words, row in zip(best, after, strict=True)
            ]
        return Drift(float(np.mean(nats)), float(np.mean(kept)), len(nats)) if nats else None


def neutral_queries(texts: Sequence[str]) -> list[str]:
    """Mask the middle word of each text. Deterministic.

    Words of praise and blame are not masked: votes are meant to move them.
    """
    opinions = wanted_words() | unwanted_words()
    queries = []
    for text in texts:
        spans = [m.span() for m in WORD.finditer(text) if m.group().lower() not in opinions]
        if spans:
            start, stop = spans[len(spans) // 2]
            queries.append(f"{text[:start]}{MASK}{text[stop:]}")
    return queries


def unvoted(queries: Sequence[str], voted: Collection[str]) -> list[str]:
    """Return the queries without votes; case and a final period do not matter."""
    known = {_key(query) for query in voted}
    return [query for query in queries if _key(query) not in known]


def _key(query: str) -> str:
    return finished(query).casefold().rstrip(". ")
