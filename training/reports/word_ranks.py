"""Ranks of words in one query under several versions, and the judgements that those versions learnt from.

No torch. Versions are loaded one after the other and use one thread, so that queries have priority.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from training.errors import TrainingError
from training.inference.encoder import MASK_PATTERN, query_hash
from training.inference.fill_model import FillModel, Floats
from training.inference.loading import served_folder
from training.registry.versions import Registry
from training.votes.retraining_set import FILE

MAX_VERSIONS = MAX_WORDS = 10
NOTHING = {"learnt": None, "held_out": False, "wanted_elsewhere": 0, "unwanted_elsewhere": 0}
Learnt = dict[str, Any]  # how a set judges a word here, in which split, and on how many other queries


class Request(BaseModel):
    """A question: the ranks of `words` at every mask of `text`, and the `top` best words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(max_length=4000)
    versions: tuple[str, ...] = Field(min_length=1, max_length=MAX_VERSIONS)
    words: tuple[str, ...] = Field(default=(), max_length=MAX_WORDS)
    top: int = Field(default=1, ge=1, le=100)
    denied: tuple[str, ...] = ()  # words that the team denies

    @property
    def masks(self) -> int:
        """The number of masks in the text."""
        return len(MASK_PATTERN.findall(self.text))


def word_ranks(registry: Registry, runs_folder: Path, request: Request) -> list[dict[str, Any]]:
    """Return an object per version, in the requested order; one that cannot be loaded has only an `error`."""
    found = []
    for version in request.versions:
        try:
            found.append(_ranks_of(registry, runs_folder, request, version))
        except TrainingError as error:
            found.append({"version": version, "error": str(error)})
    return found


def _ranks_of(registry: Registry, runs_folder: Path, request: Request, version: str) -> dict[str, Any]:
    card = registry.card(version)
    model = FillModel(served_folder(registry, version), threads=1)
    model.deny(request.denied)
    (rows,) = model.log_probabilities([model.encoder.encode(request.text)])  # (masks, vocabulary)
    learnt = _learnt(runs_folder, card.run_id if card.kind == "night" else None, request)
    masks = [
        {
            "best": [
                {"word": model.word_of(token), "score": float(np.exp(row[token]))}
                for token in model.best(row, request.top)
            ],
            "words": [
                {**place, **learnt[mask, word.lower()]} if place else None
                for word, place in ((word, _place(model, row, word)) for word in request.words)
            ],
        }
        for mask, row in enumerate(rows)
    ]
    about = {"version": version, "kind": card.kind, "parent": card.parent, "run_id": card.run_id}
    return {**about, "masks": masks}


def _place(model: FillModel, row: Floats, word: str) -> dict[str, Any] | None:
    """Return the spelling, rank and score of a word; None if it is not offered."""
    token = model.token_of(word)
    if token is None:
        return None
    scores = row[model.offered]
    # Of equals the lower id comes first, as in `FillModel.best`.
    before = (scores > row[token]) | ((scores == row[token]) & (model.offered < token))
    return {
        "word": model.word_of(token),
        "rank": 1 + int(before.sum()),
        "score": float(np.exp(row[token])),
    }


def _learnt(runs_folder: Path, run_id: int | None, request: Request) -> dict[tuple[int, str], Learnt]:
    """(mask, lower-case word) → its entries in a run's retraining set; empty if that was deleted."""
    learnt = {(mask, word.lower()): dict(NOTHING) for mask in range(request.masks) for word in request.words}
    path = runs_folder / f"{run_id or 0:05d}" / FILE
    if run_id is None or not path.exists():
        return learnt
    with path.open(encoding="utf-8") as file:
        for line in file:
            _note(json.loads(line), learnt, query_hash(request.text))
    return learnt


def _note(row: dict[str, Any], learnt: dict[tuple[int, str], Learnt], asked: str) -> None:
    """Add what one example says of the words."""
    judged = {word.lower(): side for side in ("wanted", "unwanted") for word in row[side]}
    for (mask, word), known in learnt.items():
        side = judged.get(word)
        if side is None:
            continue
        if query_hash(row["query"]) != asked:
            known[f"{side}_elsewhere"] += row["split"] == "train"
        elif row["mask_index"] == mask:
            known |= {"learnt": side, "held_out": row["split"] == "held_out"}
