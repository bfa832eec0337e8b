"""Many at once share transactions; each gets its own answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.ballots import NOON, QUERY, hash_of, votes_on_message
from support.databases import url_for

from bot.answering import write_queue as write_queue_module
from bot.answering.write_queue import WriteQueue
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.votes.predictions import NewPrediction, StoredCandidate, prediction_of_message
from storage.votes.reactions import ThumbAdded, ThumbRemoved, apply_thumbs


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(url_for(tmp_path / "fillbot.db"))
    yield opened
    await opened.close()


@pytest.fixture
async def write_queue(database: Database) -> AsyncIterator[WriteQueue]:
    made = WriteQueue(database)
    yield made
    await made.close()


def asked(word: str) -> NewPrediction:
    shown = (StoredCandidate(0, 0, word, 0.4), StoredCandidate(0, 1, "ugly", 0.1))
    return NewPrediction(1, 2, 3, QUERY, hash_of(QUERY), "v0001", 1.0, NOON, shown)


async def test_everybody_gets_their_own_prediction(database: Database, write_queue: WriteQueue) -> None:
    words = [f"word{number}" for number in range(50)]
    ids = await asyncio.gather(*(write_queue.record(asked(word)) for word in words))
    assert len(set(ids)) == len(words)
    await asyncio.gather(*(write_queue.attach(one, 1000 + n) for n, one in enumerate(ids)))
    await asyncio.gather(
        *(write_queue.change_thumbs(ThumbAdded(1000 + n, 7, "👍", NOON)) for n in range(len(words)))
    )
    for number, word in enumerate(words):
        assert await prediction_of_message(database, 1000 + number) == ids[number]
        assert [v.word for v in await votes_on_message(database, 1000 + number)] == [word]


async def test_who_waits_shares_a_transaction(
    database: Database, write_queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    async def counted(where: Database, changes: list[ThumbAdded]) -> list[int]:
        sizes.append(len(changes))
        return await apply_thumbs(where, changes)

    monkeypatch.setattr(write_queue_module, "apply_thumbs", counted)
    await write_queue.attach(await write_queue.record(asked("cheap")), 1000)
    await asyncio.gather(
        *(write_queue.change_thumbs(ThumbAdded(1000, voter, "👍", NOON)) for voter in range(300))
    )
    assert sum(sizes) == 300
    assert len(sizes) <= 3
    assert len(await votes_on_message(database, 1000)) == 300


async def test_changes_keep_their_order(database: Database, write_queue: WriteQueue) -> None:
    await write_queue.attach(await write_queue.record(asked("cheap")), 1000)
    changes = [
        ThumbAdded(1000, 7, "👍", NOON),
        ThumbRemoved(1000, 7, "👍", NOON),
        ThumbAdded(1000, 7, "👎", NOON),
    ]
    assert await asyncio.gather(*(write_queue.change_thumbs(change) for change in changes)) == [1, 1, 1]
    assert [v.value for v in await votes_on_message(database, 1000)] == [-1]


async def test_a_flush_waits_for_the_changes_before_it(database: Database, write_queue: WriteQueue) -> None:
    await write_queue.attach(await write_queue.record(asked("cheap")), 1000)
    changes = [
        asyncio.ensure_future(write_queue.change_thumbs(ThumbAdded(1000, voter, "👍", NOON)))
        for voter in range(3)
    ]
    await asyncio.sleep(0)  # they are in the queue now
    await write_queue.flush_thumbs()
    assert len(await votes_on_message(database, 1000)) == 3
    assert await asyncio.gather(*changes) == [1, 1, 1]


async def test_what_was_told_is_on_the_disk(
    database: Database, write_queue: WriteQueue, tmp_path: Path
) -> None:
    await write_queue.attach(await write_queue.record(asked("cheap")), 1000)
    await write_queue.change_thumbs(ThumbAdded(1000, 7, "👍", NOON))
    other = await Database.open(url_for(tmp_path / "fillbot.db"))  # as another process sees it
    assert len(await votes_on_message(other, 1000)) == 1
    await other.close()


async def test_a_vote_waits_while_the_database_cannot_be_written(
    database: Database, write_queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_queue_module, "RETRY_AFTER_S", 0.01)
    tries = []

    async def failing(where: Database, changes: list[ThumbAdded]) -> list[int]:
        tries.append(len(changes))
        if len(tries) < 4:
            raise DatabaseUnavailableError("here", "database or disk is full")
        return await apply_thumbs(where, changes)

    monkeypatch.setattr(write_queue_module, "apply_thumbs", failing)
    await write_queue.attach(await write_queue.record(asked("cheap")), 1000)
    with capture_logs() as logs:
        assert await write_queue.change_thumbs(ThumbAdded(1000, 7, "👍", NOON)) == 1
    assert [line["event"] for line in logs] == ["votes.waiting"]
    assert len(await votes_on_message(database, 1000)) == 1
