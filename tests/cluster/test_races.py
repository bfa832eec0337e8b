"""Two on one PostgreSQL: what reads first and then writes stays exact. Each side is a `Database`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from support.ballots import NOON, ask, minutes, vote, votes_on_message

from storage import runs
from storage.backends.postgres import lock, lock_votes_shared
from storage.database import Database
from storage.people import forgetting, privacy, retention
from storage.schema import forgettings, people, predictions
from storage.votes import menu_votes, reactions
from storage.votes.predictions import StoredVote, count_votes, upsert_votes

ANN, BOB = 7, 8
LATER = NOON + timedelta(days=400)


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    one, other = await asyncio.gather(Database.open(database_url), Database.open(database_url))
    yield one, other
    await one.close()
    await other.close()


async def waits(database: Database, blocked: asyncio.Task[Any]) -> None:
    """Until the server has a session that waits for another's lock."""
    async with asyncio.timeout(10):
        while True:
            async with database.read() as connection:
                waiting = await connection.scalar(
                    text(
                        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
                        "WHERE NOT granted AND datname = current_database()"
                    )
                )
                row_waits = await connection.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                        "AND datname = current_database()"
                    )
                )
            if waiting or row_waits:
                return
            assert not blocked.done(), "it did not wait"
            await asyncio.sleep(0.01)  # polled: the server has no event for a statement that waits


async def test_a_menu_chosen_twice_at_once_holds_one_choice(two: tuple[Database, Database]) -> None:
    one, other = two
    words = [(f"w{n}", 0.1) for n in range(10)]
    asked = await ask(one, words=tuple(words))
    for n in range(20):
        standings = await asyncio.gather(
            *(
                menu_votes.store_choices(
                    database, asked, voter_id=ANN, value=1, words=[(0, f"w{k}")], cast_at=minutes(n)
                )
                for database, k in ((one, n % 10), (other, (n + 1) % 10), (one, (n + 2) % 10))
            )
        )
        assert all(len(standing.liked) == 1 for standing in standings)
        assert await count_votes(one) == 1


async def test_thumbs_under_one_reply_from_two_processes(two: tuple[Database, Database]) -> None:
    one, other = two
    await ask(one, message_id=5, masks=2)
    await asyncio.gather(
        *(
            reactions.apply_thumbs(database, [reactions.ThumbAdded(5, voter, "👍👎"[voter % 2], minutes(1))])
            for voter in range(40)
            for database in two
        )
    )
    assert len(await votes_on_message(other, 5)) == 80
    up = {voter: frozenset({"👍"}) for voter in range(20)}
    await asyncio.gather(*(reactions.apply_thumbs(d, [reactions.ThumbsRead(5, up, minutes(2))]) for d in two))
    assert {v.voter_id for v in await votes_on_message(other, 5)} == up.keys()


async def test_two_who_shared_a_query_are_forgotten_at_once(two: tuple[Database, Database]) -> None:
    for _ in range(5):
        for asker in (ANN, BOB):
            await ask(two[0], asker_id=asker)
        await asyncio.gather(
            *(
                forgetting.erase_person(database, who, since=None, now=LATER)
                for database, who in zip(two, (ANN, BOB), strict=True)
            )
        )
        async with two[0].read() as connection:
            assert await connection.scalar(select(func.count()).select_from(predictions)) == 0


async def test_a_vote_on_what_is_being_erased_waits_and_finds_no_reply(
    two: tuple[Database, Database],
) -> None:
    one, other = two
    await ask(one, asker_id=ANN, message_id=5)
    await ask(one, "Puma shoes are [MASK]", asker_id=BOB, message_id=6)
    async with one.write() as connection:
        await lock(connection, *forgetting.ERASING)
        await connection.run_sync(forgetting.erase, ANN, since=None)
        changes = [reactions.ThumbAdded(message, BOB, "👍", minutes(1)) for message in (5, 6)]
        casting = asyncio.create_task(reactions.apply_thumbs(other, changes))
        await waits(one, casting)
    assert await casting == [0, 1]


async def test_a_prediction_that_is_voted_on_meanwhile_does_not_expire(
    two: tuple[Database, Database],
) -> None:
    one, other = two
    asked = await ask(one, message_id=5)
    async with one.write() as connection:
        await lock_votes_shared(connection)
        await upsert_votes(connection, [StoredVote(asked, 0, "cheap", ANN, "reaction", 1, LATER)])
        expiring = asyncio.create_task(retention.delete_expired(other, LATER))
        await waits(one, expiring)
    assert (await expiring).predictions == 0
    assert await count_votes(one) == 1


async def test_a_vote_that_is_renewed_meanwhile_does_not_expire(two: tuple[Database, Database]) -> None:
    one, other = two
    asked = await ask(one, message_id=5)
    await vote(one, asked, "cheap", 1, by=ANN)
    async with one.write() as connection:
        await lock_votes_shared(connection)
        await upsert_votes(connection, [StoredVote(asked, 0, "cheap", ANN, "reaction", -1, LATER)])
        expiring = asyncio.create_task(retention.delete_expired(other, LATER))
        await waits(one, expiring)
    assert (await expiring).votes == 0


async def test_nobody_ends_a_run_while_it_promotes(two: tuple[Database, Database]) -> None:
    one, other = two
    run_id = await runs.open_run(one, "nightly", started_at=NOON, champion=None)
    order: list[str] = []
    loop = asyncio.get_running_loop()

    async def end() -> None:
        assert await runs.end_open_training(other, "forgetting", now=NOON) == 1
        order.append("ended")

    ending: list[asyncio.Task[None]] = []

    def promote() -> None:
        ending.append(loop.create_task(end()))
        order.append("promoted")

    assert await runs.run_if_open(one, run_id, promote)
    await ending[0]
    assert order == ["promoted", "ended"]
    assert not await runs.run_if_open(one, run_id, promote)


async def test_a_run_that_is_being_ended_does_not_promote(two: tuple[Database, Database]) -> None:
    one, other = two
    run_id = await runs.open_run(one, "nightly", started_at=NOON, champion=None)
    async with one.write() as connection:
        await connection.execute(runs.runs.update().values(status="failed"))
        acting = asyncio.create_task(runs.run_if_open(other, run_id, lambda: pytest.fail("it promoted")))
        await waits(one, acting)
    assert not await acting


async def test_asking_twice_at_once_is_asking_once(two: tuple[Database, Database]) -> None:
    for who in range(10):
        found = await asyncio.gather(*(forgetting.request(d, who, now=minutes(n)) for n, d in enumerate(two)))
        assert found[0] == found[1]
        out = await asyncio.gather(*(privacy.opt_out(d, who, now=NOON) for d in two))
        assert sorted(out) == [False, True]
    async with two[0].read() as connection:
        assert await connection.scalar(select(func.count()).select_from(forgettings)) == 10
        assert await connection.scalar(select(func.count()).select_from(people)) == 10
