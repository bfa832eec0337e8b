"""A transactional outbox of Discord messages: verdicts of runs, nightly digests, notices of failures.

A row is stored before its message is sent, for a verdict when the run starts, and deleted once Discord has
accepted the message, so that outages, restarts and crashes only delay it. Processes that share the database
claim a row before they send it; the process that follows a run renews its claim until the run is over.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, insert, or_, select, update

from storage.backends.retries import retried, retried_if_rolled_back
from storage.database import Database
from storage.schema import announcements

Kind = Literal["verdict", "digest", "notice"]
MAX_ROWS = 500  # rows kept; older ones are dropped, as old notices are not worth reading


@dataclass(frozen=True, slots=True)
class Announcement:
    """A row of the outbox; see the comments in `storage.schema`."""

    id: int
    kind: Kind
    run_trigger: str | None
    run_id: int | None
    sentence: str | None
    figure: str
    guild_id: int | None
    channel_id: int | None
    message_id: int | None
    asker_id: int | None
    interaction_token: str | None
    created_at: datetime
    due_at: datetime
    claimed_until: datetime | None
    attempts: int


@retried_if_rolled_back
async def store(
    database: Database,
    kind: Kind,
    *,
    now: datetime,
    claimed_until: datetime | None = None,
    run_trigger: str | None = None,
    run_id: int | None = None,
    sentence: str | None = None,
    figure: str = "",
    limit: int = MAX_ROWS,
    **place: Any,
) -> Announcement:
    """Store an announcement; `place` holds the columns that say where and to whom it goes."""
    async with database.write() as connection:
        stored = await connection.execute(
            insert(announcements).returning(announcements),
            {
                "id": secrets.randbits(62),
                "kind": kind,
                "run_trigger": run_trigger,
                "run_id": run_id,
                "sentence": sentence,
                "figure": figure,
                "created_at": now,
                "due_at": now,
                "claimed_until": claimed_until,
                "attempts": 0,
                **place,
            },
        )
        announcement = Announcement(**stored.one()._mapping)
        newest = select(announcements.c.id).order_by(announcements.c.created_at.desc()).limit(limit)
        await connection.execute(
            delete(announcements).where(
                announcements.c.id.not_in(newest), announcements.c.sentence.is_not(None)
            )
        )
    return announcement


@retried
async def change(database: Database, announcement_id: int, /, **columns: Any) -> bool:
    """Update columns such as `run_id`, `sentence` or `message_id`. False: the row is gone."""
    async with database.write() as connection:
        result = await connection.execute(
            update(announcements).where(announcements.c.id == announcement_id).values(**columns)
        )
    return result.rowcount == 1


@retried
async def due(database: Database, now: datetime, *, limit: int = 20) -> list[Announcement]:
    """Return unclaimed announcements whose next attempt is due, oldest first."""
    statement = (
        select(announcements)
        .where(announcements.c.due_at <= now, _is_free(now))
        .order_by(announcements.c.created_at)
        .limit(limit)
    )
    async with database.read() as connection:
        return [Announcement(**row._mapping) for row in await connection.execute(statement)]


@retried_if_rolled_back
async def claim(
    database: Database, announcement_id: int, *, now: datetime, until: datetime
) -> Announcement | None:
    """Claim an announcement until a time. None: another process has claimed it, or it is gone."""
    statement = (
        update(announcements)
        .where(announcements.c.id == announcement_id, _is_free(now))
        .values(claimed_until=until)
        .returning(announcements)
    )
    async with database.write() as connection:
        row = (await connection.execute(statement)).first()
    return None if row is None else Announcement(**row._mapping)


@retried
async def reschedule(database: Database, announcement_id: int, due_at: datetime, *, attempts: int) -> None:
    """Release the claim and set when any process may try again."""
    await change(database, announcement_id, due_at=due_at, claimed_until=None, attempts=attempts)


@retried
async def delete_announcement(database: Database, announcement_id: int) -> None:
    """Delete an announcement that was sent or is obsolete."""
    async with database.write() as connection:
        await connection.execute(delete(announcements).where(announcements.c.id == announcement_id))


@retried
async def retry_all(database: Database, now: datetime) -> None:
    """Make all announcements due now, after Discord was unreachable."""
    async with database.write() as connection:
        await connection.execute(update(announcements).where(announcements.c.due_at > now).values(due_at=now))


@retried
async def release_claims(database: Database) -> None:
    """Release all claims; call it only where no other process can hold one."""
    async with database.write() as connection:
        await connection.execute(
            update(announcements).where(announcements.c.claimed_until.is_not(None)).values(claimed_until=None)
        )


@retried
async def next_due_at(database: Database) -> datetime | None:
    """Return when the next attempt is due or the next claim ends; None if the outbox is empty."""
    async with database.read() as connection:
        rows = await connection.execute(select(announcements.c.due_at, announcements.c.claimed_until))
        return min((max(due_at, until or due_at) for due_at, until in rows), default=None)


@retried
async def announced_runs(database: Database) -> set[int]:
    """Return the ids of runs that have an announcement."""
    async with database.read() as connection:
        found = await connection.execute(
            select(announcements.c.run_id).where(announcements.c.run_id.is_not(None))
        )
        return set(found.scalars())


@retried
async def count(database: Database) -> int:
    """Return the number of announcements."""
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(announcements)) or 0


def _is_free(now: datetime) -> Any:
    return or_(announcements.c.claimed_until.is_(None), announcements.c.claimed_until <= now)
