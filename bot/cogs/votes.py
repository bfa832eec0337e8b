"""Records votes from reactions to replies.

It uses raw events only, so no message needs to be cached or fetched. `bot.voting.reconcile` catches up on
events that were missed while the bot was disconnected.
"""

from dataclasses import replace
from datetime import UTC, datetime

import discord
import structlog
from discord.ext import commands

from bot.voting.thumbs import thumb
from bot.wiring import Parts
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
    """Listeners for reactions, and for deleted replies."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._metrics = parts.operations.metrics
        self._write_queue, self._in_flight = parts.storage.write_queue, parts.voting.in_flight
        self._reconcile, self._acknowledgement = parts.voting.reconcile, parts.voting.acknowledgement

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Reconcile: events between two sessions were not delivered."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_shard_ready(self, _shard_id: int) -> None:
        """Reconcile after one of several shards started a new session; `on_ready` does not fire then."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_resumed(self) -> None:
        """Reconcile: Discord replays missed events only as far as it kept them."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_reply_lost(self) -> None:
        """Reconcile: a reply may have been sent without its id being stored."""
        self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_malformed_event(self, name: str) -> None:
        """Reconcile: the event that could not be parsed may have been a reaction."""
        if name.startswith("MESSAGE_REACTION"):
            self._reconcile.schedule_pass()

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """Cast or change a vote."""
        given = self._thumb(payload)
        if given is None or (payload.member is not None and payload.member.bot):
            return
        value = sign(given)
        change = ThumbAdded(payload.message_id, payload.user_id, given, datetime.now(UTC))
        words = await self._count_cast(payload, change)
        if words:
            self._metrics.vote("reaction", value, words=words)
            log.info("vote.cast", message_id=payload.message_id, via="reaction", value=value, words=words)
            self._acknowledgement.thumb_noted(payload.channel_id, payload.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """Withdraw a vote, or fall back to another thumb of the same person."""
        taken = self._thumb(payload)
        if taken is None:
            return
        value = sign(taken)
        change = ThumbRemoved(payload.message_id, payload.user_id, taken, datetime.now(UTC))
        words = await self._count(payload.channel_id, change)
        if words:
            log.info("vote.withdrawn", message_id=payload.message_id, value=value, words=words)
        elif await may_have_unknown_thumbs(self._database, payload.message_id, payload.user_id):
            await self._reconcile.read_again(payload.channel_id, payload.guild_id, payload.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_clear(self, payload: discord.RawReactionClearEvent) -> None:
        """Withdraw all votes by reaction on a reply."""
        change = ThumbsCleared(payload.message_id, datetime.now(UTC))
        words = await self._count(payload.channel_id, change)
        if words:
            log.info("votes.cleared", message_id=payload.message_id, words=words)

    @commands.Cog.listener()
    async def on_raw_reaction_clear_emoji(self, payload: discord.RawReactionClearEmojiEvent) -> None:
        """Withdraw the votes by one emoji on a reply."""
        cleared = thumb(payload.emoji)
        if cleared is None:
            return
        value = sign(cleared)
        change = ThumbsCleared(payload.message_id, datetime.now(UTC), cleared)
        words = await self._count(payload.channel_id, change)
        if words:
            log.info("votes.cleared", message_id=payload.message_id, value=value, words=words)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Mark a reply as deleted; its prediction and votes stay."""
        async with self._in_flight.after_replies(payload.channel_id):
            await mark_deleted(self._database, [payload.message_id], datetime.now(UTC))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Mark replies as deleted."""
        async with self._in_flight.after_replies(payload.channel_id):
            await mark_deleted(self._database, payload.message_ids, datetime.now(UTC))

    async def _count_cast(self, payload: discord.RawReactionActionEvent, change: ThumbAdded) -> int:
        """Store a thumb with its voter's weight. Returns how many votes changed.

        An event in a server includes its voter. In a direct message a vote waits until its voter is looked
        up, and later changes wait for it.
        """
        weights = self._bot.vote_weights
        if payload.member is not None:
            weight = await weights.weight_of(payload.member, payload.guild_id)  # without a request
            return await self._count(payload.channel_id, replace(change, weight=weight))
        async with (
            self._in_flight.after_replies(payload.channel_id),
            self._reconcile.reply_locks.hold(change.message_id),
        ):
            if payload.guild_id is None and not await self._may_vote(change):
                return 0
            weight = await weights.weight_of(discord.Object(change.voter_id), payload.guild_id)
            return await self._write_queue.change_thumbs(replace(change, weight=weight))

    async def _count(self, channel_id: int, change: ThumbChange) -> int:
        """Apply a change of reactions, in the order of the events. Returns how many votes changed."""
        async with self._in_flight.after_replies(channel_id):
            await self._reconcile.reply_locks.wait_for(change.message_id)
            return await self._write_queue.change_thumbs(change)

    async def _may_vote(self, change: ThumbAdded) -> bool:
        """Whether a reaction in a direct message is on a reply, and by a member of an allowed server."""
        if await prediction_of_message(self._database, change.message_id) is None:
            return False
        return await self._bot.access.may_vote(change.voter_id, None)

    def _thumb(self, payload: discord.RawReactionActionEvent) -> str | None:
        """Return the thumb; None for the bot's own, for other emoji, and for servers that are not allowed."""
        if self._bot.user is None or payload.user_id == self._bot.user.id:
            return None
        if payload.guild_id is not None and not self._bot.access.is_listed(payload.guild_id):
            return None
        return thumb(payload.emoji, is_super=payload.burst or payload.type is discord.ReactionType.burst)
