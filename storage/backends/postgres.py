"""PostgreSQL: connection options, classification of errors, and transaction-level advisory locks.

Writers run in parallel under READ COMMITTED. A transaction that writes what it derives from a read takes an
advisory lock first. SQLite has one writer at a time, so there the lock functions do nothing.
"""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import URL, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import HalfCopiedError

CONNECT_TIMEOUT_S = 5.0
POOL_SIZE, POOL_OVERFLOW, POOL_TIMEOUT_S = 8, 8, 15.0
# With these, the server ends the sessions of a vanished machine, and their locks, within half a minute.
SESSION = {
    "timezone": "UTC",
    "application_name": "fillbot",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
ROLLED_BACK = ("40001", "40P01")  # serialization failure, deadlock
# Shutting down, crashed, starting, idle session ended, too many connections, read-only standby.
UNAVAILABLE = ("57P01", "57P02", "57P03", "57P05", "53300", "25006")
# First of the two keys of an advisory lock. Locks with one 64-bit key have a key space of their own.
MIGRATION_LOCK = 0x66_69_6C_01  # one process migrates at a time
VOTE_LOCK = 0x66_69_6C_02  # exclusive: no other writer of votes, so that whole predictions can be deleted
ERASE_LOCK = 0x66_69_6C_03  # no other erasure or search for orphaned queries
OWNER_LOCK = 0x66_69_6C_04  # no other writer of votes of the same owner; the second key is the owner's hash
COPY_LOCK = 0x66_69_6C_05  # one copy to this database at a time
MODEL_LOCK = 0x66_69_6C_06  # no other change to the shared model versions
OWNER_LOCKS = 1_000  # the server's lock table holds some thousands of locks


def engine_options() -> dict[str, Any]:
    """Return the arguments of `create_async_engine`."""
    return {
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_OVERFLOW,
        "pool_timeout": POOL_TIMEOUT_S,
        "pool_pre_ping": True,  # replaces connections that a server restart closed
        "json_serializer": strict_json,
        "connect_args": {"timeout": CONNECT_TIMEOUT_S, "server_settings": SESSION},
    }


def strict_json(value: Any) -> str:
    """Serialize to standard JSON: PostgreSQL rejects the NaN and Infinity that Python writes."""
    text = json.dumps(value)
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(json.loads(text, parse_constant=lambda _: None))


def server_address(url: URL) -> str:
    """Return host, port and database name, without credentials."""
    host = url.host or "localhost"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def is_lost(error: BaseException) -> bool:
    """Whether the server is unreachable or aborted a transaction that can be retried."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeoutError)
    state = sqlstate(error)
    return error.connection_invalidated or state[:2] == "08" or state in UNAVAILABLE or state in ROLLED_BACK


def is_rolled_back(error: BaseException) -> bool:
    """Whether the server reported that it rolled the transaction back."""
    return isinstance(error, DBAPIError) and sqlstate(error) in ROLLED_BACK


def sqlstate(error: DBAPIError) -> str:
    """Return the server's SQLSTATE, or an empty string."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def error_reason(error: BaseException) -> str:
    """Return the first line of the driver's message."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    first = str(cause).strip().splitlines()
    return first[0] if first else type(cause).__name__


async def accept_copy(connection: AsyncConnection) -> None:
    """Accept a finished copy, so that no further pass of the copy can change this database.

    Raises:
        HalfCopiedError: The last pass was interrupted, or made while a bot could write to the source.
    """
    if connection.dialect.name != "postgresql":
        return
    if await connection.scalar(text("SELECT to_regclass('copying')")) is None:
        return
    if not await connection.scalar(text("SELECT is_final FROM copying")):
        raise HalfCopiedError
    await connection.execute(text("DROP TABLE copying"))


async def lock_votes_shared(connection: AsyncConnection, owners: Iterable[object] = ()) -> None:
    """Block `VOTE_LOCK`, and other writers of votes of the same owners, until the transaction ends."""
    if connection.dialect.name != "postgresql":
        return
    keys = sorted({zlib.crc32(repr(owner).encode()) % OWNER_LOCKS for owner in owners})
    await connection.execute(
        text(
            "SELECT pg_advisory_xact_lock_shared(:voting, 0) UNION ALL "
            "SELECT pg_advisory_xact_lock(:one, key) FROM unnest(CAST(:keys AS int[])) AS key"
        ),
        {"voting": VOTE_LOCK, "one": OWNER_LOCK, "keys": keys},
    )


def insert_into(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT of the connection's dialect, which supports ON CONFLICT."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table)


async def lock(connection: AsyncConnection, *locks: int) -> None:
    """Acquire locks in this order, and hold them until the transaction ends."""
    for key in locks if connection.dialect.name == "postgresql" else ():
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key, 0)"), {"key": key})
