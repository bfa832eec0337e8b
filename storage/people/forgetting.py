"""Erase a person's data from the database and from its copies on this machine.

Erased are the person's votes, their row in `people` except for an opt-out, and the predictions of queries
that no other known person asked on a server, with the candidates and votes of others on them, also in
quizzes: a vote means nothing without its text. Predictions of queries that others asked as well stay without
the asker's id, so that the votes of others still count. A tombstone stays while thumbs can be read back.

A request is a row in `forgettings` until it is complete. After a crash it is repeated, which is idempotent.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    NullPool,
    Select,
    and_,
    create_engine,
    delete,
    event,
    exists,
    false,
    func,
    inspect,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import lock_erasing, lock_votes
from storage.backends.retries import retried
from storage.backends.sqlite import BUSY_TIMEOUT_MS
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.people.privacy import read_summary
from storage.people.tombstones import write_tombstone
from storage.schema import announcements, forgettings, people, predictions, runs, votes

SQLITE_HEADER = b"SQLite format 3\x00"
MAX_PARAMETERS = 30_000  # parameters of a statement; SQLite allows 32,766
# Parts of a run's report that show the effects of votes, with their empty values.
VOTE_EFFECTS: dict[str, Any] = {"changes": [], "moved_words": None}


@dataclass(frozen=True, slots=True)
class Request:
    """An erasure request.

    Model versions made at `counted_since` or later are trained on the person's votes; None: none are.
    """

    user_id: int
    asked_at: datetime
    counted_since: datetime | None


@dataclass(frozen=True, slots=True)
class Erased:
    """Numbers of rows erased from one database.

    Attributes:
        votes: Votes of the person.
        queries: Predictions that were deleted.
        unnamed: Predictions that stay without the asker's id.
        others_votes: Votes of others on deleted predictions.
        reports: Reports of runs that contained deleted queries.
    """

    votes: int = 0
    queries: int = 0
    unnamed: int = 0
    others_votes: int = 0
    reports: int = 0


@retried
async def request(database: Database, user_id: int, *, now: datetime) -> Request:
    """Store an erasure request and return it; an existing one stays unchanged."""
    async with database.write() as connection:
        since = (await read_summary(connection, user_id)).counted_since
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        await connection.execute(
            dialect.insert(forgettings)
            .values(user_id=user_id, asked_at=now, counted_since=since)
            .on_conflict_do_nothing(index_elements=[forgettings.c.user_id])
        )
        mine = select(forgettings).where(forgettings.c.user_id == user_id)
        return Request(**(await connection.execute(mine)).one()._mapping)


@retried
async def requests(database: Database) -> list[Request]:
    """Return the open requests, oldest first."""
    statement = select(forgettings).order_by(forgettings.c.asked_at, forgettings.c.user_id)
    async with database.read() as connection:
        return [Request(**row._mapping) for row in await connection.execute(statement)]


@retried
async def close_request(database: Database, user_id: int) -> None:
    """Delete a completed request."""
    async with database.write() as connection:
        await connection.execute(delete(forgettings).where(forgettings.c.user_id == user_id))


@retried
async def preview(database: Database, user_id: int) -> Erased:
    """Return what `erase_person` would erase, without changing anything."""
    async with database.write() as connection:
        await _begin_erasing(connection)
        found = await connection.run_sync(erase, user_id, since=None)
        await connection.rollback()
    return found


@retried
async def erase_person(database: Database, user_id: int, *, since: datetime | None, now: datetime) -> Erased:
    """Erase a person's data and write a tombstone, in one idempotent transaction."""
    async with database.write() as connection:
        await _begin_erasing(connection)
        erased = await connection.run_sync(erase, user_id, since=since)
        await connection.run_sync(write_tombstone, user_id, now)
    return erased


async def _begin_erasing(connection: AsyncConnection) -> None:
    """Lock out other erasures, which could each keep a query for the other's person, and new votes."""
    await lock_erasing(connection)
    await lock_votes(connection)


