"""Leader election: one of the processes that share a database does the tasks that must run only once.

The process that holds the lock is the leader. When it stops, dies, freezes or loses its connection to the
database, another takes over within seconds; a leader that lost the lock notices before another process can
acquire it. With a database of its own, the only process leads at once.
"""

import asyncio
import contextlib

import structlog

from bot.background import Background
from bot.distributed.leader_tasks import LeaderTasks
from bot.settings import Settings
from storage.backends.advisory_locks import AdvisoryLock, process_name
from storage.backends.locks import LEADER, acquire_async, is_shared, lock_for, release_async
from storage.errors import LockHeldError, StorageError

log = structlog.stdlib.get_logger(__name__)
ELECT_EVERY_S = 2.0
LOOK_EVERY_S = 0.5


class LeaderElection:
    """Runs the leader's tasks in this process, or knows which process does."""

    def __init__(self, settings: Settings, background: Background, tasks: LeaderTasks) -> None:
        self._settings, self._background, self._tasks = settings, background, tasks
        self.is_here = False
        self.elsewhere: str | None = None  # HOST:PID

    @property
    def where(self) -> str | None:
        """HOST:PID of the leader; None while it is unknown."""
        return process_name() if self.is_here else self.elsewhere

    async def open(self) -> None:
        """Start the leader's tasks at once if the database is not shared, else take part in the election.

        Raises:
            StorageError: the database cannot be read.
        """
        if is_shared(self._settings.url):
            self._tasks.nightly.follow()
            self._background.supervise(self._elect, name="election")
        else:
            self.is_here = True
            await self._tasks.begin()

    async def _elect(self) -> None:
        while True:
            lock = lock_for(self._settings, LEADER, reacquires=False)
            assert isinstance(lock, AdvisoryLock)
            try:
                await acquire_async(lock)
            except LockHeldError as held:
                self.elsewhere = held.holder
                await asyncio.sleep(ELECT_EVERY_S)
                continue
            except StorageError as error:
                log.warning("leader.not_elected", reason=str(error))
                await asyncio.sleep(ELECT_EVERY_S)
                continue
            try:
                await self._lead(lock)
            except StorageError as error:
                log.warning("leader.stepped_down", reason=str(error))
                await asyncio.sleep(ELECT_EVERY_S)
            finally:
                self.is_here = False
                await release_async(lock)

    async def _lead(self, lock: AdvisoryLock) -> None:
        """Run the leader's tasks while the lock is held."""
        self.is_here, self.elsewhere = True, None
        log.info("leader.elected")
        lost = lock.lost_event()
        async with self._tasks.done():
            while lock.is_held:  # the loss may have come before `lost_event`
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await lost.wait()
            self.is_here = False
        log.warning("leader.lost")
