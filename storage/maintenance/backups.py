"""Backups of the database, daily ones and those made by hand: verified SQLite files.

A backup is made with `VACUUM INTO`: a consistent snapshot without deleted rows, taken while others write. It
gets its name only when it is complete, verified and fsynced. All functions block: call them in a thread. Days
are UTC.
"""

import contextlib
import glob
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url

from storage.backends.sqlite import APPLICATION_ID, BUSY_TIMEOUT_MS, NO_PATH
from storage.errors import BackupError
from storage.files.durable import fsync
from storage.sentences import Sentence

NAME = re.compile(r"fillbot-(?P<day>\d{4}-\d\d-\d\d)(?:-\d{6})?\.db")  # by hand: with hour, minute, second
REPLACED, DAMAGED = ".before-restore-", ".damaged-"  # suffixes of databases that were set aside
NO_DATABASE = Sentence("there is no database yet")


@dataclass(frozen=True, slots=True)
class Examination:
    """The result of checking a database file; `problem` is None if it is intact."""

    problem: str | None
    revision: str | None = None
    rows: tuple[tuple[str, int], ...] = ()  # (table, rows)


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for a database in memory or on a server."""
    parsed = make_url(url)
    path = parsed.database or ""
    if not parsed.drivername.startswith("sqlite") or not path or path.startswith(NO_PATH):
        return None
    return Path(path)


def back_up(database: Path, to: Path, *, replaces: bool = True) -> None:
    """Write a copy to `to`, atomically and with mode 0600.

    Args:
        database: The file to copy.
        to: The copy.
        replaces: Whether to replace an existing file instead of refusing it.

    Raises:
        BackupError: There is no database, it is damaged, the copy cannot be written, or it would replace a
            file.
    """
    if not replaces and to.exists():  # known before the work
        raise _taken(to)
    if not database.is_file():
        raise BackupError(
            Sentence("{problem} at {path}", problem=NO_DATABASE, path=database),
            Sentence("The bot creates it at its first start."),
        )
    temporary = to.with_name(f".{to.name}.{os.getpid()}.{secrets.token_hex(3)}")
    try:
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with open_sqlite(database) as connection:
            connection.execute("VACUUM INTO ?", (str(temporary),))
        if (problem := examine(temporary).problem) is not None:
            raise BackupError(
                Sentence("the copy is damaged ({problem})", problem=problem),
                Sentence("Check the disk, then restore a backup."),
            )
        fsync(temporary)
        if not replaces:
            _reserve(to)
        temporary.replace(to)
        fsync(to.parent)
    except sqlite3.Error as error:
        raise BackupError(
            f"{database}: {error}",
            Sentence(
                "Free some disk space. If the database is damaged, restore a backup (docs/operations.md)."
            ),
        ) from error
    except OSError as error:
        raise BackupError(
            f"{error.filename or to}: {error.strerror or error}",
            Sentence("Free some disk space and check that this user may write there."),
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reserve(path: Path) -> None:
    """Create an empty file, which of several processes only one can."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise _taken(path) from error


def _taken(path: Path) -> BackupError:
    return BackupError(f"{path} already exists and is kept", "Name a file that does not exist yet.")


def back_up_today(database: Path, folder: Path, *, keep: int, today: date) -> Path:
    """Write or replace today's backup, keep those of the newest `keep` days, and return its path.

    Raises:
        BackupError: The backup failed; none was deleted.
    """
    path = folder / f"fillbot-{today.isoformat()}.db"
    for left_over in folder.glob(".fillbot-*"):  # of an interrupted backup
        left_over.unlink(missing_ok=True)
    back_up(database, path)
    kept_days = sorted({_day_of(one) for one in daily(folder)})[-keep:]
    for old in daily(folder):
        if _day_of(old) not in kept_days:
            with contextlib.suppress(OSError):  # the next backup tries again
                old.unlink()
    return path


def back_up_now(database: Path, folder: Path, *, now: datetime) -> Path:
    """Write a backup named by the time and return its path; replace and delete none. Raises as `back_up`."""
    path = folder / f"fillbot-{now:%Y-%m-%d-%H%M%S}.db"
    back_up(database, path, replaces=False)
    return path


def daily(folder: Path) -> list[Path]:
    """Return the daily backups and those made by hand, by their days; of one day, the daily one is first."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: path.stem)


def _day_of(backup: Path) -> date:
    found = NAME.fullmatch(backup.name)
    assert found is not None  # noqa: S101  `daily` lists no other files
    return date.fromisoformat(found["day"])


def backup_files(folder: Path, database: Path) -> list[Path]:
    """Return the backups in a folder and the databases that restores set aside."""
    return daily(folder) + _matching(database, "{name}" + REPLACED + "*")


def database_copies(home: Path, folder: Path, database: Path | None) -> list[Path]:
    """Return every file on this machine that may hold rows of the database, except the database itself.

    These are all files in the folder of the backups except a README, the databases that restores and
    recoveries set aside, unfinished files of interrupted ones, and the SQLite file that was in use before
    `database`.

    Args:
        home: Holds `fillbot.db` by default.
        folder: The folder of the backups.
        database: The file in use; None for a database in memory or on a server.
    """
    before = home / "fillbot.db"
    found = {before, *(path for path in folder.glob("*") if path.stem.upper() != "README")}
    for file in (before, database or before):
        for pattern in ("{name}" + REPLACED + "*", "{name}" + DAMAGED + "*", ".*{name}.new*"):
            found.update(_matching(file, pattern))
    copies = sorted(path for path in found if path.is_file() and _is_main(path))
    if database is None or not database.exists():
        return copies
    return [path for path in copies if not path.samefile(database)]


def _matching(database: Path, pattern: str) -> list[Path]:
    """Return the databases whose names match the pattern, in which `{name}` is the database's name."""
    found = database.parent.glob(pattern.format(name=glob.escape(database.name)))
    return sorted(path for path in found if _is_main(path))


def _is_main(path: Path) -> bool:
    """Whether a file is none that SQLite keeps next to a database."""
    return not path.name.endswith(("-wal", "-shm", "-journal"))


def last_made_at(folder: Path) -> datetime | None:
    """Return when the newest backup was made; None without one.

    A file that an erasure changed later counts as made at the end of its day.
    """
    files = daily(folder)
    if not files:
        return None
    end = datetime.combine(_day_of(files[-1]) + timedelta(days=1), datetime.min.time(), UTC)
    with contextlib.suppress(OSError):
        return min(end, datetime.fromtimestamp(files[-1].stat().st_mtime, UTC))
    return None


def examine(path: Path) -> Examination:
    """Check that a file is an intact database of fillbot. Reads the whole file."""
    if not path.is_file():
        return Examination("no such file")
    try:
        with open_sqlite(path) as connection:
            (first, *_) = connection.execute("PRAGMA integrity_check").fetchall()
            if first[0] != "ok":
                return Examination(f"damaged: {first[0]}")
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            if application_id != APPLICATION_ID or "alembic_version" not in tables:
                return Examination("not a database of fillbot")
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            names = sorted(tables - {"alembic_version"})
            counts = [connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names]  # noqa: S608
    except sqlite3.Error as error:
        return Examination(str(error))
    return Examination(None, revision[0] if revision else None, tuple(zip(names, counts, strict=True)))


@contextlib.contextmanager
def open_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect in autocommit mode, with the bot's busy timeout; close afterwards."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
    try:
        yield connection
    finally:
        connection.close()
