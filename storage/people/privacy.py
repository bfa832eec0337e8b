"""Opting out, and access to the data stored about a person."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import insert_into
from storage.backends.retries import retried
from storage.database import Database
from storage.runs import DECISIONS, by_member
from storage.schema import announcements, people, predictions, runs, undone_thumbs, votes
from storage.votes.standing import opted_out_at

CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """What is stored about a person, in numbers.

    Attributes:
        votes: The number of stored votes.
        queries: The number of predictions that they asked or whose text they wrote.
        opted_out_at: When they opted out; None if their votes count.
        reliability: Estimated by the last run, in [0, 1]; None if unknown.
        counted_since: The `as_of` of the first run that counted their votes; None if none did.
    """

    votes: int
    queries: int
    opted_out_at: datetime | None
    reliability: float | None
    counted_since: datetime | None


def is_of(user_id: int, of: FromClause = predictions) -> ColumnElement[bool]:
    """Whether a person asked a prediction or wrote its text."""
    return or_(of.c.asker_id == user_id, of.c.author_id == user_id)


@retried
async def summarize(database: Database, user_id: int) -> PersonSummary:
    """Summarize what is stored about a person."""
    async with database.read() as connection:
        return await read_summary(connection, user_id)


async def read_summary(connection: AsyncConnection, user_id: int) -> PersonSummary:
    """Summarize what is stored about a person, in a transaction."""
    of_votes = select(func.count(), func.min(votes.c.cast_at)).where(votes.c.voter_id == user_id)
    of_queries = select(func.count()).where(is_of(user_id))
    vote_count, first_at = (await connection.execute(of_votes)).one()
    asked = (await connection.execute(of_queries)).scalar_one()
    row = (await connection.execute(select(people).where(people.c.user_id == user_id))).first()
    out = row.opted_out_at if row else None
    counted = row.counted_since if row else None
    # Runs store `counted_since`. After restoring a backup it may be missing, so the oldest vote counts too,
    # unless the person had opted out before it.
    cast = None if first_at is None or (out is not None and out <= first_at) else first_at
    since = min((time for time in (counted, cast) if time is not None), default=None)
    return PersonSummary(vote_count, asked, out, row.reliability if row else None, since)


@retried
async def opt_out(database: Database, user_id: int, *, now: datetime) -> bool:
    """Exclude a person's votes. False: they had opted out already."""
    async with database.write() as connection:
        result = await connection.execute(
            insert_into(connection, people)
            .values(user_id=user_id, opted_out_at=now)
            .on_conflict_do_update(
                index_elements=[people.c.user_id],
                set_={"opted_out_at": now},
                where=people.c.opted_out_at.is_(None),
            )
        )
    return result.rowcount > 0


async def opt_in(database: Database, user_id: int) -> bool:
    """Count a person's votes again, including those cast meanwhile. False: they had not opted out."""
    out = (people.c.user_id == user_id) & people.c.opted_out_at.is_not(None)
    return await database.execute(update(people).where(out).values(opted_out_at=None)) > 0


async def is_opted_out(database: Database, user_id: int) -> bool:
    """Whether a person's votes do not count."""
    return await database.fetch_value(opted_out_at(user_id)) is not None


def votes_of(database: Database, user_id: int) -> AsyncIterator[dict[str, Any]]:
    """Return a person's votes with their queries, newest first."""
    statement = (
        select(
            predictions.c.query,
            votes.c.mask_index,
            votes.c.word,
            votes.c.value,
            votes.c.via,
            votes.c.thumbs,
            votes.c.cast_at,
            votes.c.weight,
            votes.c.reason,
            predictions.c.model_version,
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(votes.c.voter_id == user_id)
        .order_by(votes.c.cast_at.desc(), votes.c.prediction_id.desc(), votes.c.mask_index, votes.c.word)
    )
    return _rows(database, statement)


def queries_of(database: Database, user_id: int) -> AsyncIterator[dict[str, Any]]:
    """Return a person's predictions, newest first."""
    statement = (
        select(
            predictions.c.query,
            predictions.c.created_at,
            predictions.c.model_version,
            predictions.c.guild_id,
            predictions.c.channel_id,
            predictions.c.message_id,
            func.coalesce(predictions.c.asker_id == user_id, false()).label("asked_by_you"),
            func.coalesce(predictions.c.author_id == user_id, predictions.c.asker_id == user_id).label(
                "written_by_you"
            ),
        )
        .where(is_of(user_id))
        .order_by(predictions.c.id.desc())
    )
    return _rows(database, statement)


async def announcements_for(database: Database, user_id: int) -> list[dict[str, Any]]:
    """Return the pending announcements for a person, oldest first."""
    wanted = ("kind", "run_trigger", "run_id", "sentence", "figure", "guild_id", "channel_id", "message_id")
    statement = (
        select(*(announcements.c[name] for name in (*wanted, "created_at", "due_at")))
        .where(announcements.c.asker_id == user_id)
        .order_by(announcements.c.created_at, announcements.c.id)
    )
    return [dict(row._mapping) for row in await database.fetch(statement)]


async def undone_thumbs_of(database: Database, user_id: int) -> list[dict[str, Any]]:
    """Return the thumbs that a person took back with a command, newest first."""
    statement = (
        select(predictions.c.query, undone_thumbs.c.thumbs, undone_thumbs.c.undone_at)
        .join(predictions, predictions.c.id == undone_thumbs.c.prediction_id)
        .where(undone_thumbs.c.voter_id == user_id)
        .order_by(undone_thumbs.c.undone_at.desc(), undone_thumbs.c.prediction_id)
    )
    return [dict(row._mapping) for row in await database.fetch(statement)]


def decided_by(user_id: int) -> ColumnElement[bool]:
    """Whether a row of the audit trail records what a person decided as an admin."""
    is_theirs: ColumnElement[bool] = runs.c.report["by"].as_string() == by_member(user_id)
    return runs.c.trigger.in_(DECISIONS) & is_theirs


async def decisions_of(database: Database, user_id: int) -> list[dict[str, Any]]:
    """Return what a person decided as an admin, newest first."""
    names = ("id", "trigger", "finished_at", "champion", "challenger", "report")
    statement = select(*(runs.c[name] for name in names)).where(decided_by(user_id))
    return [dict(row._mapping) for row in await database.fetch(statement.order_by(runs.c.id.desc()))]


async def runs_since(database: Database, since: datetime) -> list[dict[str, Any]]:
    """Return the runs that read votes at `since` or later, oldest first, including cancelled ones."""
    statement = (
        select(runs.c.id, runs.c.as_of, runs.c.status, runs.c.challenger)
        .where(runs.c.as_of >= since, runs.c.trigger.not_in((*DECISIONS, "domain")))
        .order_by(runs.c.id)
    )
    return [dict(row._mapping) for row in await database.fetch(statement)]


async def _rows(database: Database, statement: Select[Any]) -> AsyncIterator[dict[str, Any]]:
    async with database.read() as connection:
        result = await connection.stream(statement.execution_options(yield_per=CHUNK_ROWS))
        async for row in result.mappings():
            yield dict(row)
