"""Clean votes → arrays, and the items that they are on, spooled to disk in parts.

A run may read tens of millions of votes; `aggregate_parts` needs each part about 20 times, one at a time.
"""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import PrivateAttr

from training.votes.aggregation import HALF_LIFE_DAYS, VoteArrays, decay_weights
from training.votes.checks.framework import NoSetup, TransformOp, register_op

ITEM = ["query_hash", "mask_index", "word"]
MICROSECONDS_A_DAY = 86_400_000_000


@register_op
class NumberedVotes(NoSetup, TransformOp):
    """Replaces the items of clean votes by indices; expects one vote per voter and item.

    Attributes:
        as_of: the time at which to take the votes' age.
        half_life_days: age in days at which a vote weighs half.
    """

    as_of: datetime
    half_life_days: float = HALF_LIFE_DAYS
    _votes: pl.DataFrame = PrivateAttr()
    _items: pl.DataFrame = PrivateAttr()

    @property
    def votes(self) -> pl.DataFrame:
        """`item`, `voter_id`, `value`, `left` and `amount` of the last run.

        Not a result: UpTrain writes those out.
        """
        return self._votes

    @property
    def items(self) -> pl.DataFrame:
        """(items,) the items in the order of their indices, with their mean `score`."""
        return self._items

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Keep the arrays as properties, and return their sizes."""
        clean = data.filter(pl.col("flag") == "").sort([*ITEM, "voter_id"])
        age_days = (self.as_of - pl.col("cast_at")).dt.total_microseconds() / MICROSECONDS_A_DAY
        ages = clean.select(age_days).to_series().to_numpy()
        numbered = clean.with_columns(
            pl.struct(ITEM).rle_id().cast(pl.Int64).alias("item"),
            pl.Series("left", decay_weights(ages, half_life_days=self.half_life_days), dtype=pl.Float64),
        ).with_columns((pl.col("left") * pl.col("weight")).alias("amount"))
        items = numbered.group_by("item", maintain_order=True)
        self._items = items.agg(pl.col(["query", *ITEM]).first(), pl.col("score").mean()).drop("item")
        self._votes = numbered.select("item", "voter_id", "value", "left", "amount")
        return {"output": pl.DataFrame([{"votes": len(clean), "items": len(self._items)}])}


class VoteSpool(Sequence[VoteArrays]):
    """Vote arrays and items in parts, in an unnamed file in `folder` that disappears with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with this object
        self._parts: list[_Part] = []
        self.voters: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)  # ids of all voters, sorted

    def add(self, numbered: NumberedVotes) -> None:
        """Append the operator's last run as a part; its items must not be in another part."""
        votes, items = numbered.votes, numbered.items
        voters, voter = np.unique(votes["voter_id"].to_numpy(), return_inverse=True)
        self.voters = np.union1d(self.voters, voters)
        self._parts.append(_Part(self._file.seek(0, 2), len(items), len(voters), len(votes)))
        columns = (
            voters,
            votes["left"].to_numpy(),
            votes["amount"].to_numpy(),
            votes["item"].to_numpy().astype(np.int32),
            voter.astype(np.int32),
            votes["value"].to_numpy().astype(np.int8),
        )
        for column in columns:
            self._file.write(np.ascontiguousarray(column).tobytes())
        self._parts[-1] = replace(self._parts[-1], items_begin=self._file.tell())
        items.write_ipc(self._file)

    def items(self, index: int) -> pl.DataFrame:
        """(items,) the items of a part."""
        self._file.seek(self._parts[index].items_begin)
        ends = self._parts[index + 1].begins if index + 1 < len(self) else -1
        return pl.read_ipc(io.BytesIO(self._file.read(ends - self._file.tell() if ends >= 0 else -1)))

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, index: int) -> VoteArrays: ...
    @overload
    def __getitem__(self, index: slice) -> list[VoteArrays]: ...
    def __getitem__(self, index: int | slice) -> VoteArrays | list[VoteArrays]:
        """Read a part; its voters are indices into `voters`."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        part = self._parts[index]
        self._file.seek(part.begins)
        ids = self._read(np.int64, part.voters)
        left, amount = self._read(np.float64, part.votes), self._read(np.float64, part.votes)
        item = self._read(np.int32, part.votes)
        voter = np.searchsorted(self.voters, ids)[self._read(np.int32, part.votes)]
        value = self._read(np.int8, part.votes)
        return VoteArrays(item, voter, value, left, amount, part.items, len(self.voters))

    def close(self) -> None:
        """Close and thereby delete the file. Idempotent."""
        self._file.close()

    def _read(self, of: type[np.generic], count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self._file.read(count * np.dtype(of).itemsize), dtype=of)


@dataclass(frozen=True, slots=True)
class _Part:
    """Offsets of a part in the file, and the lengths of its columns."""

    begins: int
    items: int
    voters: int
    votes: int
    items_begin: int = 0
