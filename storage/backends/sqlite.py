"""What SQLite alone needs: pragmas, transactions that begin as meant, and the signs of damage."""

import sqlite3
import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy import AdaptedConnection, Connection

BUSY_TIMEOUT_MS = 15_000
WAL_TRIES, WAL_RETRY_S = 100, 0.02
CHECKPOINT_TIMEOUT_MS = 500  # for readers to end, while writers wait
APPLICATION_ID = 0x66_69_6C_6C  # "fill": says whose file it is, to `file` and others
NO_PATH = (":", "file:")  # `:memory:`, and SQLite's own URIs
PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a confirmed vote survives a power cut, not only a crash
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten
)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite found a file that is no database, or not whole."""
    while error is not None and not isinstance(error, sqlite3.Error):  # in the driver's wrappers
        error = error.__cause__
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what it adds
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def prepare_path(path: str) -> None:
    """Make the folder, and see that the file opens: aiosqlite leaves a thread behind where it does not."""
    if path.startswith(NO_PATH):
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(path).close()


def prepare(connection: Any, _record: object) -> None:
    """Set the pragmas, and stop the driver from opening transactions by itself: `begin` does."""
    try:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            _execute_with_retries(cursor, pragma)
        cursor.close()
    except BaseException:
        connection.close()  # the pool forgets it
        raise


def begin(connection: Connection) -> None:
    """Take the write lock at once where writing is meant: upgrading a read lock later can fail at once."""
    writes = connection.get_execution_options().get("fillbot_writes", False)
    driver = cast(AdaptedConnection, connection.connection.dbapi_connection)
    try:
        # Straight to the driver: every call is a turn of its thread, and by a cursor this would be three.
        driver.run_async(lambda aiosqlite: aiosqlite.execute("BEGIN IMMEDIATE" if writes else "BEGIN"))
    except BaseException:  # a task cancelled while it waits: its transaction begins all the same, for nobody
        connection.invalidate()
        raise


def _execute_with_retries(cursor: Any, statement: str) -> None:
    """Changing a new file to WAL is refused at once, whatever the timeout, while another does the same."""
    for left in reversed(range(WAL_TRIES)):
        try:
            cursor.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(WAL_RETRY_S)
