"""Votes added up where they are, by time, version, word and person; never those of who opted out."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update
from support.ballots import A_MONTH_BEFORE, NOON, ask, minutes, vote
from support.databases import of_sqlite

from storage.database import Database
from storage.schema import candidates
from storage.votes import stats
from storage.votes.stats import ContestedWord, HourVotes, TopVoter, VersionVotes

SINCE = A_MONTH_BEFORE
CHANNEL = 2  # where `ask` asks


async def test_votes_are_added_up_by_hour(voted: Database) -> None:
    assert await stats.votes_by_hour(voted, since=SINCE) == [
        HourVotes(NOON, 2, 1),
        HourVotes(NOON + timedelta(hours=1), 1, 2),
    ]


async def test_versions_come_newest_first_without_suggested_words(voted: Database) -> None:
    assert await stats.votes_by_version(voted, since=SINCE, most=5) == [
        VersionVotes("v0002", 0, 1),
        VersionVotes("v0001", 2, 4),
    ]
    assert len(await stats.votes_by_version(voted, since=SINCE, most=1)) == 1


async def test_replies_that_votes_had_adjusted_are_no_versions_own(voted: Database) -> None:
    async with voted.write() as connection:
        await connection.execute(
            update(candidates).where(candidates.c.prediction_id == 2).values(adjusted=True)
        )
    assert await stats.votes_by_version(voted, since=SINCE, most=5) == [VersionVotes("v0001", 2, 4)]


async def test_a_word_is_contested_when_people_disagree(voted: Database) -> None:
    found = await stats.contested_words(voted, since=SINCE, channel_ids={CHANNEL}, most=5)
    assert found == [ContestedWord("Nike shoes are very [MASK].", 0, "cheap", 2, 1)]


async def test_contested_words_of_other_channels_are_not_listed(voted: Database) -> None:
    assert await stats.contested_words(voted, since=SINCE, channel_ids={3}, most=5) == []
    assert await stats.contested_words(voted, since=SINCE, channel_ids=(), most=5) == []


async def test_a_query_is_listed_once_with_its_most_contested_word(database: Database) -> None:
    prediction = await ask(database)
    for voter in range(4):
        value = 1 if voter % 2 else -1
        await vote(database, prediction, "ugly", value, by=voter)  # type: ignore[arg-type]
        if voter < 2:
            await vote(database, prediction, "cheap", value, by=voter)  # type: ignore[arg-type]
    (found,) = await stats.contested_words(database, since=SINCE, channel_ids={CHANNEL}, most=5)
    assert (found.word, found.up, found.down) == ("ugly", 2, 2)


async def test_the_voters_who_agree_with_others_come_first(voted: Database) -> None:
    # On "cheap" 8 and 9 agree: for each of them the others say +1 −1 = 0, which bears nobody out yet.
    assert [(h.user_id, h.votes, h.agreed) for h in await stats.top_voters(voted, since=SINCE, most=5)] == [
        (9, 3, 0),
        (8, 2, 0),
        (7, 1, 0),
    ]
    await vote(voted, 1, "cheap", 1, by=5, at=minutes(5))
    assert await stats.top_voters(voted, since=SINCE, most=2) == [TopVoter(9, 3, 1), TopVoter(8, 2, 1)]


@of_sqlite
@pytest.mark.parametrize("name", ["votes_by_hour", "votes_by_version", "contested_words", "top_voters"])
async def test_only_the_votes_of_the_time_are_read(voted: Database, name: str) -> None:
    more: dict[str, Any] = {
        "contested_words": {"channel_ids": {CHANNEL}, "most": 5},
        "votes_by_version": {"most": 5},
        "top_voters": {"most": 5},
    }.get(name, {})
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    async with voted.read() as connection:
        engine = connection.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    query: Awaitable[Any] = getattr(stats, name)(voted, since=SINCE, **more)
    await query
    event.remove(engine, "before_cursor_execute", note)
    read, values = next(one for one in statements if one[0].lstrip().upper().startswith(("SELECT", "WITH")))
    async with voted.read() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {read}", values)
        plan = [row[3] for row in rows]
    assert any("votes" in step and "ix_votes_cast_at" in step for step in plan), plan
    assert not any(step.startswith("SCAN") and step.split()[1] in ("votes", "predictions") for step in plan)
