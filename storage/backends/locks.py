"""Mutual exclusion: files on one machine, sessions of PostgreSQL where processes on several share a database.

Who holds a lock is whoever entered it, until the block or the process ends, however it ends. A file is held
for as long as the process lives. A session can be lost while its holder lives on (see `advisory`), so what
cannot be undone asks `require` right before.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from storage.backends.advisory_locks import LEASE_S, AdvisoryLock
from storage.errors import LockHeldError
from storage.settings import Settings

RUN = "run"  # one run, or one repair of what runs left open
BOT = "bot"  # one bot a home
POINTER = "pointer"  # one rollback, promotion by hand or repair: an open row of theirs is no crash's
FORGETTING = "forgetting"  # one request to be forgotten
LEADER = "leader"  # one schedule
POLL_S = 0.2
RUN_LEASE_S = 30.0  # a training process may hold the interpreter for seconds


class Lock(Protocol):
    """One or several names, held together or not at all."""

    @property
    def is_held(self) -> bool:
        """Whether it is held now, and will be for the next moment."""

    def acquire(self) -> None:
        """Take it at once; raises LockHeldError with who holds it, or DatabaseUnavailableError."""

    def release(self) -> None:
        """Let go. Idempotent."""

    def require(self) -> None:
        """Raise LockLostError unless it is held; waits a little for a lost session to come back."""


class FileLocks:
    """Files of a folder, locked; the system lets go of them when the process ends."""

    def __init__(self, home: Path, *names: str) -> None:
        """`home/NAME.lock` each; the folder must be there."""
        # One object may be entered by a thread and left by another.
        self._locks = {name: FileLock(home / f"{name}.lock", thread_local=False) for name in names}
        self._is_held = False

    @property
    def is_held(self) -> bool:
        """Whether it is held."""
        return self._is_held

    def acquire(self) -> None:
        """Take all, at once.

        Raises:
            LockHeldError: a process, or another object of this one, holds one of them.
            OSError: a file cannot be written.
        """
        with contextlib.ExitStack() as taken:
            for name, lock in self._locks.items():
                try:
                    lock.acquire(timeout=0)
                except Timeout as error:
                    raise LockHeldError(name) from error
                taken.callback(lock.release)
            taken.pop_all()
        self._is_held = True

    def release(self) -> None:
        """Let go of all. Idempotent."""
        self._is_held = False
        for lock in self._locks.values():
            lock.release(force=True)

    def require(self) -> None:
        """Nothing: a file is not lost."""


def is_shared(url: str) -> bool:
    """Whether processes on several machines may share this database."""
    try:
        return make_url(url).get_backend_name() == "postgresql"
    except ArgumentError:  # told where it is opened
        return False


def lock_for(settings: Settings, *names: str, lease_s: float | None = None, reacquires: bool = True) -> Lock:
    """The lock of these names, for everybody who uses the database: files of the home where that is SQLite.

    Args:
        settings: of the database and the home.
        names: held together.
        lease_s: how long a silent holder keeps a session.
        reacquires: whether a session that was lost is taken anew while nobody else has the names.
    """
    if not is_shared(settings.url):
        return FileLocks(settings.home, *names)
    lease_s = lease_s or (RUN_LEASE_S if RUN in names else LEASE_S)
    return AdvisoryLock(settings.url, *names, lease_s=lease_s, reacquires=reacquires)


@contextlib.contextmanager
def holding(lock: Lock) -> Iterator[Lock]:
    """Hold it for a block; raises as `acquire`."""
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def holding_async(lock: Lock) -> AsyncIterator[Lock]:
    """The same in an event loop, which goes on meanwhile."""
    await acquire_async(lock)
    try:
        yield lock
    finally:
        await release_async(lock)


class QueuedLock:
    """A turn that is waited for: in this process first, then among all that share the database."""

    def __init__(self, settings: Settings, name: str) -> None:
        """Nobody has it."""
        self._mine = asyncio.Lock()
        # On one machine there is one bot, and nothing else takes turns.
        self._lock = lock_for(settings, name) if is_shared(settings.url) else None

    def locked(self) -> bool:
        """Whether somebody in this process has it, or waits for it."""
        return self._mine.locked()

    async def __aenter__(self) -> None:
        """Wait for it; raises DatabaseUnavailableError where the server cannot be reached."""
        await self._mine.acquire()
        try:
            while self._lock is not None:
                with contextlib.suppress(LockHeldError):
                    await acquire_async(self._lock)
                    return
                await asyncio.sleep(POLL_S)
        except BaseException:
            self._mine.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next one in."""
        try:
            if self._lock is not None:
                await release_async(self._lock)
        finally:
            self._mine.release()


async def acquire_async(lock: Lock) -> None:
    """`acquire` in an event loop; who is cancelled meanwhile holds nothing."""
    if isinstance(lock, FileLocks):
        lock.acquire()
        return
    taking = asyncio.create_task(asyncio.to_thread(lock.acquire))
    try:
        await asyncio.shield(taking)
    except asyncio.CancelledError:
        await asyncio.wait([taking])
        if not taking.cancelled() and taking.exception() is None:
            await asyncio.to_thread(lock.release)
        raise


async def release_async(lock: Lock) -> None:
    """`release` in an event loop; finished also when cancelled."""
    if isinstance(lock, FileLocks):
        lock.release()
        return
    await asyncio.shield(asyncio.create_task(asyncio.to_thread(lock.release)))
