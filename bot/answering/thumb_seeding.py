"""Offers 👍 and 👎 under replies, where that does not take long."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import aiohttp
import discord
import structlog

from bot.background import Background
from bot.connection.rate_limiter import RateLimiter

log = structlog.stdlib.get_logger(__name__)
THUMBS = ("👍", "👎")
UNREACHED = (discord.DiscordException, aiohttp.ClientError, OSError)
MAX_WAITING = 3  # replies of a channel, which takes a reaction in 250 ms
MAX_WAITING_IN_ALL = 30


class ThumbSeeding:
    """Adds the thumbs in the background; where more than a few replies wait for theirs, others get none."""

    def __init__(self, background: Background, rate_limiter: RateLimiter) -> None:
        """Take where to run, and who knows how much waits."""
        self._background, self._rate_limiter = background, rate_limiter
        self._waiting: Counter[int] = Counter()

    def reserve(self, channel_id: int) -> bool:
        """Promise thumbs to a reply that is about to be sent; False: it gets none.

        A promise ends with `seed` or with `release`.
        """
        if self._rate_limiter.is_limited and (
            self._waiting[channel_id] >= MAX_WAITING or self._waiting.total() >= MAX_WAITING_IN_ALL
        ):
            return False
        self._waiting[channel_id] += 1
        return True

    def release(self, channel_id: int) -> None:
        """End a promise."""
        self._waiting[channel_id] -= 1
        if not self._waiting[channel_id]:
            del self._waiting[channel_id]

    def seed(self, reply: discord.Message, channel_id: int) -> None:
        """Keep the promise: add both thumbs in the background."""
        self._background.start(self._add(reply, channel_id), name="thumbs")

    async def _add(self, reply: discord.Message, channel_id: int) -> None:
        with self._released(channel_id):
            for thumb in THUMBS:
                try:
                    await reply.add_reaction(thumb)
                except discord.NotFound:  # deleted meanwhile
                    return
                except discord.Forbidden:
                    log.warning("thumbs.forbidden", channel_id=channel_id)
                    return
                except UNREACHED as error:  # people can still give a thumb of their own
                    log.warning("thumbs.not_offered", message_id=reply.id, reason=str(error))
                    return

    @contextlib.contextmanager
    def _released(self, channel_id: int) -> Iterator[None]:
        try:
            yield
        finally:
            self.release(channel_id)
