"""Open and migrate the database, provide transactions, close it.

SQLite has one write lock: writers of this process queue here in order and wait up to `BUSY_TIMEOUT_MS` for
other processes, such as the training run. In WAL mode readers never wait. On PostgreSQL writers run in
parallel (see `storage.backends.postgres`), and connecting is retried for several seconds.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Executable, Row, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.backends import postgres, sqlite
from storage.backends.retries import retried, retrying
from storage.backends.sqlite import APPLICATION_ID, BUSY_TIMEOUT_MS, CHECKPOINT_TIMEOUT_MS, is_damage
from storage.backends.sqlite_driver import driver
from storage.errors import (
    DatabaseDamagedError,
    DatabaseDriverError,
    DatabaseLostError,
    DatabaseServerError,
    DatabaseUnavailableError,
    DatabaseUrlError,
)
from storage.migrations.upgrade import upgrade

AnyRow = Row[*tuple[Any, ...]]
CLOSE_TIMEOUT_S, CLOSE_POLL_S = 5.0, 0.005


@dataclass(slots=True)
class _Session:
    """A connection, and whether its transaction is being committed."""

    connection: AsyncConnection
    is_committing: bool = False


class Database:
    """An open database, created by `Database.open`. Tasks of one event loop can share it."""

    def __init__(self, engine: AsyncEngine, where: str) -> None:
        self._engine = engine
        self.where = where  # the path of the file, or the server and database name, without credentials
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
                await postgres.lock(connection, postgres.MIGRATION_LOCK)
                await connection.run_sync(_prepare_file)
                await connection.run_sync(upgrade, database.where)
                if not is_copy_target:
                    await postgres.accept_copy(connection)
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
        except (ArgumentError, InvalidRequestError, ImportError) as error:
            if isinstance(error, ImportError) and error.name == "asyncpg":
                raise DatabaseDriverError from error
            raise DatabaseUrlError(str(error)) from error
        return cls(engine, _prepared_location(parsed))

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction on a consistent snapshot.

        Raises:
            DatabaseUnavailableError: The database cannot be read.
        """
        async with self._connected() as session:
            if self._is_server:
                await session.connection.execution_options(**postgres.SNAPSHOT)
            yield session.connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: committed when the block ends, rolled back when it raises.

        On PostgreSQL, take a lock of `storage.backends.postgres` if concurrent writers matter.

        Raises:
            DatabaseUnavailableError: The database cannot be written (read-only, full, locked for too long).
        """
        async with self._writing, self._connected() as session:
            await session.connection.execution_options(**sqlite.FOR_WRITING)
            async with session.connection.begin():
                yield session.connection
                session.is_committing = True

    @retried
    async def fetch(self, query: Executable, parameters: Any = None) -> Sequence[AnyRow]:
        """Return the rows of one query. Raises as `read`."""
        async with self._connected() as session:
            await session.connection.execution_options(**sqlite.FOR_ONE_STATEMENT)
            return (await session.connection.execute(query, parameters)).all()

    async def fetch_first(self, query: Executable) -> AnyRow | None:
        """Return the first row of one query; None if it has no rows. Raises as `read`."""
        return next(iter(await self.fetch(query)), None)

    async def fetch_value(self, query: Executable) -> Any:
        """Return the first column of the first row of one query; None if it has no rows. Raises as `read`."""
        row = await self.fetch_first(query)
        return None if row is None else row[0]

    @retried
    async def execute(self, statement: Executable, parameters: Any = None) -> int:
        """Run one idempotent statement and return the number of rows that it changed. Raises as `write`."""
        async with self.write() as connection:
            return (await connection.execute(statement, parameters)).rowcount

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
        async with self._writing, self._connected() as session:
            driver = (await session.connection.get_raw_connection()).driver_connection
            assert driver is not None  # noqa: S101  it was just connected
            if rewrite:
                await driver.execute("VACUUM")
            await driver.execute(f"PRAGMA busy_timeout = {CHECKPOINT_TIMEOUT_MS}")
            log = await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, _, _ = await log.fetchone()
            await driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return not busy

    async def close(self) -> None:
        """Close all connections; wait up to `CLOSE_TIMEOUT_S` for those in use. Idempotent.

        If the caller is cancelled meanwhile, the connections are closed before that is raised. Otherwise the
        driver's thread would stay, and SQLAlchemy would log a traceback (“Exception closing connection”).
        """
        closing = asyncio.create_task(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise

    async def _close(self) -> None:
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
    async def _connected(self) -> AsyncIterator[_Session]:
        """Connect, and translate the errors of the database, including those of the block."""
        session: _Session | None = None
        try:
            async with contextlib.AsyncExitStack() as stack:

                async def connect() -> AsyncConnection:
                    return await stack.enter_async_context(self._engine.connect())

                connection = await (retrying(postgres.is_lost)(connect) if self._is_server else connect())
                session = _Session(connection)
                yield session
        except IntegrityError:  # the caller's mistake, not a failure of the database
            raise
        except (DBAPIError, sqlite3.Error, OSError, PoolTimeoutError) as error:
            is_committing = session is not None and session.is_committing
            is_of_block = session is not None and not is_committing
            if isinstance(error, OSError | PoolTimeoutError) and (is_of_block or not self._is_server):
                raise
            raise self._error_of(error, is_committing=is_committing) from error

    def _error_of(self, error: Exception, *, is_committing: bool) -> DatabaseUnavailableError:
        if self._is_server:
            reason = postgres.error_reason(error)
            if not postgres.is_lost(error):
                return DatabaseServerError(self.where, reason)
            is_rolled_back = not is_committing or postgres.is_rolled_back(error)
            return DatabaseLostError(self.where, reason, is_rolled_back=is_rolled_back)
        origin = error.orig if isinstance(error, DBAPIError) else error
        if not is_damage(origin):
            return DatabaseUnavailableError(self.where, str(origin))
        self.damaged.set()
        return DatabaseDamagedError(self.where, str(origin))


def _engine_of(url: URL) -> AsyncEngine:
    # `read` and `write` end their transactions themselves, so the pool need not reset. Parameters are hidden
    # because errors are logged, and parameters include queries and user ids.
    options: dict[str, Any] = {"pool_reset_on_return": None, "hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        return create_async_engine(url, **options, **postgres.engine_options())
    if url.get_backend_name() != "sqlite":
        raise ArgumentError("expected SQLite or PostgreSQL")
    engine = create_async_engine(url, module=driver(), **options)
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


def _prepare_file(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # This always writes, so that a read-only file is refused now instead of at the first vote.
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
