"""Trips to the thread of SQLite's driver, and transactions that begin late."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import pytest_asyncio
from sqlalchemy import text

from storage.database import Database

ONE = text("INSERT INTO denied_words (word, denied_at) VALUES (:word, '2026-01-01')")
COUNT = text("SELECT count(*) FROM denied_words")


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A file, wherever the other tests have their databases."""
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/fillbot.db")
    yield database
    await database.close()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is run in the thread."""
    made: list[Any] = []
    execute = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, run: Any, *arguments: Any, **named: Any) -> Any:
        made.append(run)
        return await execute(self, run, *arguments, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return made


async def test_a_query_is_one_trip_and_a_write_is_two(database: Database, trips: list[Any]) -> None:
    await database.fetch(COUNT)
    trips.clear()
    assert await database.fetch_value(COUNT) == 0
    assert len(trips) == 1
    async with database.write() as connection:
        assert (await connection.execute(ONE, {"word": "dirty"})).rowcount == 1
    assert len(trips) == 3
    async with database.write():
        pass
    async with database.read():
        pass
    assert len(trips) == 3  # what ran no statement was never begun
    assert await database.fetch_value(COUNT) == 1


async def test_a_transaction_is_rolled_back_as_a_whole(database: Database) -> None:
    with pytest.raises(LookupError):
        await _write_and_fail(database)
    assert await database.fetch_value(COUNT) == 0


async def test_a_cancelled_transaction_leaves_nothing(database: Database) -> None:
    """Its statement runs to its end in the thread, and is rolled back."""
    for turn in range(4):
        task = asyncio.create_task(database.execute(ONE, {"word": "dirty"}))
        for _ in range(turn):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with database.write() as connection:  # no transaction is open
            count = await connection.scalar(COUNT)
            await connection.execute(text("DELETE FROM denied_words"))
        assert count in (0, 1)
    assert await database.fetch_value(COUNT) == 0


async def test_a_snapshot_holds_while_it_is_read(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.scalar(COUNT) == 0
        await database.execute(ONE, {"word": "dirty"})
        assert await connection.scalar(COUNT) == 0
    assert await database.fetch_value(COUNT) == 1


async def test_streamed_rows_are_of_one_snapshot(database: Database) -> None:
    for word in ("dirty", "heavy", "ugly"):
        await database.execute(ONE, {"word": word})
    async with database.read() as connection:
        rows = await connection.stream(text("SELECT word FROM denied_words ORDER BY word"))
        await database.execute(text("DELETE FROM denied_words"))
        assert [row[0] async for row in rows] == ["dirty", "heavy", "ugly"]
        assert await connection.scalar(COUNT) == 3


async def _write_and_fail(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(ONE, {"word": "dirty"})
        raise LookupError
