"""Read and append to the log in shared storage."""

import hashlib
import json
import random
import time
from collections.abc import Callable

from pydantic import ValidationError

from training.distributed.shared_versions.history import Entry, State
from training.distributed.shared_versions.storage import Storage
from training.registry.errors import SharedStorageUnreachableError, UnsuitableStorageError

FORMAT = {"fillbot": "models", "format": 1}
MARK = "fillbot.json"
CHECK_EVERY_S = 30.0  # that the storage is still the same
TRIES = 64  # to append an entry while other machines do
WAIT_S = 0.05  # between tries at most, times their number
Make = Callable[[State], Entry | None]


class Log:
    """The state as far as this process has read the log. Blocking; not thread-safe."""

    def __init__(self, storage: Storage, state: State) -> None:
        self._storage = storage
        self.state = state
        self._checked_at: float | None = None

    def catch_up(self) -> State:
        """Read new entries.

        Raises:
            SharedStorageUnreachableError: the storage cannot be reached, or is empty where it was not.
            UnsuitableStorageError: it was written by a later release, or by something else.
        """
        now = time.monotonic()
        if self._checked_at is None or now - self._checked_at >= CHECK_EVERY_S:
            self._check()
            self._checked_at = now
        content = self._storage.read(_name(self.state.position + 1))
        if content is None:
            return self.state
        self._take(content)
        there = [int(name) for name in self._storage.inside("log") if name.isdecimal()]
        more = range(self.state.position + 1, max(there, default=0) + 1)
        for content in self._storage.read_all([_name(number) for number in more]):
            self._take(content)
        return self.state

    def append(self, make: Make) -> State:
        """Append the entry that `make` builds from the state; rebuilt where another machine was first.

        Where `make` raises or returns None, no entry is appended.

        Raises:
            SharedStorageUnreachableError: the storage cannot be reached; the entry may have been added.
            UnsuitableStorageError: two machines can create one name, or a later release wrote the storage.
        """
        self._checked_at = None
        for attempt in range(TRIES):
            state = self.catch_up()
            entry = make(state)
            if entry is None:
                return state
            if not state.position:
                self._begin()
            if self._is_added(entry.to_bytes()):
                return self.state
            time.sleep(random.uniform(0, WAIT_S * min(attempt, 10)))  # noqa: S311 — no secrets
        raise SharedStorageUnreachableError(
            self._storage.url, "too many machines change it at once; try again"
        )

    def _is_added(self, content: bytes) -> bool:
        name = _name(self.state.position + 1)
        try:
            is_first = self._storage.create(name, content)
        except SharedStorageUnreachableError:
            # The response may be lost although the entry was created.
            if self._storage.read(name) != content:
                raise
            is_first = True
        # A client that retries by itself finds its own entry.
        if is_first or self._storage.read(name) == content:
            self._take(content)
            return True
        return False

    def _take(self, content: bytes) -> None:
        try:
            entry = Entry.model_validate_json(content)
        except ValidationError as error:
            number = self.state.position + 1
            reason = f"entry {number} of its log cannot be read; use the release that the other machines use"
            raise UnsuitableStorageError(self._storage.url, reason) from error
        self.state = self.state.after(entry, content)

    def _check(self) -> None:
        """Check that it is the same storage as before."""
        mark = self._storage.read(MARK)
        if mark is not None and mark != _mark():
            reason = "it holds something else, or is of a later release than this machine's"
            raise UnsuitableStorageError(self._storage.url, reason)
        if not self.state.position:
            return
        content = self._storage.read(_name(self.state.position))
        if content is None or hashlib.sha256(content).hexdigest() != self.state.last:
            reason = "it is not what it was: emptied, replaced, or not mounted"
            raise SharedStorageUnreachableError(self._storage.url, reason)

    def _begin(self) -> None:
        """Write the format file, and check that existing names are not overwritten."""
        self._storage.create(MARK, _mark())
        if self._storage.create(MARK, _mark()):
            reason = "it writes over what is there where it should not; use S3 or a mounted folder"
            raise UnsuitableStorageError(self._storage.url, reason)


def _name(position: int) -> str:
    return f"log/{position:09d}"


def _mark() -> bytes:
    return (json.dumps(FORMAT) + "\n").encode()
