"""How long a night needs to read and to check its votes, and how much memory.

Run it as `.venv/bin/python tests/benchmarks/votes.py --votes 1000000`. It fills a database of its own with
votes of two hundred people on generated queries, over two hundred days and three model versions, and prints
seconds and peak memory. The limits are 60 s and 3 GB for a million votes on two cores.
"""

import argparse
import asyncio
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from storage.database import Database
from training.corpus.generator import generate
from training.encoder import query_hash
from training.uptrain_checks.votes import read_votes, run_checks

PEOPLE, VOTES_A_PREDICTION, DAYS = 200, 5, 200
FIRST_VOTER = 1_300_000_000_000_000_000
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = ("comfortable", "cheap", "durable", "ugly", "stylish", "heavy", "light", "stiff", "soft", "warm")
SHOWN = 5

Row = tuple[object, ...]


def fill(path: Path, votes: int, *, seed: int = 0) -> None:
    """Write a database with so many votes; a fresh file. About 15 s for a million."""
    asyncio.run(_create(path))
    chance = random.Random(seed)
    predictions = votes // VOTES_A_PREDICTION
    queries = [s.query for s in generate(max(predictions // 4, 100), seed=seed) if s.focus]
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO predictions (id, guild_id, channel_id, asker_id, query, query_hash, model_version, "
            "latency_ms, created_at) VALUES (?, 1, 2, 3, ?, ?, ?, 7.5, ?)",
            _predictions(predictions, queries, chance),
        )
        connection.executemany(
            "INSERT INTO candidates VALUES (?, 0, ?, ?, ?, ?)", _candidates(predictions, chance)
        )
        connection.executemany(
            "INSERT INTO votes VALUES (?, 0, ?, ?, ?, ?, ?)", _votes(votes, predictions, chance)
        )
    connection.close()


async def _create(path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{path}")
    await database.close()


def _predictions(count: int, queries: list[str], chance: random.Random) -> Iterator[Row]:
    for prediction in range(count):
        query = chance.choice(queries)
        version = f"v{1 + 3 * prediction // count:04d}"
        yield prediction + 1, query, query_hash(query), version, _at(prediction, count)


def _candidates(count: int, chance: random.Random) -> Iterator[Row]:
    for prediction in range(count):
        adjusted = chance.random() < 0.1
        for rank in range(SHOWN):
            yield prediction + 1, rank, _word(prediction, rank), 0.5 / (rank + 1) ** 1.5, adjusted


def _votes(count: int, predictions: int, chance: random.Random) -> Iterator[Row]:
    """Everyone is right nine times of ten, but one in ten people votes by chance."""
    for vote in range(count):
        prediction, nth = divmod(vote, VOTES_A_PREDICTION)
        prediction %= predictions
        voter = (prediction * 7 + nth * 41) % PEOPLE  # five different people
        word = _word(prediction, chance.randrange(SHOWN))
        is_right = chance.random() < (0.5 if voter % 10 == 0 else 0.9)
        is_wanted = WORDS.index(word) % 2 == 0
        via = "reaction" if chance.random() < 0.5 else "menu"
        value = 1 if is_wanted == is_right else -1
        yield prediction + 1, word, FIRST_VOTER + voter, via, value, _at(vote, count)


def _word(prediction: int, rank: int) -> str:
    return WORDS[(prediction + rank) % len(WORDS)]


def _at(nth: int, of: int) -> str:
    moment = AS_OF - timedelta(days=DAYS) + timedelta(days=DAYS) * (nth / of)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    """Fill, read, check; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="keep the database here, or use the one that is here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.database or Path(folder) / "fillbot.db"
        if not path.exists():
            start = time.perf_counter()
            fill(path, arguments.votes)
            print(f"fill   {time.perf_counter() - start:6.1f} s, peak {_peak_gb():.2f} GB")  # noqa: T201
        url = f"sqlite+aiosqlite:///{path}"
        start = time.perf_counter()
        read = sum(map(len, read_votes(url, AS_OF)))
        print(f"read   {time.perf_counter() - start:6.1f} s, peak {_peak_gb():.2f} GB: {read} votes")  # noqa: T201
        start = time.perf_counter()
        report = run_checks(
            url,
            Path(folder) / "uptrain",
            as_of=AS_OF,
            min_voters=2,
            denied=["ugly"],
            previous_as_of=AS_OF - timedelta(days=1),
        )
        seconds = time.perf_counter() - start
        print(f"check  {seconds:6.1f} s, reading included, peak {_peak_gb():.2f} GB")  # noqa: T201
        print({name: value for name, value in report.to_json().items() if name != "approval"})  # noqa: T201


if __name__ == "__main__":
    main()
