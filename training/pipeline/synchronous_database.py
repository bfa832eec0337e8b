"""The database without `await`, for runs, which are synchronous."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class SynchronousDatabase:
    """A database with its own event loop; a context manager that opens and closes it."""

    def __init__(self, url: str) -> None:
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
        """Call an async function of `storage` with this database as its first argument."""
        return self._runner.run(function(self._database, *args, **kwargs))

    def run(self, coroutine_of: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine that takes the database."""
        return self._runner.run(coroutine_of(self._database))


def now() -> datetime:
    """The current time, aware and in UTC."""
    return datetime.now(UTC)
