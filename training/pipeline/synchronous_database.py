"""The database as the run sees it: the same functions, called without `await`."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class SynchronousDatabase:
    """An open database with an event loop of its own; a context manager."""

    def __init__(self, url: str) -> None:
        """Remember the URL; `with` opens it."""
        self._url = url
        self._runner = asyncio.Runner()

    def __enter__(self) -> "SynchronousDatabase":
        """Open and migrate the database.

        Raises:
            StorageError: it cannot be opened.
        """
        try:
            self._database = self._runner.run(Database.open(self._url))
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database and the loop."""
        try:
            self._runner.run(self._database.close())
        finally:
            self._runner.close()

    def call(
        self,
        function: Callable[Concatenate[Database, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run one of storage's functions on this database."""
        return self._runner.run(function(self._database, *args, **kwargs))

    def run(self, coroutine_of: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """Run anything that needs the database."""
        return self._runner.run(coroutine_of(self._database))


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)
