"""Erase a person's data from the database and from its copies on this machine.

Erased are the person's votes, their row in `people` except for an opt-out, and the predictions of queries
that they asked or wrote and no other known person asked on a server in their own words, with the candidates
and votes of others on them, also in quizzes: a vote means nothing without its text. Predictions of queries
that others asked as well, and of the quiz's own sentences, stay without the person's id, so that the votes of
others still count. A tombstone stays while thumbs can be read back.

A request is a row in `forgettings` until it is complete. After a crash it is repeated, which is idempotent.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from storage.backends.postgres import ERASE_LOCK, VOTE_LOCK, insert_into, lock
from storage.backends.retries import retried
from storage.backends.urls import sqlite_url
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.maintenance.backups import open_sqlite
from storage.people.privacy import decided_by, is_of, read_summary
from storage.people.tombstones import write_tombstone
from storage.schema import announcements, forgettings, people, predictions, runs, undone_thumbs, votes

SQLITE_HEADER = b"SQLite format 3\x00"
# Without the first, two erasures could each keep a query for the other's person.
ERASING = (ERASE_LOCK, VOTE_LOCK)
MAX_PARAMETERS = 30_000  # parameters of a statement; SQLite allows 32,766
# Parts of a run's report that are lists of entries with a query.
WITH_QUERIES = ("changes", "wrong_way")
# Parts of a run's report that show the effects of votes, with their empty values.
VOTE_EFFECTS: dict[str, Any] = {"changes": [], "moved_words": None, "wrong_way": []}


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
        unnamed: Predictions that stay without the person's id.
        others_votes: Votes of others on deleted predictions.
        reports: Reports of runs that contained deleted queries.
        decisions: Decisions of the person as an admin, which stay without their id.
    """

    votes: int = 0
    queries: int = 0
    unnamed: int = 0
    others_votes: int = 0
    reports: int = 0
    decisions: int = 0


@retried
async def request(database: Database, user_id: int, *, now: datetime) -> Request:
    """Store an erasure request and return it; an existing one stays unchanged."""
    async with database.write() as connection:
        since = (await read_summary(connection, user_id)).counted_since
        await connection.execute(
            insert_into(connection, forgettings)
            .values(user_id=user_id, asked_at=now, counted_since=since)
            .on_conflict_do_nothing(index_elements=[forgettings.c.user_id])
        )
        mine = select(forgettings).where(forgettings.c.user_id == user_id)
        return Request(**(await connection.execute(mine)).one()._mapping)


async def requests(database: Database) -> list[Request]:
    """Return the open requests, oldest first."""
    statement = select(forgettings).order_by(forgettings.c.asked_at, forgettings.c.user_id)
    return [Request(*row) for row in await database.fetch(statement)]


async def close_request(database: Database, user_id: int) -> None:
    """Delete a completed request."""
    await database.execute(delete(forgettings).where(forgettings.c.user_id == user_id))


@retried
async def preview(database: Database, user_id: int) -> Erased:
    """Return what `erase_person` would erase, without changing anything."""
    async with database.write() as connection:
        await lock(connection, *ERASING)
        found = await connection.run_sync(erase, user_id, since=None)
        await connection.rollback()
    return found


@retried
async def erase_person(database: Database, user_id: int, *, since: datetime | None, now: datetime) -> Erased:
    """Erase a person's data and write a tombstone, in one idempotent transaction."""
    async with database.write() as connection:
        await lock(connection, *ERASING)
        erased = await connection.run_sync(erase, user_id, since=since)
        await connection.run_sync(write_tombstone, user_id, now)
    return erased


async def erase_in_file(path: Path, user_id: int, *, since: datetime | None, now: datetime) -> Erased | None:
    """Erase a person's data from a copy of the database, which is migrated first.

    The file is rewritten afterwards, so that no free page holds erased data.

    Returns:
        What was erased; None if the file is not a database of fillbot.

    Raises:
        StorageError: The file is damaged, cannot be read or written, or is of a newer version of fillbot.
    """
    try:
        if not await asyncio.to_thread(_is_database, path):
            return None
        database = await Database.open(sqlite_url(path))
        try:
            erased = await erase_person(database, user_id, since=since, now=now)
            await close_request(database, user_id)
            await database.compact()
        finally:
            await database.close()
        await asyncio.to_thread(_leave_wal, path)
    except (sqlite3.Error, OSError) as error:
        raise DatabaseUnavailableError(str(path), str(error)) from error
    return erased


