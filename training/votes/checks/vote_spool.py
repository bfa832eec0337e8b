"""Clean votes → arrays, and the items that they are on, spooled to disk in parts.

A run may read tens of millions of votes; `aggregate_parts` needs each part about 20 times, one at a time.
"""

import io
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

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
        aged_at: the time at which to take the votes' age.
        half_life_days: age in days at which a vote weighs half.
    """

    aged_at: datetime
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
        age_days = (self.aged_at - pl.col("cast_at")).dt.total_microseconds() / MICROSECONDS_A_DAY
        ages = clean.select(age_days).to_series().to_numpy()
        numbered = clean.with_columns(
            pl.struct(ITEM).rle_id().cast(pl.Int64).alias("item"),
            pl.Series("left", decay_weights(ages, half_life_days=self.half_life_days), dtype=pl.Float64),
        ).with_columns((pl.col("left") * pl.col("weight")).alias("amount"))
        items = numbered.group_by("item", maintain_order=True)
        self._items = items.agg(pl.col(["query", *ITEM]).first(), pl.col("score").mean()).drop("item")
        self._votes = numbered.select("item", "voter_id", "value", "left", "amount")
        return {"output": pl.DataFrame([{"votes": len(clean), "items": len(self._items)}])}


class PartSpool:
    """Votes in parts by query, in an unnamed file in `folder` that disappears with the process."""

    def __init__(self, folder: Path, parts: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with this object
        self._pieces: list[list[tuple[int, int]]] = [
            [] for _ in range(parts)
        ]  # where each begins, and its size

    def add(self, votes: pl.DataFrame) -> None:
        """Append votes to their parts: ranges of equal width of the first 32 bits of `query_hash`."""
        first_bits = pl.col("query_hash").str.slice(0, 8).str.to_integer(base=16)
        part = (first_bits * len(self._pieces) // 2**32).alias("part")
        for piece in votes.with_columns(part).partition_by("part"):
            begin, number = self._file.tell(), int(piece["part"][0])
            piece.drop("part").write_ipc(self._file, compression="lz4")
            self._pieces[number].append((begin, self._file.tell() - begin))

    def read(self, part: int) -> pl.DataFrame:
        """Return the votes of a part, in no particular order; without columns if it has none."""
        pieces = []
        for begin, size in self._pieces[part]:
            self._file.seek(begin)
            pieces.append(pl.read_ipc(io.BytesIO(self._file.read(size))))
        return pl.concat(pieces) if pieces else pl.DataFrame()

    def close(self) -> None:
        """Close and thereby delete the file. Idempotent."""
        self._file.close()


class VoteSpool:
    """Vote arrays and items in parts, in an unnamed file in `folder` that disappears with the process.

    Iterating over it reads one part after the other; the voters of a part are indices into `voters`.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with this object
        self._begins: list[tuple[int, int]] = []  # of the votes and of the items of each part
        self.voters: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)  # ids of all voters, sorted

    def add(self, numbered: NumberedVotes) -> None:
        """Append the operator's last run as a part; its items must not be in another part."""
        votes, items = numbered.votes, numbered.items
        voters, voter = np.unique(votes["voter_id"].to_numpy(), return_inverse=True)
        self.voters = np.union1d(self.voters, voters)
        votes_begin = self._file.seek(0, io.SEEK_END)
        item, value = votes["item"].cast(pl.Int32), votes["value"].cast(pl.Int8)
        for column in (voters, voter.astype(np.int32), item, value, votes["left"], votes["amount"]):
            np.save(self._file, column)
        self._begins.append((votes_begin, self._file.tell()))
        serialized = io.BytesIO()
        items.write_ipc(serialized)
        np.save(self._file, np.frombuffer(serialized.getbuffer(), dtype=np.uint8))

    def items(self, part: int) -> pl.DataFrame:
        """(items,) the items of a part."""
        self._file.seek(self._begins[part][1])
        return pl.read_ipc(io.BytesIO(np.load(self._file).tobytes()))

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[VoteArrays]:
        for begin, _ in self._begins:
            self._file.seek(begin)
            voters, voter, item, value, left, amount = (np.load(self._file) for _ in range(6))
            voter = np.searchsorted(self.voters, voters)[voter]
            items = int(item.max(initial=-1)) + 1
            yield VoteArrays(item, voter, value, left, amount, items, len(self.voters))

    def close(self) -> None:
        """Close and thereby delete the file. Idempotent."""
        self._file.close()
