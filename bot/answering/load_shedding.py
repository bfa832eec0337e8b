"""Load shedding: refuse commands whose reply would come too late, with one notice per channel.

Discord takes about one message a second in a channel, so a queue of replies grows quickly. A notice costs as
much as a reply; therefore one notice covers all commands that were refused meanwhile, and it is sent before
the replies that wait.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import discord
import structlog

from bot.background import Background
from bot.connection.rate_limiter import RateLimiter
from bot.connection.request_budget import Priority
from bot.errors import DISCORD_ERRORS
from bot.operations.metrics import Metrics
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
MAX_WAIT_S = 6.5  # leaves 3.5 s for the model, so that people get an answer within 10 s
SPARE = 2  # messages that a quiet channel could still take, of about five in five seconds
COLLECT_FOR_S = 1.0  # refusals that share a notice
NOTICE_EVERY_S = 4.0  # in a channel under rate limits: at most one in a window of five seconds


class LoadShedding:
    """Counts the commands in progress in each channel, and those that were refused."""

    def __init__(
        self,
        background: Background,
        rate_limiter: RateLimiter,
        *,
        metrics: Metrics | None = None,
        max_wait_s: float = MAX_WAIT_S,
    ) -> None:
        self._background, self._metrics = background, metrics
        self.rate_limiter = rate_limiter
        self._max_wait_s = max_wait_s
        self._expected_replies: Counter[int] = Counter()
        self._refused: Counter[int] = Counter()
        self._notified_at: dict[int, float] = {}

    def has_room(self, channel_id: int) -> bool:
        """Return whether one more reply to the channel would arrive in time."""
        wait_s = self.rate_limiter.wait_s(channel_id, self._expected_replies[channel_id])
        return wait_s <= self._max_wait_s

    def is_quiet(self, channel_id: int) -> bool:
        """Return whether the channel could take some more messages at once, so that one may be spent."""
        expected = self._expected_replies[channel_id] + SPARE
        return self.rate_limiter.wait_s(channel_id, expected) == 0.0

    @contextlib.contextmanager
    def expect_reply(self, channel_id: int) -> Iterator[None]:
        """Count a command, from receiving it to having replied, as a reply that the channel has to take."""
        self._expected_replies[channel_id] += 1
        try:
            yield
        finally:
            self._expected_replies[channel_id] -= 1
            if not self._expected_replies[channel_id]:
                del self._expected_replies[channel_id]

    def refuse(self, channel: discord.abc.Messageable, channel_id: int, *, is_query: bool = False) -> None:
        """Count a refused command, and schedule the channel's notice; `is_query` counts it in the metrics."""
        if is_query and self._metrics is not None:
            self._metrics.turned_away()
        self._refused[channel_id] += 1
        if self._refused[channel_id] == 1:
            self._background.start(self._notify(channel, channel_id), name="busy notice")

    async def _notify(self, channel: discord.abc.Messageable, channel_id: int) -> None:
        await asyncio.sleep(self._notice_due_s(channel_id))
        async with self.rate_limiter.message_slot(channel_id, Priority.NOTICE):
            refused = self._refused.pop(channel_id)  # includes those refused while waiting for the slot
            self._notified_at[channel_id] = time.monotonic()
            log.warning("fill.turned_away", queries=refused)
            with contextlib.suppress(*DISCORD_ERRORS):
                await channel.send(say("busy_notice", n=refused))

    def _notice_due_s(self, channel_id: int) -> float:
        """Return in how many seconds the channel's next notice is due."""
        if not self.rate_limiter.is_limited:
            return COLLECT_FOR_S
        now = time.monotonic()
        self._notified_at = {one: at for one, at in self._notified_at.items() if now - at < NOTICE_EVERY_S}
        last = self._notified_at.get(channel_id, now - NOTICE_EVERY_S)
        return max(COLLECT_FOR_S, NOTICE_EVERY_S - (now - last))
