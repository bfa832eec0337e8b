"""Copy a live SQLite database to PostgreSQL in repeatable passes.

Each pass reads one snapshot in ranges of keys. A range with the same number of rows and checksum on both
sides is skipped; any other is synchronized in one transaction. A killed pass therefore resumes quickly, and
a second pass transfers only what changed since the first. A table `copying` in the target identifies the
source. While it exists, no bot opens the target, unless the last pass was made while no bot could write to
the source.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import String, Table

from storage.backends.postgres import COPY_LOCK
from storage.errors import CopyError
from storage.maintenance.backups import open_sqlite
from storage.maintenance.checksums import Digest, columns_of, digest, digest_in_postgres, values_for
from storage.schema import metadata

ROWS = 20_000  # approximate size of a range: it holds all rows of its keys
CLOSE_TIMEOUT_S = 5.0
ORDER = [table.name for table in metadata.sorted_tables]  # referenced tables first
Progress = Callable[[str, int, int], None]  # (table, rows done, rows in total)
MARKER = (
    "CREATE TABLE IF NOT EXISTS copying "
    "(source bigint NOT NULL, is_complete boolean NOT NULL, is_final boolean NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class TableCopy:
    """A table after a pass: digests of source and target, and the number of ranges written."""

    table: str
    source: Digest
    target: Digest
    written: int


async def copy(source: Path, url: str, *, is_final: bool, progress: Progress) -> list[TableCopy]:
    """Synchronize the target, which must be migrated, with a snapshot of the source.

    Args:
        source: The SQLite file; a bot can write to it meanwhile.
        url: The URL of the target, as in `FILLBOT_DATABASE_URL`.
        is_final: Whether no process writes to the source any more.
        progress: Called after each range.

    Raises:
        CopyError: The source has another schema version, or the target contains other data.
    """
    import asyncpg

    try:
        target = await asyncpg.connect(url.replace("+asyncpg", "", 1), server_settings={"timezone": "UTC"})
    except (OSError, asyncpg.PostgresError) as error:
        raise CopyError(str(error)) from error
    try:
        with _snapshot(source) as connection:
            await _claim(target, connection)
            tables = [metadata.tables[name] for name in ORDER]
            copied = [await _table(connection, target, table, progress=progress) for table in tables]
            await _set_sequences(target)
            is_same = all(one.source == one.target for one in copied)
            await target.execute(
                "UPDATE copying SET is_complete = $1, is_final = $2", is_same, is_same and is_final
            )
    except (OSError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CopyError(str(error).splitlines()[0]) from error
    finally:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await target.close(timeout=CLOSE_TIMEOUT_S)
    return copied


@contextlib.contextmanager
def _snapshot(source: Path) -> Iterator[sqlite3.Connection]:
    """Open a read transaction on the source for the whole pass."""
    with open_sqlite(source) as connection:
        if not connection.execute("PRAGMA user_version").fetchone()[0]:  # identifies the source
            connection.execute(f"PRAGMA user_version = {secrets.randbelow(2**31 - 1) + 1}")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        yield connection


async def _claim(target: Any, source: sqlite3.Connection) -> None:
    if not await target.fetchval("SELECT pg_try_advisory_lock($1, 0)", COPY_LOCK):
        raise CopyError("another copy to it is running")
    (theirs,) = source.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
    ours = await target.fetchval("SELECT version_num FROM alembic_version")
    if theirs != ours:
        raise CopyError(
            "the source has another schema version: start and stop this version of the bot on it once"
        )
    (identity,) = source.execute("PRAGMA user_version").fetchone()
    async with target.transaction():
        if await target.fetchval("SELECT to_regclass('copying')") is not None:
            if await target.fetchval("SELECT source FROM copying") != identity:
                raise CopyError("the target is a copy of another database")
            await target.execute("UPDATE copying SET is_complete = false, is_final = false")
            return
        for name in ORDER:
            if await target.fetchval(f'SELECT EXISTS (SELECT FROM "{name}")'):  # noqa: S608  of our schema
                raise CopyError("the target contains other data")
        await target.execute(MARKER)
        await target.execute("INSERT INTO copying VALUES ($1, false, false)", identity)


async def _table(source: sqlite3.Connection, target: Any, table: Table, *, progress: Progress) -> TableCopy:
    columns, name = columns_of(table), table.name
    await target.execute(f'CREATE TEMP TABLE "new_{name}" (LIKE "{name}")')
    listed = ", ".join(f'"{column.name}"' for column in columns)
    (total,) = source.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608  of our schema
    whole, written = Digest(0, 0), 0
    for low, high in _ranges(source, table):
        where, arguments = _within(columns[0].name, low, high, "?")
        found = source.execute(f'SELECT {listed} FROM "{name}" WHERE {where}', arguments)  # noqa: S608
        rows = [values_for(columns, row) for row in found]
        ours = digest(columns, rows)
        if await _digest_there(target, table, low, high) != ours:
            await _write(target, table, rows, (low, high))
            written += 1
        whole += ours
        progress(name, whole.rows, total)
    await target.execute(f'DROP TABLE "new_{name}"')
    await target.execute(f'ANALYZE "{name}"')
    return TableCopy(name, whole, await _digest_there(target, table, None, None), written)


def _ranges(source: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, Any]]:
    """Yield half-open ranges (after, up to] of the first key column; None means unbounded."""
    key = columns_of(table)[0].name
    low = None
    while True:
        where, arguments = _within(key, low, None, "?")
        found = source.execute(
            f'SELECT "{key}" FROM "{table.name}" WHERE {where} ORDER BY "{key}" LIMIT 1 OFFSET {ROWS}',  # noqa: S608
            arguments,
        ).fetchone()
        high = found[0] if found else None
        yield low, high
        if high is None:
            return
        low = high


def _within(key: str, low: Any, high: Any, mark: str, collation: str = "") -> tuple[str, list[Any]]:
    bounds = [(sign, value) for sign, value in ((">", low), ("<=", high)) if value is not None]
    terms = [f'"{key}"{collation} {sign} {mark}{place}' for place, (sign, _) in enumerate(bounds, 1)]
    return " AND ".join(terms) or "true", [value for _, value in bounds]


def _there(table: Table, low: Any, high: Any) -> tuple[str, list[Any]]:
    key = columns_of(table)[0]
    return _within(key.name, low, high, "$", ' COLLATE "C"' if key.encoding.of is String else "")


async def _digest_there(target: Any, table: Table, low: Any, high: Any) -> Digest:
    where, arguments = _there(table, low, high)
    statement = digest_in_postgres(columns_of(table))
    row = await target.fetchrow(f'SELECT {statement} FROM "{table.name}" WHERE {where}', *arguments)  # noqa: S608
    return Digest(int(row[0]), int(row[1]))


async def _write(target: Any, table: Table, rows: list[tuple[Any, ...]], bounds: tuple[Any, Any]) -> None:
    """Synchronize a range in one transaction."""
    name, columns = table.name, columns_of(table)
    names = [column.name for column in columns]
    where, arguments = _there(table, *bounds)
    key = [f'"{column.name}"' for column in table.primary_key.columns]
    same = " AND ".join(f"new.{one} = old.{one}" for one in key)
    rest = [f'"{one}" = excluded."{one}"' for one in names if f'"{one}"' not in key]
    change = f"UPDATE SET {', '.join(rest)}" if rest else "NOTHING"
    async with target.transaction():
        await target.execute(f'TRUNCATE "new_{name}"')
        await target.copy_records_to_table(f"new_{name}", records=rows, columns=names)
        await target.execute(
            f'DELETE FROM "{name}" AS old WHERE {where} AND NOT EXISTS '  # noqa: S608  of our schema
            f'(SELECT FROM "new_{name}" AS new WHERE {same})',
            *arguments,
        )
        listed = ", ".join(f'"{one}"' for one in names)
        await target.execute(
            f'INSERT INTO "{name}" ({listed}) SELECT {listed} FROM "new_{name}" '  # noqa: S608
            f"ON CONFLICT ({', '.join(key)}) DO {change}"
        )


async def _set_sequences(target: Any) -> None:
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            sequence = await target.fetchval("SELECT pg_get_serial_sequence($1, $2)", table.name, column.name)
            if sequence is not None:
                await target.execute(
                    f"SELECT setval('{sequence}', coalesce(max(\"{column.name}\"), 1), "  # noqa: S608
                    f'max("{column.name}") IS NOT NULL) FROM "{table.name}"'
                )
