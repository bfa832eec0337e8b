"""The table `model_versions` without `await`, from any thread."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from fsspec.asyn import get_loop, sync

from storage.database import Database
from storage.errors import DatabaseLostError
from storage.model_versions import Decide, ModelVersion, change_model_versions, read_model_versions

CALL_TIMEOUT_S = 30.0  # a call also waits up to 15 s for a restarting server


class ModelVersionTable:
    """Connects at the first call, and keeps the connection; the pool replaces one that was lost.

    A new connection for every poll took 29 ms instead of 2 ms. The event loop runs in the thread of fsspec,
    which also transfers the files.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database | None = None

    def read(self) -> list[ModelVersion]:
        """Return all rows, oldest version first.

        Raises:
            StorageError: The database cannot be read.
        """
        return self._call(read_model_versions)

    def change(self, decide: Decide) -> list[ModelVersion]:
        """Do what `change_model_versions` does.

        Raises:
            StorageError: The database cannot be written.
        """
        return self._call(lambda database: change_model_versions(database, decide))

    def _call(
        self, function: Callable[[Database], Coroutine[Any, Any, list[ModelVersion]]]
    ) -> list[ModelVersion]:
        rows: list[ModelVersion] = sync(get_loop(), self._work, function)
        return rows

    async def _work(
        self, function: Callable[[Database], Coroutine[Any, Any, list[ModelVersion]]]
    ) -> list[ModelVersion]:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                if self._database is None:
                    self._database = await Database.open(self._url)
                    weakref.finalize(self, _close, self._database, asyncio.get_running_loop())
                return await function(self._database)
        except TimeoutError as error:
            reason = f"no answer within {CALL_TIMEOUT_S:.0f} s"
            raise DatabaseLostError("the database of versions", reason, is_rolled_back=False) from error


def _close(database: Database, loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        asyncio.run_coroutine_threadsafe(database.close(), loop)
