"""Reactions on replies → votes. Raw events only: nothing depends on the cache, no message is fetched.

What happened while the bot could not hear is read back afterwards, by `bot.voting`.
"""

from datetime import UTC, datetime

import discord
import structlog
from discord.ext import commands

from bot.answering.in_flight import InFlight
from bot.answering.write_queue import WriteQueue
from bot.client import FillBot
from bot.operations.metrics import Metrics
from bot.voting.reconcile import Reconcile
from bot.voting.thumbs import thumb
from storage.database import Database
from storage.votes.predictions import mark_deleted, prediction_of_message
from storage.votes.reactions import (
    ThumbAdded,
    ThumbChange,
    ThumbRemoved,
    ThumbsCleared,
    may_have_unknown_thumbs,
    sign,
)

log = structlog.stdlib.get_logger(__name__)


class Votes(commands.Cog):
    """Listens; has no commands."""

    def __init__(
        self,
        bot: FillBot,
        database: Database,
        write_queue: WriteQueue,
        in_flight: InFlight,
        *,
        reconcile: Reconcile,
        metrics: Metrics,
    ) -> None:
        """Take what voting needs."""
        self._reconcile, self._metrics = reconcile, metrics
        self._bot, self._database, self._write_queue, self._in_flight = bot, database, write_queue, in_flight

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """A new session: whatever happened since the last one was not told."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_shard_ready(self, _shard_id: int) -> None:
        """The same, where one shard of several had to begin anew: `on_ready` does not come then."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_resumed(self) -> None:
        """The session goes on: what was missed was told again, as far as Discord had kept it."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_reply_lost(self) -> None:
        """A reply may stand that is not noted: it has to be found, and thumbs under it counted."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_malformed_event(self, name: str) -> None:
        """Discord told something that could not be read: it may have been a thumb."""
        if name.startswith("MESSAGE_REACTION"):
            self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """A thumb was given: cast or change the vote."""
        given = self._thumb(payload)
        if given is None or (payload.member is not None and payload.member.bot):
            return
        value = sign(given)
        change = ThumbAdded(payload.message_id, payload.user_id, value, datetime.now(UTC), given)
        words = await self._count(payload.channel_id, change, is_direct=payload.guild_id is None)
        if words:
            self._metrics.vote("reaction", value, words=words)
            log.info("vote.cast", message_id=payload.message_id, via="reaction", value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """A thumb was taken back: the vote goes, or follows another thumb of this person that stands."""
        taken = self._thumb(payload)
        if taken is None:
            return
        value = sign(taken)
        change = ThumbRemoved(payload.message_id, payload.user_id, value, taken, datetime.now(UTC))
        words = await self._count(payload.channel_id, change)
        if words:
            log.info("vote.withdrawn", message_id=payload.message_id, value=value, words=words)
        elif await may_have_unknown_thumbs(self._database, payload.message_id, payload.user_id):
            await self._reconcile.read_again(payload.channel_id, payload.guild_id, payload.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_clear(self, payload: discord.RawReactionClearEvent) -> None:
        """All reactions were cleared: withdraw every thumb."""
        words = await self._count(payload.channel_id, ThumbsCleared(payload.message_id))
        if words:
            log.info("votes.cleared", message_id=payload.message_id, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_clear_emoji(self, payload: discord.RawReactionClearEmojiEvent) -> None:
        """One emoji was cleared: withdraw those thumbs."""
        cleared = thumb(payload.emoji)
        if cleared is None:
            return
        value = sign(cleared)
        change = ThumbsCleared(payload.message_id, value, cleared, datetime.now(UTC))
        words = await self._count(payload.channel_id, change)
        if words:
            log.info("votes.cleared", message_id=payload.message_id, value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A reply was deleted: note it; prediction and votes stay."""
        async with self._in_flight.after_replies(payload.channel_id):
            await mark_deleted(self._database, [payload.message_id], datetime.now(UTC))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Replies were deleted in bulk."""
        async with self._in_flight.after_replies(payload.channel_id):
            await mark_deleted(self._database, payload.message_ids, datetime.now(UTC))

    async def _count(self, channel_id: int, change: ThumbChange, *, is_direct: bool = False) -> int:
        """Store a change, in the order of the events. Returns how many votes it touched.

        In a direct message a thumb waits until its giver was looked up, and what comes after it waits too.
        """
        async with self._in_flight.after_replies(channel_id):
            if isinstance(change, ThumbAdded) and is_direct:
                async with self._reconcile.reply_locks.hold(change.message_id):
                    if not await self._may_vote(change):
                        return 0
                    return await self._write_queue.change_thumbs(change)
            await self._reconcile.reply_locks.wait_for(change.message_id)
            return await self._write_queue.change_thumbs(change)

    async def _may_vote(self, change: ThumbAdded) -> bool:
        """Whether a thumb in a direct message is under a reply, and by a member of a listed server."""
        if await prediction_of_message(self._database, change.message_id) is None:
            return False
        return await self._bot.access.may_vote(change.voter_id, None)

    def _thumb(self, payload: discord.RawReactionActionEvent) -> str | None:
        """Which thumb was given; None for the bot's own, other emoji, and servers that are not listed."""
        if self._bot.user is None or payload.user_id == self._bot.user.id:
            return None
        if payload.guild_id is not None and not self._bot.access.is_listed(payload.guild_id):
            return None
        return thumb(payload.emoji, is_super=payload.burst or payload.type is discord.ReactionType.burst)
