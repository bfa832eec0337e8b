"""aiosqlite with one trip to its thread for each statement.

aiosqlite runs every call in the thread of its connection. SQLAlchemy makes up to five calls for a statement:
BEGIN, open a cursor, execute, fetch, close. Here they are one call, and a transaction without a statement is
never begun.
"""

import sqlite3
from collections import deque
from typing import Any, NamedTuple

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
    AsyncAdapt_aiosqlite_ss_cursor,
)


class _Result(NamedTuple):
    """What a statement left; the names are those of DB-API's cursor."""

    description: Any
    rowcount: int
    lastrowid: int
    rows: list[Any]


class Cursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that exists in the thread only while its statement runs."""

    __slots__ = ("_result",)
    _adapt_connection: "Connection"

    def __init__(self, connection: "Connection") -> None:
        """Open nothing: that would be a trip of its own."""
        self._adapt_connection = connection
        self._result = _Result(None, -1, 0, [])
        self._rows = deque()

    @property
    def description(self) -> Any:
        """The columns of the rows; None if the statement returns none."""
        return self._result.description

    @property
    def rowcount(self) -> int:
        """The number of changed rows."""
        return self._result.rowcount

    @property
    def lastrowid(self) -> int:
        """The id of the row inserted last."""
        return self._result.lastrowid

    async def _execute_async(self, operation: str, parameters: Any) -> None:
        await self._keep("execute", operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: str, seq_of_parameters: Any) -> None:
        await self._keep("executemany", operation, seq_of_parameters)

    async def _keep(self, method: str, operation: str, parameters: Any) -> None:
        self._result = await self._adapt_connection.run(method, operation, parameters)
        self._rows.extend(self._result.rows)

    async def _async_soft_close(self) -> None:
        """Do nothing: it is closed."""

    def close(self) -> None:
        """Forget the rows."""
        self._rows.clear()


class StreamingCursor(AsyncAdapt_aiosqlite_ss_cursor):
    """A cursor for rows that are fetched bit by bit."""

    __slots__ = ()
    _adapt_connection: "Connection"

    async def _execute_async(self, operation: str, parameters: Any) -> Any:
        await self._adapt_connection.begin_now()
        return await super()._execute_async(operation, parameters)


class Connection(AsyncAdapt_aiosqlite_connection):
    """A connection that begins a transaction together with its first statement."""

    __slots__ = ("_begin", "_is_begun")

    def __init__(self, dbapi: Any, connection: Any) -> None:
        """No transaction is open."""
        super().__init__(dbapi, connection)
        self._begin, self._is_begun = "", False

    def cursor(self, server_side: bool = False) -> Any:
        """Return a cursor; one that streams its rows stays open in the thread."""
        return StreamingCursor(self) if server_side else Cursor(self)

    def begin(self, statement: str) -> None:
        """Run this before the next statement."""
        self._begin = statement

    async def begin_now(self) -> None:
        """Run at once what was to run before the next statement."""
        connection: Any = self._connection
        if begin := self._take_begin():
            await connection.execute(begin)

    async def run(self, method: str, operation: str, parameters: Any) -> _Result:
        """Run a statement; `method` is that of the cursor."""
        connection: Any = self._connection
        async with self._execute_mutex:
            arguments = (connection, self._take_begin(), method, operation, parameters)
            result: _Result = await connection._execute(_run, *arguments)
            return result

    def _take_begin(self) -> str:
        """Return what begins the transaction; empty if it is begun, or needs no beginning."""
        begin, self._begin = self._begin, ""
        self._is_begun |= bool(begin)  # before it runs: the task may be cancelled meanwhile
        return begin

    def commit(self) -> None:
        """Commit what was begun."""
        if self._is_begun:
            super().commit()
        self._forget()

    def rollback(self) -> None:
        """Roll back what was begun, also after a commit that failed."""
        if self._is_begun:
            super().rollback()
        self._forget()

    def _forget(self) -> None:
        self._begin, self._is_begun = "", False


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """The module that SQLAlchemy takes for a driver."""

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Open a connection."""
        return Connection(self, super().connect(*arguments, **options)._connection)


def driver() -> Driver:
    """Return the driver for `sqlalchemy.create_engine`."""
    return Driver(aiosqlite, sqlite3)


def _run(connection: Any, begin: str, method: str, operation: str, parameters: Any) -> _Result:
    """Run a statement, and the beginning of its transaction, in the thread of the connection."""
    cursor: sqlite3.Cursor = connection._conn.cursor()
    try:
        if begin:
            cursor.execute(begin)
        getattr(cursor, method)(operation, parameters)
        rows = cursor.fetchall() if cursor.description else []  # completes the row count
        return _Result(cursor.description, cursor.rowcount, cursor.lastrowid or 0, rows)
    finally:
        cursor.close()
