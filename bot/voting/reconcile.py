"""Reconciles stored votes with the reactions on Discord after a gap in the connection.

A pass covers every reply of the last days, a hundred per request. First it adopts replies that were sent
but whose id was not stored. Then it reads who reacted: to replies whose counts differ from the stored votes
and to the newest ones; finally to all others with reactions, since one person may have removed a thumb while
another added one. Queries are answered and votes recorded meanwhile; only events under a reply that is being
read wait. A pass is idempotent, so a failed one is repeated as a whole.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import discord
import structlog

from bot.answering.write_queue import WriteQueue
from bot.client import FillBot
from bot.connection.tolerant_parsers import UnreadableError, reraising_malformed
from bot.errors import DISCORD_ERRORS
from bot.permissions import known_permissions
from bot.voting.channel_history import (
    count_thumbs,
    find_replies,
    find_unlinked_replies,
    has_own_thumbs,
    read_thumbs,
)
from bot.voting.message_locks import MessageLocks
from storage.database import Database
from storage.errors import StorageError
from storage.people.tombstones import delete_tombstones
from storage.votes.predictions import adopt_message, mark_deleted
from storage.votes.reactions import ThumbsRead, reaction_votes, sign
from storage.votes.recent_replies import RecentReply, recent_replies

log = structlog.stdlib.get_logger(__name__)
DEBOUNCE_S = 0.5  # several events report the same gap
ALWAYS_READ = 50  # newest replies, read after a gap even if their counts match
EVERY_S = 600.0  # without a gap, since an event may be lost or out of order
RETRY_AFTER_S, MAX_RETRY_AFTER_S = 2.0, 60.0  # after a failed pass, doubling each time
NO_MESSAGES = (50008, 50024)  # codes for a channel type without messages
AT_ONCE = 4  # replies read concurrently
LOG_EVERY_S = 5.0
MAX_AGE = timedelta(days=30)  # the setting's maximum; older fingerprints are not needed
FAILURES = (*DISCORD_ERRORS, StorageError)


@dataclass(slots=True)
class PassResult:
    """Counts of one pass."""

    replies: int = 0
    read: int = 0
    votes: int = 0
    adopted: int = 0
    deleted: int = 0
    may_vote: dict[int, bool] = field(default_factory=dict)  # looked up for direct messages
    weights: dict[tuple[int | None, int], float] = field(default_factory=dict)  # of (server, person)
    logged_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _ChannelReplies:
    """The replies of one channel, by urgency."""

    differing: list[discord.Message]
    others: list[discord.Message]
    missing: list[int]


class Reconcile:
    """Runs one pass at a time, after each gap and every ten minutes."""

    def __init__(
        self,
        bot: FillBot,
        database: Database,
        write_queue: WriteQueue,
        *,
        offer_thumbs: Callable[[discord.Message], None],
        max_age: timedelta,
        max_replies: int,
        since: datetime | None = None,
    ) -> None:
        """Build it; `run` starts it.

        Args:
            bot: Reads from Discord.
            database: Holds the replies and votes.
            write_queue: Applies changes in the order of events.
            offer_thumbs: Adds the bot's own thumbs to a reply, in the background.
            max_age: Older replies are skipped.
            max_replies: The newest replies to cover.
            since: The server has no message from before this time; None if it may.
        """
        self._bot, self._database, self._write_queue = bot, database, write_queue
        self._offer_thumbs = offer_thumbs
        self._max_age, self._max_replies, self._since = max_age, max_replies, since
        self.reply_locks = MessageLocks()  # events under a reply wait while its reactions are read
        self._requested = asyncio.Event()
        self._is_gap = False
        self._unreadable: set[int] = set()  # channels and messages that were logged
        self._unsent: set[int] = set()  # predictions without a reply on Discord

    def schedule_pass(self) -> None:
        """Request a pass soon, since events may have been missed."""
        self._is_gap = True
        self._requested.set()

    async def run(self) -> None:
        """Run a pass after every gap, and periodically, until cancelled."""
        retry_after_s = RETRY_AFTER_S
        while True:
            try:
                async with asyncio.timeout(EVERY_S):  # Python 3.11's `wait_for` may swallow a cancellation
                    await self._requested.wait()
                await asyncio.sleep(DEBOUNCE_S)
            except TimeoutError:
                pass
            self._requested.clear()
            is_gap, self._is_gap = self._is_gap, False
            try:
                await self.reconcile(is_gap=is_gap)
                retry_after_s = RETRY_AFTER_S
            except BaseException as error:
                self._is_gap |= is_gap
                self._requested.set()  # repeat the pass, here or after this loop is restarted
                if not isinstance(error, FAILURES):
                    raise
                log.warning("reconcile.failed", reason=str(error), again_s=retry_after_s)
                await asyncio.sleep(retry_after_s)
                retry_after_s = min(2 * retry_after_s, MAX_RETRY_AFTER_S)

    async def reconcile(self, *, is_gap: bool) -> PassResult:
        """Run one pass over all recent replies; without a gap only over those whose counts differ.

        Raises:
            StorageError, discord.DiscordException: The pass failed; the changes so far are kept.
        """
        started, now = time.monotonic(), datetime.now(UTC)
        await delete_tombstones(self._database, now - MAX_AGE)
        since = max(filter(None, (now - self._max_age, self._since)))
        shards = self._bot.shards_here
        replies = await recent_replies(
            self._database, since, limit=self._max_replies, shards=(shards.ids, shards.count)
        )
        replies = [one for one in replies if one.guild_id is None or self._bot.access.is_listed(one.guild_id)]
        replies = [one for one in replies if self._is_readable(one.channel_id)]
        done = PassResult(len(replies))
        if is_gap and replies:
            log.info("reconcile.started", replies=len(replies))
        newest = {one.message_id for one in replies[: ALWAYS_READ if is_gap else 0]}
        others: list[discord.Message] = []
        missing: list[tuple[discord.PartialMessageable, int]] = []
        for channel, in_channel in self._by_channel(replies):
            found_here = await self._find_in_channel(channel, in_channel, newest, done)
            await self._read(found_here.differing, done)
            others += found_here.others
            missing += [(channel, message_id) for message_id in found_here.missing]
        for channel, message_id in missing:
            done.deleted += await self._note_deleted(channel, message_id)
        if is_gap:
            await self._read(others, done, is_urgent=False)
        if is_gap or done.votes or done.adopted:
            log.info(
                "reconcile.finished",
                replies=done.replies,
                read=done.read,
                votes_changed=done.votes,
                adopted=done.adopted,
                deleted=done.deleted,
                duration_s=round(time.monotonic() - started, 1),
            )
        return done

    async def read_again(self, channel_id: int, guild_id: int | None, message_id: int) -> None:
        """Read the reactions to one reply now; if that fails, the next pass does it."""
        channel = self._bot.get_partial_messageable(channel_id, guild_id=guild_id)
        try:
            await self._read_one(channel.get_partial_message(message_id), PassResult())
        except FAILURES as error:
            log.warning("reconcile.reply_not_readable", message_id=message_id, reason=str(error))

    def _is_readable(self, channel_id: int) -> bool:
        """Whether the bot may read a channel, as far as it knows; slash commands work in others, too."""
        channel = self._bot.get_channel(channel_id)
        guild = getattr(channel, "guild", None)
        allowed = known_permissions(channel, guild.me) if guild is not None else None
        return allowed is None or (allowed.view_channel and allowed.read_message_history)

    def _by_channel(
        self, replies: Iterable[RecentReply]
    ) -> list[tuple[discord.PartialMessageable, list[RecentReply]]]:
        """Group replies by channel; the channel with the newest reply comes first."""
        channels: dict[tuple[int, int | None], list[RecentReply]] = {}
        for reply in replies:
            channels.setdefault((reply.channel_id, reply.guild_id), []).append(reply)
        return [
            (self._bot.get_partial_messageable(channel_id, guild_id=guild_id), found)
            for (channel_id, guild_id), found in channels.items()
        ]

    async def _find_in_channel(
        self,
        channel: discord.PartialMessageable,
        replies: list[RecentReply],
        newest: set[int | None],
        done: PassResult,
    ) -> _ChannelReplies:
        """Find the replies of a channel, and adopt those whose message id was not stored."""
        found_here = _ChannelReplies([], [], [])
        known = {one.message_id: one for one in replies if one.message_id is not None}
        unlinked = [
            one for one in replies if one.message_id is None and one.prediction_id not in self._unsent
        ]
        try:
            async for message in self._adopt(channel, unlinked):
                found_here.differing.append(message)
                done.adopted += 1
            async for message_id, found, is_there in find_replies(channel, known):
                if found is None and is_there:
                    self._log_unreadable(channel.id, message_id, "its shape is not known")
                elif found is None:
                    found_here.missing.append(message_id)
                elif found.id in newest or count_thumbs(found) != (known[found.id].up, known[found.id].down):
                    found_here.differing.append(found)
                elif any(count_thumbs(found)):
                    found_here.others.append(found)
        except UnreadableError as error:
            self._log_unreadable(channel.id, None, str(error))
        except discord.HTTPException as error:
            if error.code not in NO_MESSAGES and not isinstance(error, discord.NotFound | discord.Forbidden):
                raise
            self._log_unreadable(channel.id, None, error.text)
        return found_here

    def _log_unreadable(self, channel_id: int, message_id: int | None, reason: str) -> None:
        """Log once that a channel, or a message in it, is skipped."""
        if (message_id or channel_id) in self._unreadable:
            return
        self._unreadable.add(message_id or channel_id)
        if message_id is None:
            log.warning("reconcile.channel_not_readable", channel_id=channel_id, reason=reason)
        else:
            log.warning(
                "reconcile.message_not_readable", channel_id=channel_id, message_id=message_id, reason=reason
            )

    async def _adopt(
        self, channel: discord.PartialMessageable, unlinked: list[RecentReply]
    ) -> AsyncIterator[discord.Message]:
        """Yield replies that were sent before a crash, after storing their message ids."""
        assert self._bot.user is not None
        async for prediction_id, message in find_unlinked_replies(
            channel, unlinked, bot_user_id=self._bot.user.id
        ):
            if not await adopt_message(self._database, prediction_id, message.id):
                continue  # it was still being sent, and is stored by now
            if not has_own_thumbs(message):
                self._offer_thumbs(message)
            yield message
        # Recent ones may still be on their way; the next pass looks for them again.
        settled = datetime.now(UTC) - timedelta(minutes=5)
        self._unsent |= {one.prediction_id for one in unlinked if one.created_at < settled}

    async def _read(
        self, messages: list[discord.Message], done: PassResult, *, is_urgent: bool = True
    ) -> None:
        """Read the reactions to some replies; stop at the next gap if it is not urgent."""
        for start in range(0, len(messages), AT_ONCE):
            if not is_urgent and self._requested.is_set():
                return
            some = messages[start : start + AT_ONCE]
            done.votes += sum(await asyncio.gather(*(self._read_one(message, done) for message in some)))
            done.read += len(some)
            if time.monotonic() - done.logged_at > LOG_EVERY_S:
                done.logged_at = time.monotonic()
                log.info(
                    "reconcile.progress", read=done.read, of_at_most=done.replies, votes_changed=done.votes
                )

    async def _read_one(self, message: discord.Message | discord.PartialMessage, done: PassResult) -> int:
        """Make the stored votes on a reply equal to its reactions. Returns how many changed."""
        async with self.reply_locks.hold(message.id):
            try:
                # Fetch again: an emoji added since the pass began would look as if it had no people.
                with reraising_malformed():
                    now = await message.channel.fetch_message(message.id)
                found = await read_thumbs(now, self._bot.http)
            except discord.NotFound:
                await mark_deleted(self._database, [message.id], datetime.now(UTC))
                return 0
            except discord.Forbidden as error:  # a permission was removed meanwhile
                self._log_unreadable(message.channel.id, message.id, error.text)
                return 0
            except UnreadableError as error:
                self._log_unreadable(message.channel.id, message.id, str(error))
                return 0
            gone = await self._non_members(now, found, done)
            weights = await self._weights(now, found, done)
            change = ThumbsRead(message.id, found, datetime.now(UTC), gone, weights)
            return await self._write_queue.change_thumbs(change)

    async def _non_members(
        self, message: discord.Message, people: Collection[int], done: PassResult
    ) -> frozenset[int]:
        """Return the people who left the allowed servers, if this is a direct message."""
        if getattr(message.channel, "guild_id", None) is not None:
            return frozenset()
        for person in people:
            if person not in done.may_vote:
                done.may_vote[person] = await self._bot.access.may_vote(person, None)
        return frozenset(person for person in people if not done.may_vote[person])

    async def _weights(
        self, message: discord.Message, given: Mapping[int, frozenset[str]], done: PassResult
    ) -> dict[int, float]:
        """Look up the weights of votes that are new or change, once per person and pass."""
        if self._bot.vote_weights.is_uniform:
            return {}
        guild_id = getattr(message.channel, "guild_id", None) or (message.guild.id if message.guild else None)
        stored = await reaction_votes(self._database, message.id)
        weights = {}
        for person, thumbs in given.items():
            if stored.get(person) in {sign(one) for one in thumbs}:
                continue
            who = guild_id, person
            if who not in done.weights:
                done.weights[who] = await self._bot.vote_weights.weight_of(discord.Object(person), guild_id)
            weights[person] = done.weights[who]
        return weights

    async def _note_deleted(self, channel: discord.PartialMessageable, message_id: int) -> int:
        """Mark a reply as deleted if a request confirms it: a channel without read access looks empty."""
        try:
            with reraising_malformed():
                await channel.fetch_message(message_id)
        except discord.NotFound:
            return await mark_deleted(self._database, [message_id], datetime.now(UTC))
        except discord.Forbidden:
            return 0
        except UnreadableError as error:  # the message exists
            self._log_unreadable(channel.id, message_id, str(error))
        return 0
