"""Votes on a query, and the reliability of voters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from storage.backends.postgres import insert_into
from storage.backends.retries import retried
from storage.database import Database
from storage.schema import people, predictions, votes
from storage.votes.predictions import DEFAULT_WEIGHT
from storage.votes.standing import OLDEST_FIRST, VOTE_COLUMNS, Vote


@dataclass(frozen=True, slots=True)
class QueryVote(Vote):
    """A vote on a query, through any of its replies.

    `reliability` is the voter's, in [0, 1]; None if the last run did not estimate it. `weight` is how much
    the vote counts by the voter's roles.
    """

    reliability: float | None
    weight: float = DEFAULT_WEIGHT


def counted_votes() -> Select[Any]:
    """Select the votes that count, oldest first: query_hash, then the columns of `QueryVote`."""
    return (
        select(predictions.c.query_hash, *VOTE_COLUMNS, people.c.reliability, votes.c.weight)
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .outerjoin(people, people.c.user_id == votes.c.voter_id)
        .where(people.c.opted_out_at.is_(None))  # as `is_opted_in`, which reads all people
        .order_by(*OLDEST_FIRST)
    )


# Built once: every question runs it, and building it took a tenth of the bot's time for a question.
VOTES_ON_QUERY = counted_votes().where(predictions.c.query_hash == bindparam("query_hash"))


async def votes_on_query(database: Database, query_hash: str) -> list[QueryVote]:
    """Return the votes on a query that count, oldest first."""
    rows = await database.fetch(VOTES_ON_QUERY, {"query_hash": query_hash})
    return [QueryVote(*row[1:]) for row in rows]


@retried
async def store_reliabilities(
    database: Database, reliability: Mapping[int, float], *, as_of: datetime | None = None
) -> None:
    """Replace the reliabilities of all voters.

    Args:
        database: The database.
        reliability: Voter → reliability in [0, 1], of all voters whose votes the run counted.
        as_of: The run's `as_of`; stored as `counted_since` of voters that no earlier run counted.
    """
    async with database.write() as connection:
        await connection.execute(
            update(people).where(people.c.reliability.is_not(None)).values(reliability=None)
        )
        if not reliability:
            return
        statement = insert_into(connection, people)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[people.c.user_id],
                set_={
                    "reliability": statement.excluded.reliability,
                    "counted_since": func.coalesce(people.c.counted_since, statement.excluded.counted_since),
                },
            ),
            [
                {"user_id": voter_id, "reliability": value, "counted_since": as_of}
                for voter_id, value in sorted(reliability.items())
            ],
        )
