"""Votes on a query across its replies, and the reliabilities that the last run stored."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from support.ballots import NOON, QUERY, ask, hash_of, minutes, opt_out, vote
from support.databases import of_sqlite, url_for

from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.schema import people, predictions
from storage.votes.consensus import (
    QueryVote,
    all_standing_votes,
    has_agreed_words,
    private_hashes,
    store_reliabilities,
    votes_on_query,
)
from storage.votes.predictions import count_votes, votes_until


async def known(database: Database) -> dict[int, tuple[bool, float | None]]:
    """Everybody's row: whether they opted out, and their reliability."""
    async with database.read() as connection:
        rows = await connection.execute(select(people).order_by(people.c.user_id))
        return {row.user_id: (row.opted_out_at is not None, row.reliability) for row in rows}


async def voters_of(database: Database, query: str = QUERY) -> list[int]:
    return [vote.voter_id for vote in await votes_on_query(database, hash_of(query))]


async def test_votes_on_all_replies_to_a_query_are_read_oldest_first(database: Database) -> None:
    first = await ask(database, model_version="v0001")
    second = await ask(database, masks=2, model_version="v0002")
    await vote(database, second, "ugly", -1, by=8, mask_index=1, via="menu", at=minutes(2))
    await vote(database, first, "cheap", 1, by=7, at=minutes(1))
    assert await votes_on_query(database, hash_of(QUERY)) == [
        QueryVote(first, 0, "cheap", 7, "reaction", 1, minutes(1), None),
        QueryVote(second, 1, "ugly", 8, "menu", -1, minutes(2), None),
    ]


async def test_votes_on_another_query_are_not_read(database: Database) -> None:
    await vote(database, await ask(database, "A [MASK] box."), "cheap", 1, by=7)
    await ask(database)
    assert await voters_of(database) == []
    assert await voters_of(database, "Nobody asked for a [MASK].") == []


async def test_votes_of_people_who_opted_out_are_not_read(database: Database) -> None:
    asked = await ask(database)
    for voter in (7, 8):
        await vote(database, asked, "cheap", 1, by=voter)
    await opt_out(database, 7)
    assert await voters_of(database) == [8]


async def test_a_vote_comes_with_its_voters_reliability(database: Database) -> None:
    asked = await ask(database)
    for voter in (7, 8):
        await vote(database, asked, "cheap", 1, by=voter)
    await store_reliabilities(database, {7: 0.95})
    assert [vote.reliability for vote in await votes_on_query(database, hash_of(QUERY))] == [0.95, None]


async def test_storing_reliabilities_again_replaces_all(database: Database) -> None:
    await store_reliabilities(database, {7: 0.95, 8: 0.6})
    await store_reliabilities(database, {8: 0.7, 9: 0.8})
    assert await known(database) == {7: (False, None), 8: (False, 0.7), 9: (False, 0.8)}
    await store_reliabilities(database, {})
    assert {row for _, row in (await known(database)).values()} == {None}


async def test_storing_reliabilities_keeps_opt_outs(database: Database) -> None:
    await opt_out(database, 7)
    await store_reliabilities(database, {7: 0.9, 8: 0.9})
    assert await known(database) == {7: (True, 0.9), 8: (False, 0.9)}


async def test_storing_reliabilities_does_not_opt_out(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=7)
    await store_reliabilities(database, {7: 0.9})
    assert await voters_of(database) == [7]
    assert await count_votes(database) == 1
    assert [chunk["voter_id"] async for chunk in votes_until(database, minutes(1))] == [(7,)]


async def test_a_note_that_fails_changes_nothing(database: Database) -> None:
    await store_reliabilities(database, {7: 0.9})
    with pytest.raises((OverflowError, DatabaseUnavailableError)):  # the driver says which
        await store_reliabilities(database, {8: 0.8, 2**70: 0.5})
    assert await known(database) == {7: (False, 0.9)}


@of_sqlite
async def test_votes_on_a_query_are_found_by_indexes_alone(database: Database) -> None:
    statements: list[str] = []

    async with database.read() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.set_trace_callback(statements.append)
    await votes_on_query(database, "x")
    (read,) = [statement for statement in statements if statement.startswith("SELECT")]
    async with database.read() as connection:
        plan = [row[3] for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {read}"))]
    assert any("ix_predictions_query_hash" in step for step in plan)
    assert not [step for step in plan if step.startswith("SCAN")]


async def test_a_database_of_the_first_revision_keeps_what_is_in_it(tmp_path: Path) -> None:
    url = url_for(tmp_path / "fillbot.db", is_empty=True)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(migrate, to="0001")
        rows = [{"user_id": 7, "opted_out_at": NOON}, {"user_id": 8, "opted_out_at": None}]
        await connection.execute(insert(people), rows)
        query = {"id": 1, "channel_id": 2, "query": QUERY, "query_hash": hash_of(QUERY)}
        made = {"model_version": "v0001", "latency_ms": 7.5, "created_at": NOON}
        await connection.execute(insert(predictions), query | made)
    await engine.dispose()
    database = await Database.open(url)
    for voter in (7, 8):
        await vote(database, 1, "cheap", 1, by=voter)
    assert await known(database) == {7: (True, None), 8: (False, None)}
    assert await voters_of(database) == [8]
    await database.close()


def migrate(connection: Connection, *, to: str) -> None:
    """Make a database as an earlier fillbot would have left it."""
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


async def test_only_the_standing_votes_are_read(database: Database) -> None:
    first, again = await ask(database), await ask(database)
    await vote(database, first, "cheap", 1, by=7, at=minutes(1), weight=2.0)
    await vote(database, again, "cheap", -1, by=7, at=NOON, via="menu")
    await vote(database, again, "ugly", -1, by=8)
    await vote(database, again, "ugly", -1, by=9)
    await opt_out(database, 9)
    found = [one async for chunk in all_standing_votes(database) for one in chunk]
    assert sorted((v.word, v.voter_id, v.value, v.weight) for v in found) == [
        ("cheap", 7, -1, 1.0),
        ("ugly", 8, -1, 1.0),
    ]


async def test_queries_with_removed_personal_data_are_known(database: Database) -> None:
    private = "mail [email] that shoes are [MASK]"
    for query in (private, "e_mail is [MASK]", "% is [MASK]"):
        await ask(database, query)
    assert await private_hashes(database) == {hash_of(private)}


async def test_words_are_counted_on_which_enough_people_agree(database: Database) -> None:
    async def has(count: int, *, min_voters: int = 2) -> bool:
        return await has_agreed_words(database, count, min_voters=min_voters, min_margin=0.2)

    asked = await ask(database)
    again = await ask(database, model_version="v0002")
    private = await ask(database, "mail [email] that shoes are [MASK].")
    assert not await has(1)
    await vote(database, asked, "cheap", 1, by=7)
    await vote(database, again, "cheap", 1, by=7)  # one person twice
    await vote(database, asked, "ugly", 1, by=7)
    await vote(database, again, "ugly", -1, by=8)  # they cancel out
    for voter in (7, 8):
        await vote(database, private, "cheap", 1, by=voter)
    await vote(database, again, "comfortable", 1, by=9)
    await vote(database, asked, "comfortable", 1, by=8, weight=0.0)
    assert not await has(1)
    assert await has(2, min_voters=1)
    await vote(database, again, "cheap", 1, by=8)
    assert await has(1)
    assert not await has(2)
    await vote(database, asked, "good", 1, by=-1, via="suggestion")  # an imported source
    assert await has(2)
    await opt_out(database, 8)
    assert not await has(2)
