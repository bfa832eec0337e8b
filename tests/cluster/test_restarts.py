"""A server that goes away: what is under way is begun anew, and what was confirmed is there."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from cluster.postgres import Postgres, postgres_server
from sqlalchemy import insert, text
from support.ballots import ask, minutes

from storage.backends import postgres as server_side
from storage.backends import retries
from storage.database import Database
from storage.errors import DatabaseDriverError, DatabaseLostError, DatabaseServerError
from storage.schema import people
from storage.votes.predictions import count_votes
from storage.votes.reactions import ThumbAdded, apply_thumbs


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that may be stopped, and loses nothing that it confirmed."""
    with postgres_server(is_durable=True) as server:
        yield server


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_no_vote_is_refused_or_lost_when_the_server_restarts(own: Postgres, mode: str) -> None:
    database = await Database.open(await asyncio.to_thread(own.new_database))
    await ask(database, message_id=5)
    numbers, confirmed, is_over = itertools.count(1), 0, False

    async def voters() -> None:
        nonlocal confirmed
        while not is_over:
            assert await apply_thumbs(database, [ThumbAdded(5, next(numbers), "👍", minutes(1))]) == [1]
            confirmed += 1

    async def readers() -> None:
        while not is_over:
            await count_votes(database)

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(voters())
        group.create_task(readers())
        for _ in range(2):
            await asyncio.sleep(0.3)  # real time, so that votes are under way when the server stops
            before = confirmed
            await asyncio.to_thread(own.stop, mode)
            await asyncio.sleep(0.2)  # real time, in which votes fail and are retried
            await asyncio.to_thread(own.start)
            while confirmed < before + 10:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.05)
        is_over = True
    assert await count_votes(database) == confirmed
    await database.close()


async def test_a_server_that_stays_away_is_said_without_the_password(
    own: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries.GIVE_UP, "max_delay", 0.3)
    url = own.url("nowhere").replace("postgres@", "ada:secret@").replace(str(own.port), "1")
    with pytest.raises(DatabaseLostError, match=r"127\.0\.0\.1:1/nowhere cannot be reached") as caught:
        await Database.open(url)
    assert "secret" not in str(caught.value)


async def test_a_database_that_there_is_not_is_said_at_once(own: Postgres) -> None:
    with pytest.raises(DatabaseServerError, match=r'database "nowhere" does not exist'):
        await Database.open(own.url("nowhere"))


async def test_who_may_not_make_tables_is_told(own: Postgres) -> None:
    url = await asyncio.to_thread(own.new_database)
    database = await Database.open(await asyncio.to_thread(own.new_database))
    async with database.write() as connection:
        await connection.execute(text("DROP ROLE IF EXISTS ben"))
        await connection.execute(text("CREATE ROLE ben LOGIN"))
    await database.close()
    with pytest.raises(DatabaseServerError, match="permission denied for schema public"):
        await Database.open(url.replace("postgres@", "ben@"))


async def test_what_was_said_of_an_open_transaction_is_that_it_left_nothing(own: Postgres) -> None:
    database = await Database.open(await asyncio.to_thread(own.new_database))

    async def be_ended() -> None:
        async with database.write() as connection:
            await connection.execute(insert(people), {"user_id": 1})
            mine = await connection.scalar(text("SELECT pg_backend_pid()"))
            async with database.write() as other:
                await other.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
            await connection.execute(insert(people), {"user_id": 2})

    with pytest.raises(DatabaseLostError) as caught:
        await be_ended()
    assert caught.value.is_rolled_back
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM people")) == 0
    await database.close()


async def test_two_that_wait_for_each_other_are_sorted_out(own: Postgres) -> None:
    database = await Database.open(await asyncio.to_thread(own.new_database))
    async with database.write() as connection:
        await connection.execute(insert(people), [{"user_id": 1}, {"user_id": 2}])
    both = asyncio.Barrier(2)
    tries = 0

    @retries.retried
    async def touch(first: int, second: int) -> None:
        nonlocal tries
        tries += 1
        async with database.write() as connection:
            change = text("UPDATE people SET reliability = 1 WHERE user_id = :who")
            await connection.execute(change, {"who": first})
            if tries <= 2:
                await both.wait()
            await connection.execute(change, {"who": second})

    await asyncio.gather(touch(1, 2), touch(2, 1))
    assert tries == 3
    await database.close()


async def test_a_driver_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
    with pytest.raises(DatabaseDriverError, match=r"pip install 'fillbot\[cluster\]'"):
        await Database.open("postgresql+asyncpg://ada:secret@db/x")


async def test_a_session_counts_in_utc(own: Postgres) -> None:
    database = await Database.open(await asyncio.to_thread(own.new_database))
    async with database.read() as connection:
        shown = [
            await connection.scalar(text(f"SHOW {name}")) for name in ("timezone", "transaction_read_only")
        ]
    assert shown == ["UTC", "on"]
    assert server_side.server_address(database._engine.url) == database.where
    await database.close()
