"""A lock for each reply: while its reactions are read, events under it wait, in order."""

import asyncio
from weakref import WeakValueDictionary


class ReplyLocks:
    """Locks by message id, which exist only while they are held or awaited."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def hold(self, message_id: int) -> asyncio.Lock:
        """Return the lock that holds back events under this reply."""
        lock = self._locks.get(message_id)
        if lock is None:
            lock = self._locks[message_id] = asyncio.Lock()
        return lock

    async def wait_for(self, message_id: int) -> None:
        """Wait until this reply is not being read; waiters continue in the order of the calls."""
        if message_id in self._locks:
            async with self.hold(message_id):
                pass
