"""How long a night needs to read and to check its votes, and how much memory.

Run it as `.venv/bin/python tests/benchmarks/votes.py --votes 1000000`. It fills a database of its own with
votes of two hundred people on generated queries, over two hundred days and three model versions, and prints
seconds and peak memory. The limits are 60 s and 3 GB for a million votes on two cores. `--server` names a
PostgreSQL database instead, which is filled there if it is empty: `postgresql+asyncpg://…/NAME`.
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
from training.inference.encoder import query_hash
from training.votes.checks.votes import read_votes, run_checks

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
            "INSERT INTO candidates VALUES (?, 0, ?, ?, ?, ?, NULL)", _candidates(predictions, chance)
        )
        connection.executemany(
            "INSERT INTO votes (prediction_id, mask_index, word, voter_id, via, value, cast_at) "
            "VALUES (?, 0, ?, ?, ?, ?, ?)",
            _votes(votes, predictions, chance),
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


FILL_SERVER = """
    CREATE TEMP TABLE texts AS
    SELECT n - 1 AS n, text FROM unnest($2::text[]) WITH ORDINALITY AS t (text, n);
    INSERT INTO predictions
        (id, channel_id, asker_id, query, query_hash, model_version, latency_ms, created_at)
    SELECT p, 2, 3, query, md5(query), 'v000' || 1 + 3 * p / {predictions}, 7.5, $1::timestamptz
    FROM (SELECT p, text || ' (' || x / {texts} || ')' AS query
          FROM (SELECT p, ('x' || left(md5(p::text), 7))::bit(28)::int % greatest({predictions} / 4, 100) AS x
                FROM generate_series(0, {predictions} - 1) AS p) AS numbered
          JOIN texts ON texts.n = x % {texts}) AS q;
    INSERT INTO candidates
    SELECT p, 0, r, ({words})[1 + (p + r) % 10], 0.5 / power(r + 1, 1.5), p % 10 = 0
    FROM generate_series(0, {predictions} - 1) AS p, generate_series(0, 4) AS r;
    INSERT INTO votes
    SELECT p, 0, ({words})[1 + (p + w) % 10], {first} + voter,
        CASE WHEN random() < 0.5 THEN 'reaction' ELSE 'menu' END,
        CASE WHEN ((p + w) % 2 = 0) = (random() < CASE WHEN voter % 10 = 0 THEN 0.5 ELSE 0.9 END)
             THEN 1 ELSE -1 END,
        $1::timestamptz + interval '200 days' * ((5 * p + n)::float / {votes})
    FROM (SELECT p, n, (random() * 5)::int % 5 AS w, (p * 7 + n * 41) % {people} AS voter
          FROM generate_series(0, {predictions} - 1) AS p, generate_series(0, 4) AS n) AS cast_votes;
    ANALYZE
"""


async def fill_server(url: str, votes: int) -> None:
    """The same, in PostgreSQL, and made by it: some 100,000 votes a second."""
    import asyncpg

    await (await Database.open(url)).close()
    texts = [s.query for s in generate(min(votes // 20, 100_000), seed=0) if s.focus]
    words = "ARRAY[" + ", ".join(f"'{word}'" for word in WORDS) + "]"
    numbers = {
        "predictions": votes // VOTES_A_PREDICTION,
        "votes": votes,
        "people": PEOPLE,
        "first": FIRST_VOTER,
        "texts": len(texts),
    }
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=60, command_timeout=7200)
    try:
        if await connection.fetchval("SELECT count(*) FROM votes"):
            return
        await connection.execute("SELECT setseed(0.5)")
        await connection.execute("TRUNCATE predictions CASCADE")
        for statement in FILL_SERVER.format(words=words, **numbers).split(";"):
            values = [AS_OF - timedelta(days=DAYS), texts]
            first = 1 if "$2" in statement else 0
            await connection.execute(
                statement.replace("$2", "$1") if first else statement,
                *values[first : first + 1] if "$" in statement else (),
            )
    finally:
        await connection.close()


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    """Fill, read, check; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--server", help="URL of a database on PostgreSQL")
    parser.add_argument("--database", type=Path, help="keep the database here, or use the one that is here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.database or Path(folder) / "fillbot.db"
        url = arguments.server or f"sqlite+aiosqlite:///{path}"
        if arguments.server or not path.exists():
            start = time.perf_counter()
            if arguments.server:
                asyncio.run(fill_server(url, arguments.votes))
            else:
                fill(path, arguments.votes)
            print(f"fill   {time.perf_counter() - start:6.1f} s, peak {_peak_gb():.2f} GB")  # noqa: T201
        start = time.perf_counter()
        read = sum(map(len, read_votes(url, AS_OF, Path(folder))))
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
