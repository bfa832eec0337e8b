"""More people than can be answered: turn them away early, by channel, with one notice for all of them.

A channel takes about one message a second, so people whose answer would be late are turned away at once. They
are told together: a notice costs as much as an answer, and goes ahead of all answers that wait.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator

import aiohttp
import discord
import structlog

from bot.background import Background
from bot.connection.rate_limiter import RateLimiter
from bot.connection.request_budget import Priority
from bot.errors import BusyError
from bot.operations.metrics import Metrics
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
MAX_ANSWERING = 128  # two full batches of the model
MANY_ANSWERING, MAX_AGE_S = 16, 4.0  # queries in flight and age of the oldest
MAX_WAIT_S = 6.5  # people should know within ten seconds, also where the model is busy
COLLECTED_FOR_S = 1.0
NOTICE_EVERY_S = 4.0  # in one channel under rate limits: at most one in a window of five seconds


class LoadShedding:
    """Counts the commands that are being carried out, by channel, and those turned away."""

    def __init__(
        self,
        background: Background,
        rate_limiter: RateLimiter,
        *,
        metrics: Metrics | None = None,
        max_answering: int = MAX_ANSWERING,
        max_wait_s: float = MAX_WAIT_S,
    ) -> None:
        """Start with nothing; notices are sent in the background."""
        self._background, self._rate_limiter, self._metrics = background, rate_limiter, metrics
        self._max_answering, self._max_wait_s = max_answering, max_wait_s
        self._answering: dict[object, float] = {}  # since when, the oldest first
        self._admitted: Counter[int] = Counter()
        self._turned_away: Counter[int] = Counter()
        self._told_at: dict[int, float] = {}

    @property
    def rate_limiter(self) -> RateLimiter:
        """What knows how long a message waits."""
        return self._rate_limiter

    def has_room(self, channel_id: int) -> bool:
        """Return whether a message to the channel would arrive in time."""
        return self._rate_limiter.wait_s(channel_id, self._admitted[channel_id]) <= self._max_wait_s

    @contextlib.contextmanager
    def admitted(self, channel_id: int) -> Iterator[None]:
        """Hold a place in the channel, from hearing a command to having replied."""
        self._admitted[channel_id] += 1
        try:
            yield
        finally:
            self._admitted[channel_id] -= 1
            if not self._admitted[channel_id]:
                del self._admitted[channel_id]

    @contextlib.contextmanager
    def answering(self) -> Iterator[Callable[[], None]]:
        """Hold one of the places for queries; what it yields gives it back before the end of the block.

        Raises:
            BusyError: None is free, or the answers take too long on this machine.
        """
        number, now = len(self._answering), time.monotonic()
        if number >= self._max_answering:
            raise BusyError
        if number >= MANY_ANSWERING and now - next(iter(self._answering.values())) > MAX_AGE_S:
            raise BusyError
        place = object()
        self._answering[place] = now

        def give_back() -> None:
            self._answering.pop(place, None)

        try:
            yield give_back
        finally:
            give_back()

    def turn_away(self, channel: discord.abc.Messageable, channel_id: int, *, is_query: bool = False) -> None:
        """Count somebody who is told with the others of this channel; `is_query` is for the metrics."""
        if is_query and self._metrics is not None:
            self._metrics.turned_away()
        self._turned_away[channel_id] += 1
        if self._turned_away[channel_id] == 1:
            self._background.start(self._tell(channel, channel_id), name="busy notice")

    async def _tell(self, channel: discord.abc.Messageable, channel_id: int) -> None:
        await asyncio.sleep(self._notice_due_s(channel_id))
        async with self._rate_limiter.turn(channel_id, Priority.NOTICE):
            number = self._turned_away.pop(channel_id)  # also those of the time that the turn took
            self._told_at[channel_id] = time.monotonic()
            log.warning("fill.turned_away", queries=number)
            with contextlib.suppress(discord.DiscordException, aiohttp.ClientError, OSError):
                await channel.send(say("busy_crowd", n=number))

    def _notice_due_s(self, channel_id: int) -> float:
        """Return in how many seconds the next notice is due."""
        if not self._rate_limiter.is_limited:
            return COLLECTED_FOR_S
        now = time.monotonic()
        self._told_at = {one: at for one, at in self._told_at.items() if now - at < NOTICE_EVERY_S}
        return max(COLLECTED_FOR_S, NOTICE_EVERY_S - (now - self._told_at.get(channel_id, -NOTICE_EVERY_S)))
