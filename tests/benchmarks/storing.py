"""Votes on the disk: many voters at once, one commit a vote, and how reading grows."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import votes as votes_file
from measure import Row

from bot.answering.write_queue import WriteQueue
from storage.database import Database
from storage.votes.predictions import NewPrediction, StoredCandidate, votes_until
from storage.votes.reactions import ThumbAdded, apply_thumbs

REPLIES, VOTES, ONE_BY_ONE = 200, 10_000, 300
STORED = (10_000, 100_000, 1_000_000)


def run() -> list[Row]:
    """Durable votes a second, and reading a night's votes."""
    return [*asyncio.run(_writing()), *_reading()]


async def _writing() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(f"sqlite+aiosqlite:///{folder}/fillbot.db")
        write_queue = WriteQueue(database)
        shown = tuple(StoredCandidate(0, rank, f"word{rank}", 0.1, False) for rank in range(5))
        now = datetime.now(UTC)
        new = [
            NewPrediction(1, 2, 3, f"{n} [MASK].", f"{n:032x}", "v0001", 1.0, now, shown)
            for n in range(REPLIES)
        ]
        ids = await asyncio.gather(*(write_queue.record(one) for one in new))
        await asyncio.gather(*(write_queue.attach(one, n) for n, one in enumerate(ids)))
        began = time.perf_counter()
        for n in range(ONE_BY_ONE):
            await apply_thumbs(database, [ThumbAdded(n % REPLIES, n, "👍", now)])
        alone = ONE_BY_ONE / (time.perf_counter() - began)
        began = time.perf_counter()
        await asyncio.gather(
            *(write_queue.change_thumbs(ThumbAdded(n % REPLIES, 10_000 + n, "👍", now)) for n in range(VOTES))
        )
        together = VOTES / (time.perf_counter() - began)
        await write_queue.close()
        await database.close()
    note = f"{VOTES} voters at once; alternative: one commit a vote"
    return [Row("durable votes", together, "votes/s", alone, 2000, is_rate=True, note=note)]


def _reading() -> list[Row]:
    rows, seconds = [], []
    for count in STORED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fillbot.db"
            votes_file.fill(path, count)
            whole = asyncio.run(_read(f"sqlite+aiosqlite:///{path}"))
        seconds.append(whole)
        rows.append(Row(f"reading {count:,} votes", whole, "s"))
    slope = float(np.polyfit(np.log(STORED), np.log(seconds), 1)[0])
    rows.append(Row("exponent of growth, reading", slope, "", limit=1.1))
    return rows


async def _read(url: str) -> float:
    database = await Database.open(url)
    began = time.perf_counter()
    async for _ in votes_until(database, votes_file.AS_OF):
        pass
    whole = time.perf_counter() - began
    await database.close()
    return whole