def erase_in_file(path: Path, user_id: int, *, since: datetime | None, now: datetime) -> Erased | None:
    """Erase a person's data from a copy of the database, also of an older schema. Blocking.

    The file is rewritten afterwards, so that no free page holds erased data.

    Returns:
        What was erased; None if the file is not a database of fillbot.

    Raises:
        DatabaseUnavailableError: The file is damaged, or cannot be read or written.
    """
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with path.open("rb") as file:
            if file.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
                return None
        with engine.begin() as connection:
            if not {"predictions", "votes"} <= set(inspect(connection).get_table_names()):
                return None
            erased = erase(connection, user_id, since=since, is_copy=True)
            write_tombstone(connection, user_id, now)
        with contextlib.closing(engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM")
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (DBAPIError, sqlite3.Error, OSError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise DatabaseUnavailableError(str(path), reason) from error
    finally:
        engine.dispose()
    return erased


def erase(connection: Connection, user_id: int, *, since: datetime | None, is_copy: bool = False) -> Erased:
    """Erase a person's data in a transaction.

    Args:
        connection: A connection to the database or to a copy.
        user_id: The person.
        since: Reports of runs since then lose the effects of votes, as those may be the person's.
        is_copy: Whether to delete the request as well.
    """
    own_votes = connection.execute(delete(votes).where(votes.c.voter_id == user_id)).rowcount
    gone = list(connection.execute(_orphaned_predictions(user_id, has_quiz=_has_quiz(connection))).scalars())
    mine = predictions.c.asker_id == user_id
    asked = connection.execute(select(func.count()).where(mine)).scalar_one()
    others_votes = 0
    for ids in _batches(gone):
        others_votes += connection.execute(delete(votes).where(votes.c.prediction_id.in_(ids))).rowcount
        connection.execute(delete(predictions).where(predictions.c.id.in_(ids)))
    unnamed = connection.execute(update(predictions).where(mine).values(asker_id=None)).rowcount
    _erase_row(connection, user_id)
    _erase_from_announcements(connection, user_id)
    if is_copy and inspect(connection).has_table("forgettings"):
        connection.execute(delete(forgettings).where(forgettings.c.user_id == user_id))
    reports = drop_orphaned_queries(connection, since=since)
    return Erased(own_votes, asked - unnamed, unnamed, others_votes, reports)


def drop_orphaned_queries(connection: Connection, *, since: datetime | None = None) -> int:
    """Remove queries without predictions from the reports of runs. Returns how many reports changed.

    Reports since `since` also lose the effects of votes and the words that were used more.
    """
    rows = connection.execute(select(runs.c.id, runs.c.as_of, runs.c.report)).all()
    reports = [(run_id, as_of, report) for run_id, as_of, report in rows if isinstance(report, dict)]
    # All at once, as it takes a scan of all predictions: their texts are not indexed.
    lost = orphaned_of(
        connection, {change["query"] for *_, report in reports for change in report.get("changes", [])}
    )
    changed = 0
    for run_id, as_of, report in reports:
        kept = dict(report)
        if "changes" in report:
            kept["changes"] = [change for change in report["changes"] if change["query"] not in lost]
        if since is not None and as_of >= since:
            kept |= {name: empty for name, empty in VOTE_EFFECTS.items() if name in report}
            if "drift" in report:
                kept["drift"] = {**report["drift"], "grew": []}
        if kept != report:
            connection.execute(update(runs).where(runs.c.id == run_id).values(report=kept))
            changed += 1
    return changed


@retried
async def orphaned_queries(database: Database, queries: Collection[str]) -> set[str]:
    """Return the queries that no prediction has."""
    async with database.read() as connection:
        return await connection.run_sync(orphaned_of, queries)


def orphaned_of(connection: Connection, queries: Collection[str]) -> set[str]:
    """Return the queries that no prediction has, in a transaction."""
    lost = set(queries)
    for texts in _batches(sorted(lost)):
        found = connection.execute(select(predictions.c.query).where(predictions.c.query.in_(texts)))
        lost.difference_update(found.scalars())
    return lost


def _orphaned_predictions(user_id: int, *, has_quiz: bool = True) -> Select[Any]:
    """Select the predictions to delete: those of queries that no other known person asked on a server.

    Quiz items do not count as asking and are deleted as well. `has_quiz` is False for older schemas.
    """
    other, own = predictions.alias(), predictions.alias()
    shared = exists().where(
        other.c.query_hash == predictions.c.query_hash,
        other.c.asker_id != user_id,
        other.c.guild_id.is_not(None),
        other.c.quiz_at.is_(None) if has_quiz else true(),
    )
    asked = predictions.c.query_hash.in_(select(own.c.query_hash).where(own.c.asker_id == user_id))
    return select(predictions.c.id).where(
        or_(
            # The channel of a direct message identifies the asker.
            and_(predictions.c.asker_id == user_id, or_(predictions.c.guild_id.is_(None), ~shared)),
            # Of people erased before: this person was the last known one who asked it.
            and_(predictions.c.asker_id.is_(None), asked, ~shared),
            and_(predictions.c.quiz_at.is_not(None), asked, ~shared) if has_quiz else false(),
        )
    )


def _has_quiz(connection: Connection) -> bool:
    return "quiz_at" in {column["name"] for column in inspect(connection).get_columns("predictions")}


def _erase_row(connection: Connection, user_id: int) -> None:
    """Erase a row of `people` except for an opt-out, also in older schemas."""
    row = people.c.user_id == user_id
    connection.execute(delete(people).where(row, people.c.opted_out_at.is_(None)))
    there = {column["name"] for column in inspect(connection).get_columns("people")}
    if known := {"reliability": None, "counted_since": None}.keys() & there:
        connection.execute(update(people).where(row).values(dict.fromkeys(known)))


def _erase_from_announcements(connection: Connection, user_id: int) -> None:
    """Erase the person from announcements; the channel of a direct message identifies them as well."""
    if not inspect(connection).has_table("announcements"):
        return
    mine = announcements.c.asker_id == user_id
    connection.execute(delete(announcements).where(mine, announcements.c.guild_id.is_(None)))
    connection.execute(update(announcements).where(mine).values(asker_id=None, interaction_token=None))


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), MAX_PARAMETERS):
        yield items[start : start + MAX_PARAMETERS]


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
