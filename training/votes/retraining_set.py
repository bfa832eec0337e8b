"""The retraining set: judgements → the frozen, content-hashed examples that one run trains on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.votes.aggregation import Judgement

FILE = "retraining_set.jsonl"  # in the folder of the run
MIN_HELD_OUT = 30  # judgements; with fewer, one lost hit moves the mean by more than the gate allows


@dataclass(frozen=True, slots=True)
class Example:
    """One mask of one query with its wanted and unwanted words, each with its weight."""

    query: str
    query_hash: str
    mask_index: int
    wanted: tuple[tuple[str, float], ...]
    unwanted: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class RetrainingSet:
    """Training examples, held-out examples, and the hash of the judgements."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    hash: str

    @property
    def judgements(self) -> int:
        """Number of judgements, including held-out ones."""
        return sum(len(e.wanted) + len(e.unwanted) for e in (*self.train, *self.held_out))


def build(
    judgements: Sequence[Judgement], *, held_out_share: float, min_held_out: int = MIN_HELD_OUT
) -> RetrainingSet:
    """Group judgements by query and mask, and split them by the query's hash.

    If fewer than `min_held_out` judgements would be held out, none are: they are too few to measure by, and
    training needs them. The hash covers the judged words and their direction but neither weights nor the
    split, so that the same judgements have the same hash on another night.
    """
    grouped: dict[tuple[str, int], list[Judgement]] = {}
    for judgement in sorted(judgements, key=lambda j: (j.query_hash, j.mask_index, j.word)):
        grouped.setdefault((judgement.query_hash, judgement.mask_index), []).append(judgement)
    examples = [
        Example(
            query=group[0].query,
            query_hash=query_hash,
            mask_index=mask_index,
            wanted=tuple((j.word, j.weight) for j in group if j.is_wanted),
            unwanted=tuple((j.word, j.weight) for j in group if not j.is_wanted),
        )
        for (query_hash, mask_index), group in grouped.items()
    ]
    held_out = tuple(e for e in examples if _bucket(e.query_hash) < held_out_share)
    if sum(len(e.wanted) + len(e.unwanted) for e in held_out) < min_held_out:
        held_out = ()
    hidden = {e.query_hash for e in held_out}
    facts = [
        [e.query_hash, e.mask_index, [w for w, _ in e.wanted], [w for w, _ in e.unwanted]] for e in examples
    ]
    return RetrainingSet(
        train=tuple(e for e in examples if e.query_hash not in hidden),
        held_out=held_out,
        hash=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
    )


def write(retraining_set: RetrainingSet, folder: Path) -> None:
    """Write the set as JSON lines, with the columns that `datasets` loads.

    Raises:
        OSError: the folder cannot be written.
    """
    import datasets  # type: ignore[import-untyped]  # takes a second, and the bot imports this module

    rows = [
        {
            "split": split,
            "query": e.query,
            "mask_index": e.mask_index,
            "wanted": [word for word, _ in e.wanted],
            "unwanted": [word for word, _ in e.unwanted],
            "weights": [round(weight, 4) for _, weight in (*e.wanted, *e.unwanted)],
        }
        for split, examples in (("train", retraining_set.train), ("held_out", retraining_set.held_out))
        for e in examples
    ]
    datasets.disable_progress_bars()  # the run shows its own
    datasets.Dataset.from_list(rows).to_json(folder / FILE, force_ascii=False)


def _bucket(query_hash: str) -> float:
    """Return a fixed position of the query in [0, 1): a query never changes sides between nights."""
    return int(hashlib.sha256(query_hash.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
