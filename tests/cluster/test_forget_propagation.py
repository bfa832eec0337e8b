"""Somebody is forgotten in one process: the others drop what they keep beside the database."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.distributed.forget_propagation import ForgetPropagation
from storage.database import Database
from storage.people import forgetting
from storage.people.tombstones import last_forgotten_at

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Emptied:
    """A cache that counts how often it was emptied."""

    times = 0

    def clear_cache(self) -> None:
        self.times += 1


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


async def test_what_was_written_before_somebody_was_forgotten_goes(
    database: Database, tmp_path: Path
) -> None:
    for number, hours in ((1, -1), (2, 1)):
        file = tmp_path / "runs" / f"{number:05d}" / "retraining_set.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("")
        at = (NOW + timedelta(hours=hours)).timestamp()
        os.utime(file, (at, at))
    assert await last_forgotten_at(database) is None
    await forgetting.erase_person(database, 7, since=None, now=NOW)
    assert await last_forgotten_at(database) == NOW
    cache = Emptied()
    await ForgetPropagation(tmp_path, database, cast(Any, cache)).drop(NOW)
    assert [path.parent.name for path in sorted(tmp_path.glob("runs/*/*.jsonl"))] == ["00002"]  # noqa: ASYNC240
    assert cache.times == 1
