"""Spaces the IDENTIFYs of all processes that share a database, as Discord requires."""

import asyncio
import contextlib

import structlog

from bot.background import Background
from bot.connection.session import IDENTIFY_EVERY_S
from bot.settings import Settings
from storage.backends.locks import Lock, acquire_when_free, is_shared, lock_for, release_async
from storage.errors import StorageError

log = structlog.stdlib.get_logger(__name__)
AGAIN_S = 0.5


class SharedIdentifyLimit:
    """Admits one IDENTIFY per bucket of shards every five seconds; a lock in the database marks the turn."""

    def __init__(self, settings: Settings, background: Background) -> None:
        self._settings, self._background = settings, background

    async def wait(self, bucket: int) -> None:
        """Return when this process may identify. Without a connection to the database it does not wait."""
        if not is_shared(self._settings.url):
            return
        lock = lock_for(self._settings, f"identify {bucket}", reacquires=False)
        try:
            await acquire_when_free(lock, poll_s=AGAIN_S)
        except StorageError as error:
            log.warning("identify.without_turn", reason=str(error))
        else:
            self._background.start(_give_back_later(lock), name="identify", is_endless=True)


async def _give_back_later(lock: Lock) -> None:
    with contextlib.suppress(StorageError):
        try:
            await asyncio.sleep(IDENTIFY_EVERY_S)
        finally:
            await release_async(lock)
