"""Open the database, migrate it, hand out transactions, close it.

One writer at a time: SQLite has one write lock, so writers of this process queue here, in order, and wait on
other processes (the training run) for up to `BUSY_TIMEOUT_MS`. Readers never wait: the file is in WAL mode.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import AdaptedConnection, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import (
    DatabaseDamagedError,
    DatabaseTooNewError,
    DatabaseUnavailableError,
    DatabaseUrlError,
)

BUSY_TIMEOUT_MS = 15_000
WAL_TRIES, WAL_AGAIN_S = 100, 0.02
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


class Database:
    """One open database. Build it with `Database.open`; safe to share between tasks of one event loop."""

    def __init__(self, engine: AsyncEngine, where: str) -> None:
        """Wrap an engine; `where` names the database in error messages, without any password."""
        self._engine = engine
        self._where = where
        self._writing = asyncio.Lock()
        self.damaged = asyncio.Event()  # set when something met damage in the file

    @classmethod
    async def open(cls, url: str) -> "Database":
        """Open (creating the file and its folder) and migrate to the newest schema. Idempotent.

        Raises:
            DatabaseUrlError: the URL says no database that can be used.
            DatabaseUnavailableError: the place cannot be written, or holds something that is no database.
            DatabaseTooNewError: the schema is newer than this code.
        """
        try:
            parsed = make_url(url)
            # `read` and `write` end their transactions themselves. Errors, which are logged, name no
            # parameters: queries and people are among them.
            engine = create_async_engine(parsed, pool_reset_on_return=None, hide_parameters=True)
        except (ArgumentError, InvalidRequestError, ImportError) as error:
            raise DatabaseUrlError(str(error)) from error
        where = parsed.database or url if parsed.drivername.startswith("sqlite") else repr(parsed)
        try:
            if parsed.drivername.startswith("sqlite"):
                _find_place(parsed.database or ":memory:")
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise (DatabaseDamagedError if is_damage(error) else DatabaseUnavailableError)(
                where, reason
            ) from error
        if parsed.drivername.startswith("sqlite"):
            event.listen(engine.sync_engine, "connect", _prepare)
            event.listen(engine.sync_engine, "begin", _begin)
        database = cls(engine, where)
        try:
            async with database.write() as connection:
                await connection.run_sync(_migrate)
        except CommandError as error:
            await database.close()
            raise DatabaseTooNewError(where) from error
        except BaseException:
            await database.close()
            raise
        return database

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent snapshot to read from; nothing is written.

        Raises:
            DatabaseUnavailableError: the database cannot be read.
        """
        with self._translated():
            async with self._engine.connect() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            DatabaseUnavailableError: the database cannot be written (read-only, full, locked for too long).
        """
        async with self._writing:
            with self._translated():
                async with self._engine.connect() as connection:
                    await connection.execution_options(fillbot_writes=True)
                    async with connection.begin():
                        yield connection

    async def compact(self, *, rewrite: bool = True) -> bool:
        """Leave nothing that was deleted in the file or in its log. Writers wait; only SQLite needs this.

        Without `rewrite`, only the log is emptied. False: a reader held on to that; try again.

        Raises:
            DatabaseUnavailableError: the database cannot be written.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        async with self._writing:
            with self._translated():
                async with self._engine.connect() as connection:
                    driver = (await connection.get_raw_connection()).driver_connection
                    assert driver is not None  # noqa: S101  it was just connected
                    if rewrite:
                        await driver.execute("VACUUM")
                    await driver.execute(f"PRAGMA busy_timeout = {CHECKPOINT_TIMEOUT_MS}")
                    log = await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    busy, _, _ = await log.fetchone()
                    await driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return not busy

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except IntegrityError:  # a mistake of the caller's: the database is well
            raise
        except DBAPIError as error:
            raise self._unusable(error.orig) from error
        except sqlite3.Error as error:  # of a `BEGIN`
            raise self._unusable(error) from error

    def _unusable(self, error: BaseException | None) -> DatabaseUnavailableError:
        if not is_damage(error):
            return DatabaseUnavailableError(self._where, str(error))
        self.damaged.set()
        return DatabaseDamagedError(self._where, str(error))


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite found a file that is no database, or not whole."""
    while error is not None and not isinstance(error, sqlite3.Error):  # in the driver's wrappers
        error = error.__cause__
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what it adds
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _find_place(path: str) -> None:
    """Make the folder, and see that the file opens: aiosqlite leaves a thread behind where it does not."""
    if path.startswith(NO_PATH):
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(path).close()


def _prepare(connection: Any, _record: object) -> None:
    """Set the pragmas, and stop the driver from opening transactions by itself: `_begin` does."""
    try:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            _execute_patiently(cursor, pragma)
        cursor.close()
    except BaseException:
        connection.close()  # the pool forgets it
        raise


def _execute_patiently(cursor: Any, statement: str) -> None:
    """Changing a new file to WAL is refused at once, whatever the timeout, while another does the same."""
    for left in reversed(range(WAL_TRIES)):
        try:
            cursor.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(WAL_AGAIN_S)


def _begin(connection: Connection) -> None:
    """Take the write lock at once where writing is meant: upgrading a read lock later can fail at once."""
    writes = connection.get_execution_options().get("fillbot_writes", False)
    driver = cast(AdaptedConnection, connection.connection.dbapi_connection)
    try:
        # Straight to the driver: every call is a turn of its thread, and by a cursor this would be three.
        driver.run_async(lambda aiosqlite: aiosqlite.execute("BEGIN IMMEDIATE" if writes else "BEGIN"))
    except BaseException:  # a task cancelled while it waits: its transaction begins all the same, for nobody
        connection.invalidate()
        raise


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # A write, whatever there is to migrate: a file that may only be read is refused now, not at a vote.
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
