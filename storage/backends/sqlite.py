"""SQLite: pragmas, explicit transactions, and detection of damage."""

import sqlite3
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from storage.backends import sqlite_driver

BUSY_TIMEOUT_MS = 15_000
CHECKPOINT_TIMEOUT_MS = 500  # waits for readers while writers wait for it
APPLICATION_ID = 0x66_69_6C_6C  # "fill": identifies the file, also to `file`
NO_PATH = (":", "file:")  # `:memory:` and SQLite URIs
BEGIN = "sqlite_begin"  # execution option: the statement that begins a transaction
FOR_WRITING = {
    BEGIN: "BEGIN IMMEDIATE"
}  # takes the write lock: upgrading a read lock can fail without waiting
FOR_ONE_STATEMENT = {BEGIN: ""}  # it is a transaction by itself
PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a confirmed vote survives a power cut, not only a crash of the process
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # deleted rows are overwritten
)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite reported a corrupt file or one that is not a database."""
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def prepare_path(path: str) -> None:
    """Create the folder and check that the file opens: on failure, aiosqlite would leak a thread."""
    if path.startswith(NO_PATH):
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(path).close()


def prepare(connection: Any, _record: object) -> None:
    """Set the pragmas, and disable the driver's implicit transactions: `begin` opens them."""
    try:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            _execute(cursor, pragma)
        cursor.close()
    except BaseException:
        connection.close()  # the pool does not close it
        raise


def begin(connection: Connection) -> None:
    """Begin a transaction with the next statement, as the execution option `BEGIN` says."""
    driver = cast(sqlite_driver.Connection, connection.connection.dbapi_connection)
    driver.begin(connection.get_execution_options().get(BEGIN, "BEGIN"))


def _primary_code(error: BaseException | None) -> int:
    """Return the primary result code of SQLite, or 0 for another error."""
    while error is not None and not isinstance(error, sqlite3.Error):  # unwrap the driver's errors
        error = error.__cause__
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


# Switching a new file to WAL ignores the busy timeout while another process does the same.
@retry(
    retry=retry_if_exception(lambda error: _primary_code(error) == sqlite3.SQLITE_BUSY),
    stop=stop_after_attempt(100),
    wait=wait_fixed(0.02),
    reraise=True,
)
def _execute(cursor: Any, statement: str) -> None:
    cursor.execute(statement)
