"""More people than can be answered: who is turned away is told, and that costs next to nothing.

Each of the first few in a second gets a reply; Discord takes fifty requests a second of a bot at most, and a
reply costs nearly as much as an answer. The others are told together, once a second, in their channel.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import discord
import structlog

from bot.background import Background
from bot.errors import BusyError
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
MAX_ANSWERING = 128  # two full batches: nobody waits for long
REPLIES_A_S = 10
NOTICE_EVERY_S = 1.0


class Crowd:
    """Counts who is being answered, and those turned away."""

    def __init__(self, background: Background, *, max_answering: int = MAX_ANSWERING) -> None:
        """Start with nobody; notices are sent in the background."""
        self._background, self._max = background, max_answering
        self._answering = 0
        self._turned_away: Counter[discord.abc.Messageable] = Counter()
        self._replies, self._second = 0, 0

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """One query, from being heard to being answered.

        Raises:
            BusyError: too many are being answered.
        """
        if self._answering >= self._max:
            raise BusyError
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    def may_reply(self) -> bool:
        """Whether one more of those turned away gets a reply in this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._replies = second, 0
        self._replies += 1
        return self._replies <= REPLIES_A_S

    def tell_later(self, channel: discord.abc.Messageable) -> None:
        """Count somebody in a channel who is told with the others."""
        is_first = not self._turned_away
        self._turned_away[channel] += 1
        if is_first:
            self._background.start(self._tell(), name="busy notice")

    async def _tell(self) -> None:
        await asyncio.sleep(NOTICE_EVERY_S)
        counts, self._turned_away = self._turned_away, Counter()
        for channel, number in counts.items():
            log.warning("fill.turned_away", queries=number)
            with contextlib.suppress(discord.HTTPException):
                await channel.send(say("busy_crowd", n=number, busy=BusyError()))
