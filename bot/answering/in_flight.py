"""What is being handled: queries, replies on their way, votes being counted.

Discord may tell of a thumb under a reply before the reply's id is stored: counting it waits for that. And
nobody who was heard is forgotten when the bot stops.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

GRACE_S = 3.0


class InFlight:
    """Counts what is being handled, and keeps the votes of a channel in the order of their events."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._replies: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._handled = 0
        self._drained = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def handling(self) -> AsyncIterator[None]:
        """Something that `drained` waits for."""
        self._handled += 1
        try:
            yield
        finally:
            self._handled -= 1
            async with self._drained:
                self._drained.notify_all()

    @contextlib.contextmanager
    def sending(self, channel_id: int) -> Iterator[None]:
        """A reply is on its way, and not yet stored, from here to the end of the block."""
        done = asyncio.get_running_loop().create_future()
        self._replies[channel_id].add(done)
        try:
            yield
        finally:
            done.set_result(None)
            self._replies[channel_id].discard(done)
            if not self._replies[channel_id]:
                del self._replies[channel_id]

    @contextlib.asynccontextmanager
    async def counting(self, channel_id: int) -> AsyncIterator[None]:
        """A block that begins when the replies now on their way in this channel are stored.

        Who came first begins first, so that changing one's mind quickly ends at the last word.
        """
        async with self.handling():
            async with self._turns[channel_id]:
                if channel_id in self._replies:
                    await asyncio.wait(set(self._replies[channel_id]))
            yield

    async def drained(self, *, grace_s: float = GRACE_S) -> None:
        """Wait until nothing is being handled, for `grace_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s), self._drained:
                await self._drained.wait_for(lambda: self._handled == 0)
