"""Open and migrate the database, provide transactions, close it.

SQLite has one write lock: writers of this process queue here in order and wait up to `BUSY_TIMEOUT_MS` for
other processes, such as the training run. In WAL mode readers never wait. On PostgreSQL writers run in
parallel (see `storage.backends.postgres`), and connecting is retried for several seconds.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.backends import postgres, sqlite
from storage.backends.retries import retry
from storage.backends.sqlite import APPLICATION_ID, BUSY_TIMEOUT_MS, CHECKPOINT_TIMEOUT_MS, is_damage
from storage.errors import (
    DatabaseDamagedError,
    DatabaseDriverError,
    DatabaseLostError,
    DatabaseServerError,
    DatabaseTooNewError,
    DatabaseUnavailableError,
    DatabaseUrlError,
)

CLOSE_TIMEOUT_S, CLOSE_POLL_S = 5.0, 0.005


@dataclass(slots=True)
class _Progress:
    """The state of a transaction."""

    is_open: bool = False
    is_committing: bool = False


class Database:
    """An open database, created by `Database.open`. Tasks of one event loop can share it."""

    def __init__(self, engine: AsyncEngine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._is_server = engine.dialect.name != "sqlite"
        self._writing = contextlib.nullcontext() if self._is_server else asyncio.Lock()
        self.damaged = asyncio.Event()  # set when an operation found the file damaged

    @classmethod
    async def open(cls, url: str, *, is_copy_target: bool = False) -> "Database":
        """Open a database, create its file if it is missing, and migrate it to the newest schema. Idempotent.

        Args:
            url: A URL of SQLAlchemy.
            is_copy_target: Whether to accept an unfinished copy.

        Raises:
            DatabaseUrlError: The URL is invalid.
            DatabaseUnavailableError: The file cannot be written or is not a database, or the server cannot be
                reached.
            DatabaseTooNewError: The schema is newer than this code.
            HalfCopiedError: The database is an unfinished copy.
        """
        database = cls.unmigrated(url)
        try:
            async with database.write() as connection:
                await postgres.lock_migrations(connection)
                await connection.run_sync(_migrate)
                if not is_copy_target:
                    await postgres.accept_copy(connection)
        except CommandError as error:
            await database.close()
            raise DatabaseTooNewError(database._where) from error
        except TypeError as error:
            await database.close()
            if "unexpected keyword argument" not in str(error):
                raise
            raise DatabaseUrlError(f"{error}; for TLS write ?ssl=require") from error
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    def unmigrated(cls, url: str) -> "Database":
        """Create a `Database` without migrating it or connecting to a server.

        Raises:
            DatabaseUrlError: The URL is invalid.
            DatabaseUnavailableError: The file cannot be opened.
        """
        try:
            parsed = make_url(url)
            engine = _engine_of(parsed)
        except ModuleNotFoundError as error:
            if error.name == "asyncpg":
                raise DatabaseDriverError from error
            raise DatabaseUrlError(str(error)) from error
        except (ArgumentError, InvalidRequestError, ImportError) as error:
            raise DatabaseUrlError(str(error)) from error
        return cls(engine, _prepared_location(parsed))

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction on a consistent snapshot.

        Raises:
            DatabaseUnavailableError: The database cannot be read.
        """
        with self._translated() as progress:
            async with self._connected(progress) as connection:
                if self._is_server:
                    await connection.execution_options(**postgres.SNAPSHOT)
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: committed when the block ends, rolled back when it raises.

        On PostgreSQL, take a lock of `storage.backends.postgres` if concurrent writers matter.

        Raises:
            DatabaseUnavailableError: The database cannot be written (read-only, full, locked for too long).
        """
        async with self._writing:
            with self._translated() as progress:
                async with self._connected(progress) as connection:
                    await connection.execution_options(fillbot_writes=True)
                    async with connection.begin():
                        yield connection
                        progress.is_committing = True

    @property
    def where(self) -> str:
        """The path of the file, or the server and database name, without credentials."""
        return self._where

    async def compact(self, *, rewrite: bool = True) -> bool:
        """Remove deleted rows from the file and the write-ahead log of SQLite. Writers wait.

        Args:
            rewrite: Whether to rewrite the file as well as truncate the log.

        Returns:
            Whether the log could be truncated; False if a reader still needed it.

        Raises:
            DatabaseUnavailableError: The database cannot be written.
        """
        if self._is_server:
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
        """Close all connections; wait up to `CLOSE_TIMEOUT_S` for those in use. Idempotent."""
        # `dispose` closes only idle connections. One that a cancelled task is still rolling back would return
        # to a discarded pool, and its file would stay open.
        pool = self._engine.pool
        if isinstance(pool, AsyncAdaptedQueuePool):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    while pool.checkedout():  # noqa: ASYNC110  the pool offers no event
                        await asyncio.sleep(CLOSE_POLL_S)
        await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def _connected(self, progress: _Progress) -> AsyncIterator[AsyncConnection]:
        async with contextlib.AsyncExitStack() as stack:

            async def connect() -> AsyncConnection:
                return await stack.enter_async_context(self._engine.connect())

            if self._is_server:
                errors = (DBAPIError, OSError, PoolTimeoutError)
                connection = await retry(connect, postgres.is_lost, errors=errors)
            else:
                connection = await connect()
            progress.is_open = True
            yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[_Progress]:
        progress = _Progress()
        try:
            yield progress
        except IntegrityError:  # the caller's mistake, not a failure of the database
            raise
        except DBAPIError as error:
            raise self._error_of(error, progress) from error
        except sqlite3.Error as error:  # raised by `BEGIN`, which bypasses SQLAlchemy
            raise self._error_of(error, progress) from error
        except (OSError, PoolTimeoutError) as error:
            if not self._is_server or (
                progress.is_open and not progress.is_committing
            ):  # raised by the block
                raise
            raise self._error_of(error, progress) from error

    def _error_of(self, error: Exception, progress: _Progress) -> DatabaseUnavailableError:
        if self._is_server:
            reason = postgres.error_reason(error)
            if not postgres.is_lost(error):
                return DatabaseServerError(self._where, reason)
            is_rolled_back = not progress.is_committing or postgres.is_rolled_back(error)
            return DatabaseLostError(self._where, reason, is_rolled_back=is_rolled_back)
        origin = error.orig if isinstance(error, DBAPIError) else error
        if not is_damage(origin):
            return DatabaseUnavailableError(self._where, str(origin))
        self.damaged.set()
        return DatabaseDamagedError(self._where, str(origin))


def _engine_of(url: URL) -> AsyncEngine:
    # `read` and `write` end their transactions themselves, so the pool need not reset. Parameters are hidden
    # because errors are logged, and parameters include queries and user ids.
    options: dict[str, Any] = {"pool_reset_on_return": None, "hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        return create_async_engine(url, **options, **postgres.engine_options())
    if url.get_backend_name() != "sqlite":
        raise ArgumentError("expected SQLite or PostgreSQL")
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "connect", sqlite.prepare)
    event.listen(engine.sync_engine, "begin", sqlite.begin)
    return engine


def _prepared_location(url: URL) -> str:
    """Return how errors name the database; create the folder of a SQLite file."""
    if url.get_backend_name() != "sqlite":
        return postgres.server_address(url)
    where = url.database or str(url)
    try:
        sqlite.prepare_path(url.database or ":memory:")
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise (DatabaseDamagedError if is_damage(error) else DatabaseUnavailableError)(
            where, reason
        ) from error
    return where


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # This always writes, so that a read-only file is refused now instead of at the first vote.
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
