"""The number of votes in a time."""

from support.ballots import A_MONTH_BEFORE, minutes

from storage.database import Database
from storage.votes.approval import Totals, totals

SINCE = A_MONTH_BEFORE


async def test_totals_are_of_a_time(voted: Database) -> None:
    assert await totals(voted, since=SINCE) == Totals(6, 3, 3)
    assert await totals(voted, since=SINCE, until=minutes(8)) == Totals(2, 1, 2)
    assert await totals(voted, since=minutes(80)) == Totals(0, 0, 0)
