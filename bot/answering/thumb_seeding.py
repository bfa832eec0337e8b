"""Adds 👍 and 👎 to replies, so that people can vote with a click."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import discord
import structlog

from bot.background import Background
from bot.connection.rate_limiter import RateLimiter
from bot.errors import DISCORD_ERRORS
from storage.votes.reactions import SIGNS

log = structlog.stdlib.get_logger(__name__)
MAX_WAITING = 3  # replies of a channel: 1.5 s of reactions
MAX_WAITING_TOTAL = 30


class ThumbSeeding:
    """Adds thumbs in the background; while many replies wait for theirs, further replies get none.

    Discord takes one reaction per 250 ms in a channel, and each reply needs two.
    """

    def __init__(self, background: Background, rate_limiter: RateLimiter) -> None:
        self._background, self._rate_limiter = background, rate_limiter
        self._waiting: Counter[int] = Counter()

    def reserve(self, channel_id: int) -> bool:
        """Reserve thumbs for a reply that is about to be sent; False if it gets none.

        `seed` or `release` must follow.
        """
        if self._rate_limiter.is_limited and (
            self._waiting[channel_id] >= MAX_WAITING or self._waiting.total() >= MAX_WAITING_TOTAL
        ):
            return False
        self._waiting[channel_id] += 1
        return True

    def release(self, channel_id: int) -> None:
        """Cancel a reservation."""
        self._waiting[channel_id] -= 1
        if not self._waiting[channel_id]:
            del self._waiting[channel_id]

    def seed(self, reply: discord.Message, channel_id: int) -> None:
        """Add both reserved thumbs in the background."""
        self._background.start(self._add(reply, channel_id), name="thumbs")

    async def _add(self, reply: discord.Message, channel_id: int) -> None:
        with self._released(channel_id):
            for thumb in SIGNS:
                try:
                    await reply.add_reaction(thumb)
                except discord.NotFound:  # the reply was deleted
                    return
                except discord.Forbidden:
                    log.warning("thumbs.forbidden", channel_id=channel_id)
                    return
                except DISCORD_ERRORS as error:  # people can still add a reaction themselves
                    log.warning("thumbs.not_offered", message_id=reply.id, reason=str(error))
                    return

    @contextlib.contextmanager
    def _released(self, channel_id: int) -> Iterator[None]:
        try:
            yield
        finally:
            self.release(channel_id)
