"""What Discord says about the replies in a channel: where they are, and which thumbs stand under them."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import discord
from discord.http import HTTPClient
from discord.utils import time_snowflake

from bot.rating.thumbs import thumb_value
from storage.recent import RecentReply

PAGE = 100  # messages, or people, of one request
UNKNOWN_EMOJI = 10014
CONTROLS = re.compile(r"words:(?:fit|unfit):([0-9]{1,18})")  # of `bot.rating.menus`
SENT_WITHIN = timedelta(minutes=2)  # of the prediction; clocks differ


@dataclass(frozen=True, slots=True)
class Thumbs:
    """The people who give each thumb under a reply, without bots."""

    up: frozenset[int]
    down: frozenset[int]


def counts(message: discord.Message) -> tuple[int, int]:
    """How many 👍 and 👎 stand under a reply, without the bot's own; some may be other bots'."""
    found = {1: 0, -1: 0}
    for reaction in message.reactions:
        if value := thumb_value(reaction.emoji):
            found[value] += reaction.count - reaction.me - reaction.me_burst
    return found[1], found[-1]


def has_own_thumbs(message: discord.Message) -> bool:
    """Whether both thumbs that the bot offers stand under a reply."""
    own = {thumb_value(one.emoji) for one in message.reactions if one.me}
    return own >= {1, -1}


async def thumbs(message: discord.Message, http: HTTPClient) -> Thumbs:
    """Who gives which thumb under a reply, in requests of a hundred people each.

    Raises:
        discord.NotFound: the reply was deleted meanwhile.
        discord.HTTPException: Discord does not say.
    """
    found: dict[int, set[int]] = {1: set(), -1: set()}
    for reaction in message.reactions:
        value = thumb_value(reaction.emoji)
        if value and reaction.count > reaction.me + reaction.me_burst:
            found[value].update([one async for one in _people(reaction, http)])
    return Thumbs(frozenset(found[1]), frozenset(found[-1]))


async def _people(reaction: discord.Reaction, http: HTTPClient) -> AsyncIterator[int]:
    """Everybody who reacted so, also since the reaction was counted; no bots.

    `Reaction.users` asks for one page more than there is, or stops at the number that was counted before.
    """
    message = reaction.message
    kinds = [discord.ReactionType.normal]
    if reaction.burst_count:
        kinds.append(discord.ReactionType.burst)
    for kind in kinds:
        after = None
        while True:
            try:
                page = await http.get_reaction_users(
                    message.channel.id, message.id, str(reaction.emoji), PAGE, after=after, type=kind.value
                )
            except discord.NotFound as error:
                if error.code == UNKNOWN_EMOJI:  # cleared meanwhile
                    return
                raise
            for person in page:
                if not person.get("bot"):
                    yield int(person["id"])
            if len(page) < PAGE:
                break
            after = max(int(person["id"]) for person in page)


async def found_replies(
    channel: discord.abc.Messageable, known: Iterable[int]
) -> AsyncIterator[discord.Message | int]:
    """The messages of these ids as they are now, newest first; the bare id of one that is not there.

    One request reads a hundred messages; stretches of the channel without a reply are skipped.
    """
    left = sorted(known, reverse=True)
    while left:
        before = discord.Object(left[0] + 1)
        page = {one.id: one async for one in channel.history(limit=PAGE, before=before)}
        oldest = min(page) if len(page) == PAGE else 0
        for message_id in left:
            if message_id >= oldest:
                yield page.get(message_id, message_id)
        left = [one for one in left if one < oldest]


async def unnoted_replies(
    channel: discord.abc.Messageable, replies: Sequence[RecentReply], *, bot_user_id: int
) -> AsyncIterator[tuple[int, discord.Message]]:
    """The messages of predictions whose reply was sent, but not noted: prediction and message.

    The controls under a reply say which prediction it shows.
    """
    wanted = {reply.prediction_id for reply in replies}
    after = 0
    for at in sorted(reply.created_at for reply in replies):
        after = max(after, time_snowflake(at - SENT_WITHIN))
        while after < time_snowflake(at + SENT_WITHIN):
            history = channel.history(limit=PAGE, after=discord.Object(after), oldest_first=True)
            page = [one async for one in history]
            for message in page:
                shown = shown_prediction(message) if message.author.id == bot_user_id else None
                if shown in wanted and shown is not None:
                    wanted.discard(shown)
                    yield shown, message
            if len(page) < PAGE:  # the end of the channel
                return
            after = page[-1].id


def shown_prediction(message: discord.Message) -> int | None:
    """The prediction that a reply of the bot shows; None for any other message."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            if match := CONTROLS.fullmatch(str(getattr(item, "custom_id", ""))):
                return int(match[1])
    return None
