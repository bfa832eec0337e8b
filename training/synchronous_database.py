"""The database without `await`, for runs, which are synchronous."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class SynchronousDatabase:
    """A database with its own event loop; `open` it."""

    def __init__(self, database: Database, runner: asyncio.Runner) -> None:
        self._database, self._runner = database, runner

    @classmethod
    @contextlib.contextmanager
    def open(cls, url: str) -> Iterator[Self]:
        """Open and migrate a database, and close it at the end of the context.

        Raises:
            StorageError: it cannot be opened.
        """
        with asyncio.Runner() as runner:
            database = runner.run(Database.open(url))
            try:
                yield cls(database, runner)
            finally:
                runner.run(database.close())

    def call(
        self,
        function: Callable[Concatenate[Database, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call an async function of `storage` with this database as its first argument."""
        return self._runner.run(function(self._database, *args, **kwargs))


def now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)
