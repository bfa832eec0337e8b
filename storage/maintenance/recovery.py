"""Recover a damaged database from the newest intact backup and the rows that can still be read.

An intact table is copied as it is. Of a damaged one, the rows before and after the damage are merged into
those of the backup. The damaged file is kept as `fillbot.db.damaged-…`.
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storage.backends.sqlite import is_damage
from storage.errors import BackupError
from storage.maintenance.backups import DAMAGED, back_up, daily, examine, open_sqlite
from storage.maintenance.restore import migrate, new_file_for, replace_database
from storage.sentences import Sentence

# Of columns of other types, the values are text.
TYPES: dict[str, type | tuple[type, ...]] = {
    "INTEGER": int,
    "BIGINT": int,
    "BOOLEAN": int,
    "FLOAT": (int, float),
}


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """The outcome of a recovery.

    Attributes:
        problem: SQLite's description of the damage.
        backup: The backup that was used; None if there was no intact one.
        is_whole: Whether all rows could be read, so that no data was lost.
        kept: Where the damaged file was moved.
    """

    problem: str
    backup: Path | None
    is_whole: bool
    kept: Path | None


async def recover(database: Path, backups: Path, *, now: datetime) -> RecoveryResult | None:
    """Check a database that no process has open, and recover it if it is damaged.

    Returns:
        None if the database is intact, or if there is neither a backup nor a readable row to recover.

    Raises:
        BackupError: The disk is full.
        StorageError: The folder cannot be written.
    """
    if (problem := await asyncio.to_thread(find_damage, database)) is None:
        return None
    with new_file_for(database) as fresh:
        backup = next((file for file in reversed(daily(backups)) if examine(file).problem is None), None)
        if backup is not None:
            back_up(backup, fresh)
        await migrate(fresh)
        rows, is_whole = await asyncio.to_thread(copy_readable_rows, database, fresh)
        if backup is None and not rows:
            return None
        if (left := examine(fresh).problem) is not None:
            raise BackupError(
                Sentence("the recovered database is damaged ({problem})", problem=left),
                Sentence("Check the disk."),
            )
        kept = replace_database(fresh, database, now=now, aside=DAMAGED)
    return RecoveryResult(problem, backup, is_whole, kept)


def find_damage(database: Path) -> str | None:
    """Describe the damage of a file; None if it is intact or missing, or cannot be checked now."""
    if not database.is_file():
        return None
    if database.stat().st_size == 0:
        return "the file is empty"
    try:
        with open_sqlite(database) as connection:
            (first, *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else None
    return None if first[0] == "ok" else str(first[0]).splitlines()[-1]


def copy_readable_rows(damaged: Path, fresh: Path) -> tuple[int, bool]:
    """Copy readable rows into an intact database. Returns their number and whether those are all."""
    count, is_whole = 0, True
    with open_sqlite(fresh) as to, contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(open_sqlite(damaged))
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            return 0, False
        to.execute("PRAGMA foreign_keys = OFF")
        to.execute("BEGIN IMMEDIATE")
        for (table,) in to.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
        ).fetchall():
            read, is_all = _copy_table(source, to, table)
            count, is_whole = count + read, is_whole and is_all
        orphans = [(table, rowid) for table, rowid, *_ in to.execute("PRAGMA foreign_key_check").fetchall()]
        for table, rowid in orphans:
            to.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))  # noqa: S608  of our own schema
        to.execute("COMMIT")
    return count, is_whole and not orphans


def _copy_table(source: sqlite3.Connection, to: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """Copy the rows of a table. Returns their number and whether those are all."""
    is_well, there = False, set()
    with contextlib.suppress(sqlite3.Error):
        there = {row[1] for row in source.execute(f'PRAGMA table_info("{table}")')}
        is_well = source.execute(f'PRAGMA integrity_check("{table}")').fetchall() == [("ok",)]
    declared = {row[1]: row[2] for row in to.execute(f'PRAGMA table_info("{table}")') if row[1] in there}
    if not declared:  # the source has an older schema
        return 0, is_well
    if is_well:
        to.execute(f'DELETE FROM "{table}"')  # noqa: S608  of our own schema, as below
    names = [f'"{name}"' for name in declared]
    listed, changed = ", ".join(names), ", ".join(f"{name} = excluded.{name}" for name in names)
    marks = ", ".join("?" * len(names))
    statement = f'INSERT INTO "{table}" ({listed}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {changed}'  # noqa: S608
    copied = 0
    for order in ("ASC",) if is_well else ("ASC", "DESC"):  # up to the damage from both ends
        with contextlib.suppress(sqlite3.Error):
            for row in source.execute(f'SELECT {listed} FROM "{table}" NOT INDEXED ORDER BY rowid {order}'):  # noqa: S608
                if not _fits(row, list(declared.values())):
                    is_well = False
                    continue
                with contextlib.suppress(sqlite3.IntegrityError):  # a corrupt row violates a constraint
                    to.execute(statement, row)
                    copied += 1
    return copied, is_well


def _fits(row: Sequence[object], declared: Sequence[str]) -> bool:
    """Whether the values have the types of the columns, which damage can change."""
    for value, kind in zip(row, declared, strict=True):
        if value is None:
            continue
        if not isinstance(value, TYPES.get(kind, str)):
            return False
        try:
            if kind == "DATETIME":
                datetime.fromisoformat(str(value))
            elif kind == "JSON":
                json.loads(str(value))
        except ValueError:
            return False
    return True
