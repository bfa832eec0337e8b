"""Tombstones of forgotten people, so that their thumbs are not read back from Discord.

Thumbs stay in Discord after their votes were deleted. A tombstone holds a fingerprint of the user id, and is
deleted when the person's replies are too old to be read back.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from storage.database import Database
from storage.schema import forgotten


def fingerprint(user_id: int) -> str:
    """Hash a user id to 32 hexadecimal digits; only trying ids can reverse it."""
    return hashlib.blake2b(str(user_id).encode(), digest_size=16, person=b"forgotten").hexdigest()


def write_tombstone(connection: Connection, user_id: int, forgotten_at: datetime) -> None:
    """Store that thumbs on replies from before a time must not count; replaces an earlier tombstone."""
    person = fingerprint(user_id)
    connection.execute(delete(forgotten).where(forgotten.c.person == person))
    connection.execute(forgotten.insert().values(person=person, forgotten_at=forgotten_at))


def read_tombstones(connection: Connection) -> dict[str, datetime]:
    """Return fingerprint → when the person was forgotten."""
    return {row.person: row.forgotten_at for row in connection.execute(select(forgotten))}


def has_tombstone(people: Mapping[str, datetime], user_id: int, created_at: datetime) -> bool:
    """Whether a person was forgotten after a reply was made."""
    forgotten_at = people.get(fingerprint(user_id))
    return forgotten_at is not None and created_at <= forgotten_at


async def delete_tombstones(database: Database, before: datetime) -> None:
    """Delete the tombstones of people who were forgotten before a time."""
    await database.execute(delete(forgotten).where(forgotten.c.forgotten_at < before))


async def last_forgotten_at(database: Database) -> datetime | None:
    """Return the time of the newest tombstone; None if there are no tombstones."""
    found: datetime | None = await database.fetch_value(select(func.max(forgotten.c.forgotten_at)))
    return found
