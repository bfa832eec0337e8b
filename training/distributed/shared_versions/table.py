"""The table `model_versions`, read and changed without `await` from any thread."""

import asyncio
import contextlib
import socket
import weakref
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fsspec.asyn import get_loop, sync

from storage.database import Database
from storage.errors import DatabaseLostError
from storage.model_versions import Decide, ModelVersion, change_model_versions, read_model_versions
from training.distributed.shared_versions.state import Pointer, State, StoredVersion, name_of, number_of
from training.errors import UnknownVersionError, WithdrawnVersionError
from training.registry.errors import PointerMovedError

CALL_TIMEOUT_S = 30.0  # a call also waits up to 15 s for a restarting server
ABANDONED = timedelta(days=7)  # an upload whose version was never added
Rows = Sequence[ModelVersion]


class ModelVersionTable:
    """Connects at the first call, and keeps the connection; the pool replaces one that was lost.

    A new connection for every poll took 29 ms instead of 2 ms. The event loop runs in the thread of fsspec,
    which also transfers the files. Each change is one transaction, and returns the state after it.

    Raises:
        StorageError: The database cannot be read or written; from every method.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database | None = None

    def rows(self) -> list[ModelVersion]:
        """Return all rows, oldest version first."""
        return self._call(read_model_versions)

    def state(self) -> State:
        """Return the current state."""
        return State.of(self.rows())

    def change(self, decide: Decide) -> State:
        """Store the rows that `decide` derives from the current ones."""
        return State.of(self._call(lambda database: change_model_versions(database, decide)))

    def claim(self) -> State:
        """Claim the next number: `highest` in the new state."""
        return self.change(lambda rows: [row_of(rows, name_of(State.of(rows).highest + 1))])

    def add(self, version: str, stored: StoredVersion, kind: str) -> State:
        """Add a version whose files are stored; nothing where there is a version of that name."""

        def decide(rows: Rows) -> list[ModelVersion]:
            if row_of(rows, version).folder is not None:
                return []
            values = {"kind": kind, "folder": stored.folder, "card_hash": stored.card, "created_at": _now()}
            return [_changed(rows, version, **values)]

        return self.change(decide)

    def move(self, pointer: Pointer, version: str, instead_of: str | None) -> State:
        """Move a pointer from `instead_of` to a version.

        Raises:
            UnknownVersionError: There is no such version, or no longer.
            WithdrawnVersionError: It must not serve again.
            PointerMovedError: The pointer is no longer at `instead_of`.
        """

        def decide(rows: Rows) -> list[ModelVersion]:
            state = State.of(rows)
            if version not in state.versions:
                raise UnknownVersionError(version, list(state.versions))
            if pointer == "champion" and version in state.withdrawn:
                raise WithdrawnVersionError(version)
            present: str | None = getattr(state, pointer)
            if present != instead_of:
                raise PointerMovedError(pointer, present, version)
            flag = f"is_{pointer}"
            left = [] if present in (None, version) else [_changed(rows, str(present), **{flag: False})]
            values = {flag: True, "moved_at": _now(), "moved_by": socket.gethostname()}
            return [*left, _changed(rows, version, **values)]

        return self.change(decide)

    def withdraw(self, versions: Collection[str]) -> State:
        """Mark versions as withdrawn."""

        def decide(rows: Rows) -> list[ModelVersion]:
            more = sorted(set(versions) - set(State.of(rows).withdrawn))
            return [_changed(rows, version, withdrawn_at=_now()) for version in more]

        return self.change(decide)

    def delete(self, versions: Collection[str], seen: State) -> State:
        """Mark versions as deleted, unless a pointer has moved since the state that was `seen`."""

        def decide(rows: Rows) -> list[ModelVersion]:
            state = State.of(rows)
            if (state.champion, state.domain) != (seen.champion, seen.domain):
                return []
            return [_changed(rows, v, deleted_at=_now()) for v in versions if v in state.versions]

        return self.change(decide)

    def unused(self, folders: Collection[str]) -> list[str]:
        """Return those of the folders in storage that hold deleted versions or abandoned uploads."""
        rows = {name_of(row.number): row for row in self.rows()}
        kept = {row.folder for row in rows.values() if row.deleted_at is None}

        def is_unused(folder: str) -> bool:
            row = rows.get(folder.partition("-")[0])
            if row is None or folder in kept:
                return False
            return row.deleted_at is not None or _now() - row.created_at > ABANDONED

        return [folder for folder in folders if is_unused(folder)]

    def _call(
        self, function: Callable[[Database], Coroutine[Any, Any, list[ModelVersion]]]
    ) -> list[ModelVersion]:
        async def call() -> list[ModelVersion]:
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    if self._database is None:
                        self._database = await Database.open(self._url)
                        weakref.finalize(self, _close, self._database, asyncio.get_running_loop())
                    return await function(self._database)
            except TimeoutError as error:
                reason = f"no answer within {CALL_TIMEOUT_S:.0f} s"
                raise DatabaseLostError("the database of versions", reason, is_rolled_back=False) from error

        rows: list[ModelVersion] = sync(get_loop(), call)
        return rows


def row_of(rows: Rows, version: str) -> ModelVersion:
    """Return the row of a version, a new one if the table has none."""
    number = number_of(version)
    return next((r for r in rows if r.number == number), ModelVersion(number=number, created_at=_now()))


def _changed(rows: Rows, version: str, **values: Any) -> ModelVersion:
    return replace(row_of(rows, version), **values)


def _close(database: Database, loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        asyncio.run_coroutine_threadsafe(database.close(), loop)


def _now() -> datetime:
    return datetime.now(UTC)
