"""A lock for each message, so that operations on one message run in order."""

import asyncio
from weakref import WeakValueDictionary


class MessageLocks:
    """Locks by message id, which exist only while they are held or awaited."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def hold(self, message_id: int) -> asyncio.Lock:
        """Return the lock of a message."""
        return self._locks.setdefault(message_id, asyncio.Lock())

    async def wait_for(self, message_id: int) -> None:
        """Wait until the lock is free; waiters continue in the order of the calls."""
        if message_id in self._locks:
            async with self.hold(message_id):
                pass
