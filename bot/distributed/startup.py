"""Locks the shards of this process, so that no other process runs them on the same database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bot.errors import EX_UNAVAILABLE, StartError
from bot.settings import Settings
from storage.backends.advisory_locks import AdvisoryLock
from storage.backends.locks import acquire_async, is_shared, lock_for, release_async
from storage.errors import LockHeldError


@contextlib.asynccontextmanager
async def shard_locks(settings: Settings) -> AsyncIterator["asyncio.Task[None] | None"]:
    """Hold the locks of this process's shards. Yields a task that raises StartError if one is taken.

    After a lost connection the locks are acquired again, unless another process holds them by then. With a
    database that is not shared, the lock of the home is enough, and this yields None.

    Raises:
        StartError: another process runs one of the shards.
        StorageError: the database cannot be reached.
    """
    if not is_shared(settings.url):
        yield None
        return
    lock = lock_for(settings, *settings.shards.names)
    assert isinstance(lock, AdvisoryLock)
    lost = lock.lost_event()
    try:
        await acquire_async(lock)
    except LockHeldError as held:
        raise _held(held) from held
    watch = asyncio.create_task(_until_taken(lock, lost), name="shards")
    try:
        yield watch
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await release_async(lock)


async def _until_taken(lock: AdvisoryLock, lost: asyncio.Event) -> None:
    while lock.taken_by is None:
        await lost.wait()
        lost.clear()
    raise _held(lock.taken_by)


def _held(held: LockHeldError) -> StartError:
    sentence = (
        f"{held.name.capitalize()} is run by another process ({held.holder or 'unknown'}) on this database. "
        "Stop that one, or set FILLBOT_SHARD_IDS to shards that no other process has."
    )
    return StartError(sentence, exit_code=EX_UNAVAILABLE)
