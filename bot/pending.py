"""Replies on their way: Discord may tell of a thumb under one before its id is stored."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator


class PendingReplies:
    """Counting a reaction waits for the replies that are being sent in its channel; the order stays."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_channel: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @contextlib.contextmanager
    def sending(self, channel_id: int) -> Iterator[None]:
        """A reply is on its way from here to the end of the block."""
        done = asyncio.get_running_loop().create_future()
        self._by_channel[channel_id].add(done)
        try:
            yield
        finally:
            done.set_result(None)
            self._by_channel[channel_id].discard(done)
            if not self._by_channel[channel_id]:
                del self._by_channel[channel_id]

    async def settled(self, channel_id: int) -> None:
        """Wait for what is on its way in this channel now, and for nothing that begins later."""
        async with self._turns[channel_id]:  # first come, first served: a later event never overtakes
            if channel_id in self._by_channel:
                await asyncio.wait(set(self._by_channel[channel_id]))
