"""A turn per reply: while its thumbs are read back, what happens under it waits, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class ReplyLocks:
    """One reader a reply; whoever only wants to go on waits for it, and goes on in the order of coming."""

    def __init__(self) -> None:
        """Start with nothing being read."""
        self._locks: dict[int, tuple[asyncio.Lock, int]] = {}  # message → its lock, who holds or awaits it

    @contextlib.asynccontextmanager
    async def hold(self, message_id: int) -> AsyncIterator[None]:
        """What happens under this reply is not counted until the block ends."""
        lock, users = self._locks.get(message_id, (asyncio.Lock(), 0))
        self._locks[message_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks[message_id]
            if users > 1:
                self._locks[message_id] = lock, users - 1
            else:
                del self._locks[message_id]

    async def wait_for(self, message_id: int) -> None:
        """Wait until this reply is not being read; at once where it is not."""
        if message_id in self._locks:
            async with self.hold(message_id):
                pass
