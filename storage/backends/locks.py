"""Locks between processes: files on one machine, advisory locks of PostgreSQL on several.

A lock is released when its block or its process ends. A file lock cannot be lost earlier. An advisory lock
can (see `advisory_locks`), so call `require` right before an irreversible step.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_fixed

from storage.backends.advisory_locks import LEASE_S, AdvisoryLock
from storage.errors import LockHeldError
from storage.settings import Settings

RUN = "run"  # one run, or one repair of the rows that runs left open
BOT = "bot"  # one bot per home
POINTER = "pointer"  # one rollback, manual promotion or repair: an open row is then not a crash
FORGETTING = "forgetting"  # one erasure request
LEADER = "leader"  # the instance that runs the schedule
RUN_LEASE_S = 30.0  # a training process may hold the GIL for seconds


class Lock(Protocol):
    """One or several names, locked together."""

    @property
    def is_held(self) -> bool:
        """Whether the lock is held now."""

    def acquire(self) -> None:
        """Acquire without waiting. Raises LockHeldError or DatabaseUnavailableError."""

    def release(self) -> None:
        """Release the lock; idempotent."""

    def require(self) -> None:
        """Raise LockLostError unless the lock is held; waits for a lost session to reconnect."""


class FileLocks:
    """Lock files `NAME.lock` in an existing folder; the system releases them when the process ends."""

    def __init__(self, home: Path, *names: str) -> None:
        # One thread may acquire the lock and another release it.
        self._locks = {name: FileLock(home / f"{name}.lock", thread_local=False) for name in names}

    @property
    def is_held(self) -> bool:
        """Whether the locks are held."""
        return all(lock.is_locked for lock in self._locks.values())

    def acquire(self) -> None:
        """Acquire all locks or none.

        Raises:
            LockHeldError: Another process or object holds one of them.
            OSError: A file cannot be written.
        """
        with contextlib.ExitStack() as taken:
            for name, lock in self._locks.items():
                try:
                    lock.acquire(timeout=0)
                except Timeout as error:
                    raise LockHeldError(name) from error
                taken.callback(lock.release)
            taken.pop_all()

    def release(self) -> None:
        """Release all locks. Idempotent."""
        for lock in self._locks.values():
            lock.release(force=True)

    def require(self) -> None:
        """Do nothing: a file lock cannot be lost."""


def is_shared(url: str) -> bool:
    """Whether the database is a server that several machines can share."""
    try:
        return make_url(url).get_backend_name() == "postgresql"
    except ArgumentError:  # reported when the database is opened
        return False


def lock_for(settings: Settings, *names: str, reacquires: bool = True) -> Lock:
    """Return a lock for all processes that use the database; of SQLite, lock files in the home.

    Args:
        settings: Which database and home.
        names: The names to lock together.
        reacquires: Whether to reacquire the lock after a loss.
    """
    if not is_shared(settings.url):
        return FileLocks(settings.home, *names)
    lease_s = RUN_LEASE_S if RUN in names else LEASE_S
    return AdvisoryLock(settings.url, *names, lease_s=lease_s, reacquires=reacquires)


@contextlib.contextmanager
def holding(lock: Lock) -> Iterator[Lock]:
    """Hold the lock for a block; raises as `acquire`."""
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def holding_async(lock: Lock) -> AsyncIterator[Lock]:
    """Hold the lock for a block without blocking the event loop."""
    await acquire_async(lock)
    try:
        yield lock
    finally:
        await release_async(lock)


class QueuedLock:
    """A lock to wait for, first among tasks of this process, then among processes that share the database."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._mine = asyncio.Lock()
        # With SQLite there is one bot process, and no other process takes this lock.
        self._lock = lock_for(settings, name) if is_shared(settings.url) else None

    def locked(self) -> bool:
        """Whether a task of this process holds or awaits the lock."""
        return self._mine.locked()

    async def __aenter__(self) -> None:
        """Wait for the lock; raises DatabaseUnavailableError if the server cannot be reached."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._mine)
            if self._lock is not None:
                await acquire_when_free(self._lock)
                stack.push_async_callback(release_async, self._lock)
            self._releases = stack.pop_all()

    async def __aexit__(self, *_: object) -> None:
        await self._releases.aclose()


async def acquire_async(lock: Lock) -> None:
    """Acquire without blocking the event loop; a cancelled call releases what it acquired."""
    taking = asyncio.create_task(asyncio.to_thread(lock.acquire))
    try:
        await asyncio.shield(taking)
    except asyncio.CancelledError:
        await asyncio.wait([taking])
        if not taking.cancelled() and taking.exception() is None:
            await asyncio.to_thread(lock.release)
        raise


async def acquire_when_free(lock: Lock, *, poll_s: float = 0.2) -> None:
    """Acquire as soon as no other process holds the lock. Raises DatabaseUnavailableError."""
    waiting = AsyncRetrying(retry=retry_if_exception_type(LockHeldError), wait=wait_fixed(poll_s))
    await waiting(acquire_async, lock)


async def release_async(lock: Lock) -> None:
    """Release without blocking the event loop; completes even when cancelled."""
    await asyncio.shield(asyncio.create_task(asyncio.to_thread(lock.release)))
