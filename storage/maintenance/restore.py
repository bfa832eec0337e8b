"""Replace the database with a backup while no process has it open."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from storage.backends.locks import BOT, RUN, FileLocks, holding
from storage.backends.urls import sqlite_url
from storage.database import Database
from storage.errors import BackupError, InUseError, LockHeldError, RestoreError
from storage.files.durable import fsync
from storage.maintenance.backups import REPLACED, back_up, examine, open_sqlite

LOCKS = ((BOT, "The bot"), (RUN, "A run"))


@contextlib.contextmanager
def exclusive_access(home: Path) -> Iterator[None]:
    """Hold the locks of the bot and of runs.

    Raises:
        InUseError: One of them is held.
    """
    with contextlib.ExitStack() as stack:
        for name, who in LOCKS:
            home.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(holding(FileLocks(home, name)))
            except LockHeldError as error:
                raise InUseError(home, who) from error
        yield


async def restore(file: Path, database: Path, *, now: datetime) -> Path | None:
    """Replace `database` with a checked and migrated copy of `file`. Call it inside `exclusive_access`.

    Returns:
        Where the previous database is kept, `fillbot.db.before-restore-…`; None if there was none.

    Raises:
        RestoreError: The backup is damaged or not a database of fillbot.
        DatabaseTooNewError: The backup was written by a newer version of fillbot.
        DatabaseUnavailableError: The folder cannot be written.
    """
    if (problem := examine(file).problem) is not None:
        raise RestoreError(file, problem)
    with new_file_for(database) as fresh:
        try:
            back_up(file, fresh)
            await migrate(fresh)
            return replace_database(fresh, database, now=now)
        except BackupError as error:
            raise RestoreError(file, error.reason) from error
        except OSError as error:
            raise RestoreError(file, f"{error.filename or database}: {error.strerror}") from error


@contextlib.contextmanager
def new_file_for(database: Path) -> Iterator[Path]:
    """Yield the path of a file next to the database, to be written and moved there; delete it at the end."""
    fresh = database.with_name(f".{database.name}.new")
    files = (fresh, *wal_files(fresh))
    with contextlib.ExitStack() as stack:
        for path in files:
            path.unlink(missing_ok=True)
            stack.callback(path.unlink, missing_ok=True)
        yield fresh


async def migrate(file: Path) -> None:
    """Create a SQLite file, or bring it to the newest schema. Raises as `Database.open`."""
    await (await Database.open(sqlite_url(file))).close()


def replace_database(fresh: Path, database: Path, *, now: datetime, aside: str = REPLACED) -> Path | None:
    """Replace the database atomically, after hard-linking the old file to a name with `aside`."""
    fsync(fresh)
    kept = None
    if database.exists():
        with contextlib.suppress(sqlite3.Error), open_sqlite(database) as connection:  # it may be damaged
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = database.with_name(f"{database.name}{aside}{now:%Y-%m-%dT%H%M%S}")
        try:
            kept.hardlink_to(database)
        except OSError:  # a file system without hard links
            shutil.copy2(database, kept)
        # SQLite would apply a leftover log to the new file.
        for mine, its in zip(wal_files(database), wal_files(kept), strict=True):
            if mine.exists():
                mine.replace(its)
    fresh.replace(database)
    fsync(database.parent)
    return kept


def wal_files(path: Path) -> tuple[Path, Path]:
    """Return the paths of the write-ahead log and its index."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
