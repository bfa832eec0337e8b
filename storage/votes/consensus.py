"""Votes on a query, all votes that stand, and the reliability of voters."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ColumnElement, Select, bindparam, func, not_, or_, select, update

from storage.backends.postgres import insert_into
from storage.backends.retries import retried
from storage.database import Database
from storage.people.personal_data import Kind
from storage.schema import people, predictions, votes
from storage.votes.predictions import DEFAULT_WEIGHT
from storage.votes.standing import OLDEST_FIRST, VOTE_COLUMNS, Value, Vote, is_opted_in, standing_rank

CHUNK_ROWS = 5_000
MOST_RECENT = 20_000  # votes that `has_agreed_words` reads, in about 0.1 s


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


@dataclass(frozen=True, slots=True)
class StandingVote:
    """One person's standing vote on a word of a query."""

    query_hash: str
    mask_index: int
    word: str
    voter_id: int
    value: Value
    cast_at: datetime
    weight: float


async def all_standing_votes(database: Database) -> AsyncIterator[Sequence[StandingVote]]:
    """Yield the standing votes of all people who did not opt out, in chunks."""
    names = ("mask_index", "word", "voter_id", "value", "cast_at", "weight")
    ranked = (
        select(
            predictions.c.query_hash,
            *(votes.c[name] for name in names),
            standing_rank(predictions.c.query_hash).label("rank"),
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(is_opted_in(votes.c.voter_id))
        .subquery()
    )
    statement = select(*(ranked.c[name] for name in StandingVote.__slots__)).where(ranked.c.rank == 1)
    async with database.read() as connection:
        result = await connection.stream(statement)
        async for rows in result.partitions(CHUNK_ROWS):
            yield [StandingVote(*row) for row in rows]


async def has_agreed_words(database: Database, count: int, *, min_voters: int, min_margin: float) -> bool:
    """Whether the latest votes that count judge at least `count` words, as a run does.

    Reliabilities are taken as equal, and all ages, so that the database can tell.

    Args:
        database: The database.
        count: How many words.
        min_voters: How many people must have voted on a word; an imported source is enough.
        min_margin: |up − down| / (up + down) below which the votes on a word cancel out.
    """
    latest = (
        select(*votes.c)
        .where(is_opted_in(votes.c.voter_id), votes.c.weight > 0)
        .order_by(votes.c.cast_at.desc())
        .limit(MOST_RECENT)
        .subquery()
    )
    voters = func.count(latest.c.voter_id.distinct())
    agreed = (
        select(predictions.c.query_hash)
        .join(latest, latest.c.prediction_id == predictions.c.id)
        .where(not_(_is_private()))
        .group_by(predictions.c.query_hash, latest.c.mask_index, latest.c.word)
        .having(
            or_(voters >= min_voters, func.min(latest.c.voter_id) < 0),  # sources have negative ids
            func.abs(func.sum(latest.c.value * latest.c.weight)) >= min_margin * func.sum(latest.c.weight),
        )
        .limit(count)
        .subquery()
    )
    return int(await database.fetch_value(select(func.count()).select_from(agreed))) >= count


async def private_hashes(database: Database) -> set[str]:
    """Return the hashes of queries from which personal data was removed."""
    statement = select(predictions.c.query_hash).where(_is_private()).distinct()
    return {row.query_hash for row in await database.fetch(statement)}


def _is_private() -> ColumnElement[bool]:
    return or_(*(predictions.c.query.contains(f"[{kind}]", autoescape=True) for kind in get_args(Kind)))
