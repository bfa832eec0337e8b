"""The number of votes in a time."""

from datetime import timedelta

import pytest
from sqlalchemy import insert
from support.ballots import NOON, ask, minutes, vote

from storage.database import Database
from storage.schema import people
from storage.votes.approval import Totals, totals

SINCE = NOON - timedelta(days=30)


async def opt_out(database: Database, user_id: int) -> None:
    async with database.write() as connection:
        await connection.execute(insert(people), {"user_id": user_id, "opted_out_at": NOON})


@pytest.fixture
async def voted(database: Database) -> Database:
    """8 and 9 like what 7 does not; 6 opted out; one vote is of long ago, one in another version."""
    first = await ask(database)
    other = await ask(database, "other shoes are [MASK].", model_version="v0002")
    for voter, value in ((8, 1), (9, 1), (7, -1), (6, -1)):
        await vote(database, first, "cheap", value, by=voter, at=minutes(voter))  # type: ignore[arg-type]
    await vote(database, first, "ugly", -1, by=8, at=minutes(70))
    await vote(database, other, "cheap", -1, by=9, at=minutes(80))
    await vote(database, other, "soft", 1, by=9, via="suggestion", at=minutes(80))
    await vote(database, first, "comfortable", 1, by=9, at=SINCE - timedelta(days=1))
    await opt_out(database, 6)
    return database


async def test_totals_are_of_a_time(voted: Database) -> None:
    assert await totals(voted, since=SINCE) == Totals(6, 3, 3)
    assert await totals(voted, since=SINCE, until=minutes(8)) == Totals(2, 1, 2)
    assert await totals(voted, since=minutes(80)) == Totals(0, 0, 0)
