"""Reactions on replies → votes. Raw events only: nothing depends on the cache, no message is fetched."""

from datetime import UTC, datetime

import discord
import structlog
from discord.ext import commands

from bot.client import FillBot
from bot.fill.pending import Pending
from bot.fill.recorder import Recorder
from bot.operations.metrics import Metrics
from storage.database import Database
from storage.feedback import Value, mark_deleted
from storage.thumbs import Cast, Cleared, Withdrawn

log = structlog.stdlib.get_logger(__name__)
VALUES: dict[str, Value] = {"👍": 1, "👎": -1}


class Votes(commands.Cog):
    """Listens; has no commands."""

    def __init__(
        self, bot: FillBot, database: Database, recorder: Recorder, pending: Pending, *, metrics: Metrics
    ) -> None:
        """Take what voting needs."""
        self._metrics = metrics
        self._bot, self._database, self._recorder, self._pending = bot, database, recorder, pending

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """A thumb was given: cast or change the vote."""
        value = self._vote_value(payload)
        if value is None or (payload.member is not None and payload.member.bot):
            return
        async with self._pending.counting(payload.channel_id):
            words = await self._recorder.change_thumbs(
                Cast(payload.message_id, payload.user_id, value, datetime.now(UTC))
            )
        if words:
            self._metrics.vote("reaction", value, words=words)
            log.info("vote.cast", message_id=payload.message_id, via="reaction", value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """A thumb was taken back: withdraw the vote, if it is the one that stands."""
        value = self._vote_value(payload)
        if value is None:
            return
        async with self._pending.counting(payload.channel_id):
            words = await self._recorder.change_thumbs(Withdrawn(payload.message_id, payload.user_id, value))
        if words:
            log.info("vote.withdrawn", message_id=payload.message_id, value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_clear(self, payload: discord.RawReactionClearEvent) -> None:
        """All reactions were cleared: withdraw every thumb."""
        async with self._pending.counting(payload.channel_id):
            words = await self._recorder.change_thumbs(Cleared(payload.message_id))
        if words:
            log.info("votes.cleared", message_id=payload.message_id, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_clear_emoji(self, payload: discord.RawReactionClearEmojiEvent) -> None:
        """One emoji was cleared: withdraw those thumbs."""
        value = _value(payload.emoji)
        if value is None:
            return
        async with self._pending.counting(payload.channel_id):
            words = await self._recorder.change_thumbs(Cleared(payload.message_id, value))
        if words:
            log.info("votes.cleared", message_id=payload.message_id, value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A reply was deleted: note it; prediction and votes stay."""
        async with self._pending.counting(payload.channel_id):
            await mark_deleted(self._database, [payload.message_id], datetime.now(UTC))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Replies were deleted in bulk."""
        async with self._pending.counting(payload.channel_id):
            await mark_deleted(self._database, payload.message_ids, datetime.now(UTC))

    def _vote_value(self, payload: discord.RawReactionActionEvent) -> Value | None:
        """What the reaction votes; None for the bot's own, other emoji, and servers that are not listed."""
        if self._bot.user is None or payload.user_id == self._bot.user.id:
            return None
        if payload.guild_id is not None and not self._bot.access.is_listed(payload.guild_id):
            return None
        return _value(payload.emoji)


def _value(emoji: discord.PartialEmoji) -> Value | None:
    """+1, −1, or None; thumbs of any skin tone count."""
    if emoji.id is not None or not emoji.name:
        return None
    return VALUES.get(emoji.name[0])
