"""A transactional outbox of Discord messages: verdicts of runs, nightly digests, notices of failures.

A row is stored before its message is sent, for a verdict when the run starts, and deleted once Discord has
accepted the message, so that outages, restarts and crashes only delay it. Processes that share the database
claim a row before they send it; the process that follows a run renews its claim until the run is over.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, insert, or_, select, update

from storage.backends.retries import retried_if_rolled_back
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
    database: Database, kind: Kind, *, now: datetime, limit: int = MAX_ROWS, **columns: Any
) -> Announcement:
    """Store an announcement; `columns` are those that say what it is about and to whom it goes."""
    row = {
        "id": secrets.randbits(62),
        "kind": kind,
        "created_at": now,
        "due_at": now,
        "figure": "",
        "attempts": 0,
        **columns,
    }
    newest = select(announcements.c.id).order_by(announcements.c.created_at.desc()).limit(limit)
    async with database.write() as connection:
        stored = await connection.execute(insert(announcements).returning(announcements), row)
        announcement = Announcement(**stored.one()._mapping)
        await connection.execute(
            delete(announcements).where(
                announcements.c.id.not_in(newest), announcements.c.sentence.is_not(None)
            )
        )
    return announcement


async def change(database: Database, announcement_id: int, /, **columns: Any) -> bool:
    """Update columns such as `run_id`, `sentence` or `message_id`. False: the row is gone."""
    statement = update(announcements).where(announcements.c.id == announcement_id).values(**columns)
    return await database.execute(statement) == 1


async def due(database: Database, now: datetime, *, limit: int = 20) -> list[Announcement]:
    """Return unclaimed announcements whose next attempt is due, oldest first."""
    query = (
        select(announcements)
        .where(announcements.c.due_at <= now, _is_free(now))
        .order_by(announcements.c.created_at)
        .limit(limit)
    )
    return [Announcement(**row._mapping) for row in await database.fetch(query)]


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


async def delete_announcement(database: Database, announcement_id: int) -> None:
    """Delete an announcement that was sent or is obsolete."""
    await database.execute(delete(announcements).where(announcements.c.id == announcement_id))


async def retry_all(database: Database, now: datetime) -> None:
    """Make all announcements due now, after Discord was unreachable."""
    await database.execute(update(announcements).where(announcements.c.due_at > now).values(due_at=now))


async def release_claims(database: Database) -> None:
    """Release all claims; call it only where no other process can hold one."""
    is_claimed = announcements.c.claimed_until.is_not(None)
    await database.execute(update(announcements).where(is_claimed).values(claimed_until=None))


async def next_due_at(database: Database) -> datetime | None:
    """Return when the next attempt is due or the next claim ends; None if the outbox is empty."""
    rows = await database.fetch(select(announcements.c.due_at, announcements.c.claimed_until))
    return min((max(due_at, until or due_at) for due_at, until in rows), default=None)


async def announced_runs(database: Database) -> set[int]:
    """Return the ids of runs that have an announcement."""
    query = select(announcements.c.run_id).where(announcements.c.run_id.is_not(None))
    return {row.run_id for row in await database.fetch(query)}


def _is_free(now: datetime) -> Any:
    return or_(announcements.c.claimed_until.is_(None), announcements.c.claimed_until <= now)
