"""Durable votes a second on PostgreSQL against SQLite: 1, 8 and 32 voters, and several processes.

    python tests/benchmarks/cluster_votes.py --seconds 5

Every voter votes again as soon as the last vote is on the disk, through the bot's own queue.
"""

import argparse
import asyncio
import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

from measure import Row, table  # noqa: E402  the path comes first

from bot.answering.write_queue import WriteQueue  # noqa: E402
from storage.database import Database  # noqa: E402
from storage.votes.predictions import NewPrediction, StoredCandidate  # noqa: E402
from storage.votes.reactions import ThumbAdded  # noqa: E402

REPLIES, VOTERS, PROCESSES, SECONDS = 200, (1, 8, 32), (2, 4), 5.0
STARTING_S = 4.0  # for the processes to import what they need


def run(seconds: float = SECONDS) -> list[Row]:
    """Nothing where the driver or the server is not installed."""
    from cluster.postgres import find_program, postgres_server

    if importlib.util.find_spec("asyncpg") is None or find_program("initdb") is None:
        return []
    rows = []
    with postgres_server(is_durable=True) as server, tempfile.TemporaryDirectory() as folder:
        one, two = f"sqlite+aiosqlite:///{folder}/fillbot.db", server.new_database()
        for url in (one, two):
            asyncio.run(_prepare(url))
        for voters in VOTERS:
            here, there = ([], [])
            for offset in range(3):  # in turn
                here.append(_rate([one], voters, seconds / 3, offset))
                there.append(_rate([two], voters, seconds / 3, offset))
            sqlite, postgres = sum(here) / 3, sum(there) / 3
            note = f"{voters} at once; alternative: SQLite"
            rows.append(Row("votes on PostgreSQL", postgres, "votes/s", sqlite, is_rate=True, note=note))
        for processes in PROCESSES:
            alone = _rate([two], 32, seconds, 10)
            shared = _rate([two] * processes, 32, seconds, 20)
            note = f"{processes} processes, 32 voters each; alternative: one process"
            rows.append(Row("votes on PostgreSQL", shared, "votes/s", alone, is_rate=True, note=note))
    return rows


def _rate(urls: list[str], voters: int, seconds: float, offset: int) -> float:
    """Of all processes together, one for each URL; they begin at the same moment."""
    if len(urls) == 1:
        return asyncio.run(_work(urls[0], voters, seconds, 10_000_000 * offset * 8, time.time()))
    begin_at = time.time() + STARTING_S
    started = []
    for number, url in enumerate(urls):
        work = json.dumps([url, voters, seconds, 10_000_000 * (offset * 8 + number + 1), begin_at])
        command = [sys.executable, __file__, "--work", work]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE))
    return sum(json.loads(process.communicate()[0]) for process in started)


async def _prepare(url: str) -> None:
    database = await Database.open(url)
    write_queue = WriteQueue(database)
    shown = tuple(StoredCandidate(0, rank, f"word{rank}", 0.1, False) for rank in range(5))
    now = datetime.now(UTC)
    new = [
        NewPrediction(1, 2, 3, f"{n} [MASK].", f"{n:032x}", "v0001", 1.0, now, shown) for n in range(REPLIES)
    ]
    ids = await asyncio.gather(*map(write_queue.record, new))
    await asyncio.gather(*(write_queue.attach(one, n) for n, one in enumerate(ids)))
    await write_queue.close()
    await database.close()


async def _work(url: str, voters: int, seconds: float, offset: int, begin_at: float) -> float:
    database = await Database.open(url)
    write_queue, numbers, cast = WriteQueue(database), itertools.count(offset), 0
    await write_queue.change_thumbs(ThumbAdded(0, offset, "👍", datetime.now(UTC)))
    await asyncio.sleep(max(begin_at - time.time(), 0))  # all processes begin at one time
    began = time.perf_counter()

    async def vote() -> None:
        nonlocal cast
        while time.perf_counter() < began + seconds:
            number = next(numbers)
            await write_queue.change_thumbs(ThumbAdded(number % REPLIES, number, "👍", datetime.now(UTC)))
            cast += 1

    await asyncio.gather(*(vote() for _ in range(voters)))
    elapsed = time.perf_counter() - began
    await write_queue.close()
    await database.close()
    return cast / elapsed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(asyncio.run(_work(*json.loads(options.work)))))  # noqa: T201
        return
    print(table(run(options.seconds)))  # noqa: T201


if __name__ == "__main__":
    main()
