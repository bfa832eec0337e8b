"""Votes that several tests add up."""

from datetime import timedelta

import pytest
from support.ballots import A_MONTH_BEFORE, ask, minutes, opt_out, vote

from storage.database import Database


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
    await vote(database, first, "comfortable", 1, by=9, at=A_MONTH_BEFORE - timedelta(days=1))
    await opt_out(database, 6)
    return database