def _is_database(path: Path) -> bool:
    """Whether a file is a database of fillbot."""
    with path.open("rb") as file:
        if file.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
            return False
    with open_sqlite(path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return {"predictions", "votes"} <= names


def _leave_wal(path: Path) -> None:
    """Leave WAL mode, in which a backup could not be read from a read-only medium."""
    with open_sqlite(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def erase(connection: Connection, user_id: int, *, since: datetime | None) -> Erased:
    """Erase a person's data in a transaction.

    Reports of runs since `since` lose the effects of votes, as those may be the person's.
    """
    own_votes = connection.execute(delete(votes).where(votes.c.voter_id == user_id)).rowcount
    connection.execute(delete(undone_thumbs).where(undone_thumbs.c.voter_id == user_id))
    gone = list(connection.execute(_orphaned_predictions(user_id)).scalars())
    mine = is_of(user_id)
    asked = connection.execute(select(func.count()).where(mine)).scalar_one()
    others_votes = 0
    for ids in _batches(gone):
        others_votes += connection.execute(delete(votes).where(votes.c.prediction_id.in_(ids))).rowcount
        connection.execute(delete(predictions).where(predictions.c.id.in_(ids)))
    unnamed = connection.execute(select(func.count()).where(mine)).scalar_one()
    for column in (predictions.c.asker_id, predictions.c.author_id):
        connection.execute(update(predictions).where(column == user_id).values({column: None}))
    # An opt-out stays.
    person = people.c.user_id == user_id
    connection.execute(delete(people).where(person, people.c.opted_out_at.is_(None)))
    connection.execute(update(people).where(person).values(reliability=None, counted_since=None))
    # The channel of a direct message identifies the person.
    announced = announcements.c.asker_id == user_id
    connection.execute(delete(announcements).where(announced, announcements.c.guild_id.is_(None)))
    connection.execute(update(announcements).where(announced).values(asker_id=None, interaction_token=None))
    reports = drop_orphaned_queries(connection, since=since)
    decisions = _unname_decisions(connection, user_id)
    return Erased(own_votes, asked - unnamed, unnamed, others_votes, reports, decisions)


def _unname_decisions(connection: Connection, user_id: int) -> int:
    """Remove a person from the records of what they decided as an admin. Returns how many."""
    decisions = connection.execute(select(runs.c.id, runs.c.report).where(decided_by(user_id))).all()
    for run_id, report in decisions:
        connection.execute(update(runs).where(runs.c.id == run_id).values(report={**report, "by": None}))
    return len(decisions)


def drop_orphaned_queries(connection: Connection, *, since: datetime | None = None) -> int:
    """Remove queries without predictions from the reports of runs. Returns how many reports changed.

    Reports since `since` also lose the effects of votes and the words that were used more.
    """
    rows = connection.execute(select(runs.c.id, runs.c.as_of, runs.c.report)).all()
    reports = [(run_id, as_of, report) for run_id, as_of, report in rows if isinstance(report, dict)]
    # All at once, as it takes a scan of all predictions: their texts are not indexed.
    queries = (
        entry["query"] for *_, report in reports for part in WITH_QUERIES for entry in report.get(part, [])
    )
    lost = orphaned_of(connection, set(queries))
    changed = 0
    for run_id, as_of, report in reports:
        kept = dict(report)
        for part in WITH_QUERIES:
            if part in report:
                kept[part] = [entry for entry in report[part] if entry["query"] not in lost]
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


def _orphaned_predictions(user_id: int) -> Select[Any]:
    """Select the predictions to delete: those of queries that no other known person asked on a server.

    Quiz items do not count as asking. They are deleted with the question that they were made of, which is
    older; the quiz's own sentences were asked by no person. Neither does asking with the person's own text.
    """
    other, own = predictions.alias(), predictions.alias()
    shared = exists().where(
        other.c.query_hash == predictions.c.query_hash,
        other.c.asker_id != user_id,
        func.coalesce(other.c.author_id, 0) != user_id,
        other.c.guild_id.is_not(None),
        other.c.quiz_at.is_(None),
    )
    asked = predictions.c.query_hash.in_(
        select(own.c.query_hash).where(is_of(user_id, own), own.c.quiz_at.is_(None))
    )
    is_quizzed = exists().where(
        other.c.query_hash == predictions.c.query_hash,
        or_(is_of(user_id, other), other.c.asker_id.is_(None)),
        other.c.guild_id.is_not(None),
        other.c.quiz_at.is_(None),
        other.c.id < predictions.c.id,
    )
    is_question = predictions.c.quiz_at.is_(None)
    return select(predictions.c.id).where(
        or_(
            # The channel of a direct message identifies the asker.
            and_(is_of(user_id), predictions.c.guild_id.is_(None)),
            and_(is_of(user_id), is_question, ~shared),
            # Of people erased before: this person was the last known one who asked it.
            and_(predictions.c.asker_id.is_(None), is_question, asked, ~shared),
            and_(~is_question, asked, is_quizzed, ~shared),
        )
    )


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), MAX_PARAMETERS):
        yield items[start : start + MAX_PARAMETERS]
