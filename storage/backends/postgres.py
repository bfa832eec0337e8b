"""What PostgreSQL alone needs: how to connect, what a lost connection looks like, and whose turn it is.

Writers do not queue: each transaction sees what was committed when each of its statements began. Where a
block reads and then writes what follows from that, it takes a turn first, until its transaction ends. On
SQLite, which has one writer at a time, every block has its turn anyway, and these do nothing.
"""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import HalfCopiedError

CONNECT_TIMEOUT_S = 5.0
POOL_SIZE, POOL_OVERFLOW, POOL_TIMEOUT_S = 8, 8, 15.0
# Server-side: sessions of a machine that is gone, and their locks, end within half a minute.
SESSION = {
    "timezone": "UTC",
    "application_name": "fillbot",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
ROLLED_BACK = ("40001", "40P01")  # it could not go beside another transaction; a deadlock
# Shutting down, crashed, starting, idle session ended, too many connections, read-only standby.
UNAVAILABLE = ("57P01", "57P02", "57P03", "57P05", "53300", "25006")
# Kinds of turns: the first number of an advisory lock of two, which those of one number never meet.
MIGRATION_LOCK, VOTE_LOCK, ERASE_LOCK, OWNER_LOCK = 0x66_69_6C_01, 0x66_69_6C_02, 0x66_69_6C_03, 0x66_69_6C_04
OWNER_LOCKS = 1_000  # the server's memory holds some thousands of locks


def engine_options() -> dict[str, Any]:
    """How an engine of PostgreSQL is made."""
    return {
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_OVERFLOW,
        "pool_timeout": POOL_TIMEOUT_S,
        "pool_pre_ping": True,  # a connection that a restart has cut is replaced
        "json_serializer": strict_json,
        "connect_args": {"timeout": CONNECT_TIMEOUT_S, "server_settings": SESSION},
    }


def strict_json(value: Any) -> str:
    """JSON as the standard has it: Python also writes numbers that are none, and PostgreSQL refuses those."""
    text = json.dumps(value)
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(json.loads(text, parse_constant=lambda _: None))


def server_address(url: URL) -> str:
    """Where a server's database is, without who may open it."""
    host = url.host or "localhost"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def is_lost(error: BaseException) -> bool:
    """Whether the server is away or stopped a transaction that may be tried again."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeoutError)
    state = sqlstate(error)
    return error.connection_invalidated or state[:2] == "08" or state in UNAVAILABLE or state in ROLLED_BACK


def is_rolled_back(error: BaseException) -> bool:
    """Whether the server has said that the transaction left nothing."""
    return isinstance(error, DBAPIError) and sqlstate(error) in ROLLED_BACK


def sqlstate(error: DBAPIError) -> str:
    """The SQLSTATE that the server gave; empty where it gave none."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def error_reason(error: BaseException) -> str:
    """In the driver's own words."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    first = str(cause).strip().splitlines()
    return first[0] if first else type(cause).__name__


async def lock_migrations(connection: AsyncConnection) -> None:
    """One process migrates; others wait, and find it done."""
    await _take(connection, MIGRATION_LOCK)


async def accept_copy(connection: AsyncConnection) -> None:
    """After a copy: from now on the database is this one, and no pass of the copy may change it again.

    Raises:
        HalfCopiedError: the last pass was broken off, or made while a bot could write to the source.
    """
    if connection.dialect.name != "postgresql":
        return
    if await connection.scalar(text("SELECT to_regclass('copying')")) is None:
        return
    if not await connection.scalar(text("SELECT is_final FROM copying")):
        raise HalfCopiedError
    await connection.execute(text("DROP TABLE copying"))


async def lock_votes_shared(connection: AsyncConnection, owners: Iterable[object] = ()) -> None:
    """A turn for votes: others go on, but for those of the same owners, and for who votes alone."""
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


async def lock_votes(connection: AsyncConnection) -> None:
    """Nobody else casts, changes or deletes a vote meanwhile: for what deletes whole predictions."""
    await _take(connection, VOTE_LOCK)


async def lock_erasing(connection: AsyncConnection) -> None:
    """Nobody else forgets a person, or looks for queries that nobody asked, meanwhile."""
    await _take(connection, ERASE_LOCK)


async def _take(connection: AsyncConnection, kind: int) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:kind, 0)"), {"kind": kind})
