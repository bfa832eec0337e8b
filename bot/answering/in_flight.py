"""Work in progress: queries, replies that are being sent, votes that are being recorded.

- Limits how many queries are answered at the same time.
- Discord may deliver a reaction to a reply before the reply's id is stored, so recording a vote waits for the
  replies that are being sent in its channel.
- At shutdown, `drain` waits for the work that has begun.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator

from bot.errors import BusyError

GRACE_S = 3.0
MAX_QUERIES = 128  # two full batches of the model
# From 16 queries on, the machine is too slow if the oldest has waited over 4 s: a reply should come within
# 10 s, and waiting for the channel may take 6.5 s of them.
MANY_QUERIES, MAX_AGE_S = 16, 4.0


class InFlight:
    """Counts the work in progress, and keeps the votes of a channel in the order of their events."""

    def __init__(self, *, max_queries: int = MAX_QUERIES) -> None:
        self._max_queries = max_queries
        self._query_starts: dict[object, float] = {}  # slot → when it was taken, oldest first
        self._replies: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._vote_locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tracked = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def track(self) -> AsyncIterator[None]:
        """Let `drain` wait for the block."""
        self._tracked += 1
        try:
            yield
        finally:
            self._tracked -= 1
            async with self._changed:
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def query_slot(self) -> AsyncIterator[Callable[[], None]]:
        """Answer a query in the block; it holds one of the limited slots until then, and is tracked.

        Yields a function that releases the slot before the end of the block. Idempotent.

        Raises:
            BusyError: No slot is free, or queries take too long on this machine.
        """
        now = time.monotonic()
        if len(self._query_starts) >= self._max_queries:
            raise BusyError
        if len(self._query_starts) >= MANY_QUERIES:
            oldest = next(iter(self._query_starts.values()))
            if now - oldest > MAX_AGE_S:
                raise BusyError
        slot = object()
        self._query_starts[slot] = now

        def release() -> None:
            self._query_starts.pop(slot, None)

        try:
            async with self.track():
                yield release
        finally:
            release()

    @contextlib.contextmanager
    def sending_reply(self, channel_id: int) -> Iterator[None]:
        """Send a reply and store its message id in the block."""
        stored = asyncio.get_running_loop().create_future()
        self._replies[channel_id].add(stored)
        try:
            yield
        finally:
            stored.set_result(None)
            self._replies[channel_id].discard(stored)
            if not self._replies[channel_id]:
                del self._replies[channel_id]

    @contextlib.asynccontextmanager
    async def after_replies(self, channel_id: int) -> AsyncIterator[None]:
        """Enter the block when the replies that are now being sent in this channel are stored.

        Blocks of a channel are entered in the order of the calls, so that of two quick votes the last stands.
        """
        async with self.track():
            async with self._vote_locks[channel_id]:
                if channel_id in self._replies:
                    await asyncio.wait(set(self._replies[channel_id]))
            yield

    async def drain(self, *, grace_s: float = GRACE_S) -> None:
        """Wait until the tracked work is done, for at most `grace_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s), self._changed:
                await self._changed.wait_for(lambda: self._tracked == 0)
