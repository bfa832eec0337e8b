"""After a gap, compares the thumbs under recent replies with the stored votes, and lets the votes follow.

A pass looks at every reply within the look-back, a hundred a request. It first adopts replies that were sent
and not noted. Then it reads who gives the thumbs: of replies whose numbers differ from what is stored, and of
the newest; and last of all the others that have any, since one thumb may have been taken back and another
given. Queries are answered, and thumbs counted, meanwhile; only what happens under a reply that is being read
waits for that. Doing it twice is the same as doing it once, so that a pass that fails is done again whole.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import structlog

from bot.answering.write_queue import WriteQueue
from bot.client import FillBot
from bot.connection.tolerant_parsers import UnreadableError, reraising_malformed
from bot.permissions import known_permissions
from bot.voting.channel_history import (
    count_thumbs,
    find_replies,
    find_unnoted_replies,
    has_own_thumbs,
    read_thumbs,
)
from bot.voting.non_members import non_members
from bot.voting.reply_locks import ReplyLocks
from storage.database import Database
from storage.errors import StorageError
from storage.people.tombstones import delete_tombstones
from storage.votes.predictions import mark_deleted
from storage.votes.reactions import ThumbsRead
from storage.votes.recent_replies import RecentReply, recent_replies

log = structlog.stdlib.get_logger(__name__)
DEBOUNCE_S = 0.5  # gaps come in bursts
ALWAYS_READ = 50  # of the newest replies, after a gap
EVERY_S = 600.0  # without a gap: an event may be lost, or come out of order
AGAIN_S, AGAIN_AT_MOST_S = 2.0, 60.0  # after a pass that failed; twice as long each time
NO_MESSAGES = (50008, 50024)  # Discord's codes where a channel holds no messages, as after a change of type
AT_ONCE = 4  # replies that are read at the same time
TELL_EVERY_S = 5.0
MAX_LOOK_BACK = timedelta(days=30)  # by the setting's bounds: no fingerprint is needed for longer
FAILURES = (StorageError, discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)


@dataclass(slots=True)
class PassResult:
    """What one pass has done so far."""

    replies: int = 0
    read: int = 0
    votes: int = 0
    adopted: int = 0
    deleted: int = 0
    may_vote: dict[int, bool] = field(default_factory=dict)  # of people who gave thumbs in direct messages
    told_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Look:
    """Replies of one channel as Discord shows them, by how much they matter."""

    differing: list[discord.Message]
    others: list[discord.Message]
    missing: list[int]


class Reconcile:
    """Waits for gaps; one pass at a time."""

    def __init__(
        self,
        bot: FillBot,
        database: Database,
        write_queue: WriteQueue,
        *,
        offer_thumbs: Callable[[discord.Message], None],
        look_back: timedelta,
        max_replies: int,
        since: datetime | None = None,
    ) -> None:
        """Take what it compares.

        Args:
            bot: reads from Discord.
            database: holds the replies.
            write_queue: counts thumbs in order.
            offer_thumbs: puts them under a reply that has none of the bot's, in the background.
            look_back: replies that are older are left alone.
            max_replies: of the newest.
            since: what is older is not on this server at all.
        """
        self._bot, self._database, self._write_queue = bot, database, write_queue
        self._offer_thumbs = offer_thumbs
        self._look_back, self._max_replies, self._since = look_back, max_replies, since
        self.reply_locks = ReplyLocks()
        self._asked = asyncio.Event()
        self._is_gap = False
        self._unreadable: set[int] = set()  # channels and messages of which that is said already
        self._unsent: set[int] = set()  # predictions that were looked for, and never sent

    def schedule_pass(self) -> None:
        """Something may have been missed: let a pass begin soon."""
        self._is_gap = True
        self._asked.set()

    async def run(self) -> None:
        """Do a pass after every gap, and now and then, for ever."""
        again_s = AGAIN_S
        while True:
            try:
                async with asyncio.timeout(EVERY_S):  # `wait_for` of Python 3.11 may swallow that it is ended
                    await self._asked.wait()
                await asyncio.sleep(DEBOUNCE_S)
            except TimeoutError:
                pass
            self._asked.clear()
            is_gap, self._is_gap = self._is_gap, False
            try:
                await self.reconcile(is_gap=is_gap)
                again_s = AGAIN_S
            except BaseException as error:
                self._is_gap |= is_gap
                self._asked.set()  # the pass is done again, here or after a restart of this loop
                if not isinstance(error, FAILURES):
                    raise
                log.warning("reconcile.failed", reason=str(error), again_s=again_s)
                await asyncio.sleep(again_s)
                again_s = min(2 * again_s, AGAIN_AT_MOST_S)

    async def reconcile(self, *, is_gap: bool) -> PassResult:
        """One pass over all recent replies; without a gap only where the numbers differ.

        Raises:
            StorageError, discord.DiscordException: it could not be finished; what was done stays.
        """
        started, now = time.monotonic(), datetime.now(UTC)
        await delete_tombstones(self._database, now - MAX_LOOK_BACK)
        since = max(filter(None, (now - self._look_back, self._since)))
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
            look = await self._look(channel, in_channel, newest, done)
            await self._read(look.differing, done)
            others += look.others
            missing += [(channel, message_id) for message_id in look.missing]
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
        """Read the thumbs of one reply now; what cannot be read is left to the next pass."""
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
        """Channels, the one with the newest reply first."""
        channels: dict[tuple[int, int | None], list[RecentReply]] = {}
        for reply in replies:
            channels.setdefault((reply.channel_id, reply.guild_id), []).append(reply)
        return [
            (self._bot.get_partial_messageable(channel_id, guild_id=guild_id), found)
            for (channel_id, guild_id), found in channels.items()
        ]

    async def _look(
        self,
        channel: discord.PartialMessageable,
        replies: list[RecentReply],
        newest: set[int | None],
        done: PassResult,
    ) -> _Look:
        """Find the replies of a channel; those that were not noted are adopted."""
        look = _Look([], [], [])
        known = {one.message_id: one for one in replies if one.message_id is not None}
        unnoted = [one for one in replies if one.message_id is None and one.prediction_id not in self._unsent]
        try:
            async for message in self._adopted(channel, unnoted):
                look.differing.append(message)
                done.adopted += 1
            async for message_id, found, is_there in find_replies(channel, known):
                if found is None and is_there:
                    self._tell_unreadable(channel.id, message_id, "its shape is not known")
                elif found is None:
                    look.missing.append(message_id)
                elif found.id in newest or count_thumbs(found) != (known[found.id].up, known[found.id].down):
                    look.differing.append(found)
                elif any(count_thumbs(found)):
                    look.others.append(found)
        except UnreadableError as error:
            self._tell_unreadable(channel.id, None, str(error))
        except discord.HTTPException as error:
            if error.code not in NO_MESSAGES and not isinstance(error, discord.NotFound | discord.Forbidden):
                raise
            self._tell_unreadable(channel.id, None, error.text)
        return look

    def _tell_unreadable(self, channel_id: int, message_id: int | None, reason: str) -> None:
        """Log once that a channel, or a message in it, is passed over."""
        if (message_id or channel_id) in self._unreadable:
            return
        self._unreadable.add(message_id or channel_id)
        if message_id is None:
            log.warning("reconcile.channel_not_readable", channel_id=channel_id, reason=reason)
        else:
            log.warning(
                "reconcile.message_not_readable", channel_id=channel_id, message_id=message_id, reason=reason
            )

    async def _adopted(
        self, channel: discord.PartialMessageable, unnoted: list[RecentReply]
    ) -> AsyncIterator[discord.Message]:
        """Replies that the bot sent and was stopped before noting."""
        assert self._bot.user is not None
        async for prediction_id, message in find_unnoted_replies(
            channel, unnoted, bot_user_id=self._bot.user.id
        ):
            await self._write_queue.attach(prediction_id, message.id)
            if not has_own_thumbs(message):
                self._offer_thumbs(message)
            yield message
        # Those that are on their way just now are noted in a moment, and found by the next pass.
        settled = datetime.now(UTC) - timedelta(minutes=5)
        self._unsent |= {one.prediction_id for one in unnoted if one.created_at < settled}

    async def _read(
        self, messages: list[discord.Message], done: PassResult, *, is_urgent: bool = True
    ) -> None:
        """Read the thumbs of some replies; what is not urgent makes way for the next gap."""
        for start in range(0, len(messages), AT_ONCE):
            if not is_urgent and self._asked.is_set():
                return
            some = messages[start : start + AT_ONCE]
            done.votes += sum(await asyncio.gather(*(self._read_one(message, done) for message in some)))
            done.read += len(some)
            if time.monotonic() - done.told_at > TELL_EVERY_S:
                done.told_at = time.monotonic()
                log.info(
                    "reconcile.progress", read=done.read, of_at_most=done.replies, votes_changed=done.votes
                )

    async def _read_one(self, message: discord.Message | discord.PartialMessage, done: PassResult) -> int:
        """Let the votes on a reply be the thumbs under it. Returns how many changed."""
        async with self.reply_locks.hold(message.id):
            try:
                # As it is now: an emoji that was not there at the look would be taken for one without people.
                with reraising_malformed():
                    now = await message.channel.fetch_message(message.id)
                found = await read_thumbs(now, self._bot.http)
            except discord.NotFound:
                await mark_deleted(self._database, [message.id], datetime.now(UTC))
                return 0
            except discord.Forbidden as error:  # a permission was taken away since the look
                self._tell_unreadable(message.channel.id, message.id, error.text)
                return 0
            except UnreadableError as error:
                self._tell_unreadable(message.channel.id, message.id, str(error))
                return 0
            gone = await non_members(now, found, self._bot.access, done.may_vote)
            change = ThumbsRead(message.id, found, datetime.now(UTC), gone)
            return await self._write_queue.change_thumbs(change)

    async def _note_deleted(self, channel: discord.PartialMessageable, message_id: int) -> int:
        """Note that a reply is gone, if it is: a channel whose history may not be read looks empty."""
        try:
            with reraising_malformed():
                await channel.fetch_message(message_id)
        except discord.NotFound:
            return await mark_deleted(self._database, [message_id], datetime.now(UTC))
        except discord.Forbidden:
            return 0
        except UnreadableError as error:  # it is there
            self._tell_unreadable(channel.id, message_id, str(error))
        return 0
