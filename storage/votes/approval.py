"""Approval: the votes on the words that a model version offered, and the number of votes in a period."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select

from storage.database import Database
from storage.runs import POINTER_MOVES
from storage.schema import candidates, predictions, runs, votes
from storage.votes.standing import VOTE_COLUMNS, Value, is_opted_in, standing_rank

UP: ColumnElement[int] = func.sum((votes.c.value > 0).cast(votes.c.value.type))
DOWN: ColumnElement[int] = func.sum((votes.c.value < 0).cast(votes.c.value.type))


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of votes, of 👍 among them, and of voters."""

    votes: int
    liked: int
    voters: int


@dataclass(frozen=True, slots=True)
class CountedVote:
    """A standing vote on a word that a model version offered."""

    query_hash: str
    mask_index: int
    voter_id: int
    value: Value
    cast_at: datetime


async def votes_on_version(
    database: Database,
    version: str,
    *,
    limit: int,
    newest: bool = False,
    until: datetime | None = None,
) -> list[CountedVote]:
    """Return the standing votes on a version's own words, oldest first.

    Suggested words that the version did not offer are left out, and so are replies that votes had adjusted or
    that two versions gave together.

    Args:
        database: The database to read.
        version: The model version.
        limit: The maximum number of votes.
        newest: Whether to return the newest `limit` votes instead of the oldest.
        until: Only count votes cast up to then.
    """
    of_reply = candidates.c.prediction_id == votes.c.prediction_id
    of_mask = candidates.c.mask_index == votes.c.mask_index
    own = (
        select(
            predictions.c.query_hash,
            *VOTE_COLUMNS,
            standing_rank(predictions.c.query_hash).label("rank"),
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(
            predictions.c.model_version == version,
            is_opted_in(votes.c.voter_id),
            exists().where(of_reply, of_mask, candidates.c.word == votes.c.word),
            ~exists().where(of_reply, candidates.c.adjusted | candidates.c.model_version.is_not(None)),
        )
    )
    if until is not None:
        own = own.where(votes.c.cast_at <= until)
    counted = own.subquery()
    order = [counted.c[name] for name in ("cast_at", "prediction_id", "mask_index", "word", "voter_id")]
    statement = (
        select(*(counted.c[name] for name in CountedVote.__slots__))
        .where(counted.c.rank == 1)
        .order_by(*([column.desc() for column in order] if newest else order))
        .limit(limit)
    )
    found = [CountedVote(*row) for row in await database.fetch(statement)]
    return found[::-1] if newest else found


async def promoted_at(database: Database, version: str) -> datetime | None:
    """Return when a run promoted a version; None if none did, or if it was later promoted without a run."""
    statement = (
        select(runs.c.trigger, runs.c.finished_at)
        .where(runs.c.challenger == version, runs.c.status.in_(("promoted", "done")))
        .order_by(runs.c.id.desc())
        .limit(1)
    )
    row = await database.fetch_first(statement)
    return None if row is None or row.trigger in POINTER_MOVES else row.finished_at


async def totals(database: Database, *, since: datetime, until: datetime | None = None) -> Totals:
    """Count the votes cast after `since` and up to `until`."""
    statement = counted_since(since, func.count(), UP, func.count(votes.c.voter_id.distinct()))
    if until is not None:
        statement = statement.where(votes.c.cast_at <= until)
    ((count, liked, voters),) = await database.fetch(statement)
    return Totals(count, liked or 0, voters)


def counted_since(since: datetime, *columns: Any) -> Select[Any]:
    """Select columns of the votes after `since` that count."""
    # The sum keeps SQLite from taking the index of voters, by which it would read all votes.
    is_person = votes.c.voter_id + 0 >= 0
    return (
        select(*columns)
        .select_from(votes)
        .where(votes.c.cast_at > since, is_opted_in(votes.c.voter_id), is_person)
    )
