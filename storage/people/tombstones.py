"""Whose thumbs are not to be read back: people who were forgotten, by a fingerprint of their id.

Thumbs go on standing on Discord after their votes were deleted. Without this, the next time that thumbs are
read back would store them again. A fingerprint names nobody by itself, and goes when the replies that it is
about are too old to be read back.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, inspect, select

from storage.backends.retries import retried
from storage.database import Database
from storage.schema import forgotten


def fingerprint(user_id: int) -> str:
    """Of an id: 32 characters that lead back to it only by trying ids."""
    return hashlib.blake2b(str(user_id).encode(), digest_size=16, person=b"forgotten").hexdigest()


def write_tombstone(connection: Connection, user_id: int, forgotten_at: datetime) -> None:
    """Remember that a person was forgotten; nothing in a copy of before this was remembered."""
    if not inspect(connection).has_table("forgotten"):
        return
    person = fingerprint(user_id)
    connection.execute(delete(forgotten).where(forgotten.c.person == person))
    connection.execute(forgotten.insert().values(person=person, forgotten_at=forgotten_at))


def read_tombstones(connection: Connection) -> dict[str, datetime]:
    """When each was forgotten, by fingerprint."""
    return {row.person: row.forgotten_at for row in connection.execute(select(forgotten))}


def has_tombstone(people: Mapping[str, datetime], user_id: int, created_at: datetime) -> bool:
    """Whether a person was forgotten after a reply was made."""
    forgotten_at = people.get(fingerprint(user_id))
    return forgotten_at is not None and created_at <= forgotten_at


@retried
async def delete_tombstones(database: Database, before: datetime) -> None:
    """Forget the fingerprints of people who were forgotten before that."""
    async with database.write() as connection:
        await connection.execute(delete(forgotten).where(forgotten.c.forgotten_at < before))


@retried
async def last_forgotten_at(database: Database) -> datetime | None:
    """When somebody was forgotten last; None where nobody was, or that is too long ago to be remembered."""
    async with database.read() as connection:
        found: datetime | None = await connection.scalar(select(func.max(forgotten.c.forgotten_at)))
        return found
