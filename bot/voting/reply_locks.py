"""A turn per reply: while its thumbs are read back, what happens under it waits, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """One reader a reply; whoever only wants to go on waits for it, and goes on in the order of coming."""

    def __init__(self) -> None:
        """Start with nothing being read."""
        self._turns: dict[int, tuple[asyncio.Lock, int]] = {}  # message → its lock, who holds or awaits it

    @contextlib.asynccontextmanager
    async def reading(self, message_id: int) -> AsyncIterator[None]:
        """What happens under this reply is not counted until the block ends."""
        lock, users = self._turns.get(message_id, (asyncio.Lock(), 0))
        self._turns[message_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._turns[message_id]
            if users > 1:
                self._turns[message_id] = lock, users - 1
            else:
                del self._turns[message_id]

    async def passed(self, message_id: int) -> None:
        """Wait until this reply is not being read; at once where it is not."""
        if message_id in self._turns:
            async with self.reading(message_id):
                pass
