"""What Discord says about the replies in a channel: where they are, and which thumbs stand under them."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import discord
from discord.http import HTTPClient
from discord.utils import time_snowflake

from bot.connection.tolerant_parsers import MALFORMED, id_of, reraising_malformed
from bot.voting.thumbs import thumb, thumb_value
from storage.votes.recent_replies import RecentReply

PAGE = 100  # messages, or people, of one request
UNKNOWN_EMOJI = 10014
CONTROLS = re.compile(r"words:(?:fit|unfit):([0-9]{1,18})")  # of `bot.voting.menus`
SENT_WITHIN = timedelta(minutes=2)  # of the prediction; clocks differ


def count_thumbs(message: discord.Message) -> tuple[int, int]:
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


async def read_thumbs(message: discord.Message, http: HTTPClient) -> dict[int, frozenset[str]]:
    """Who gives which thumbs under a reply, without bots; in requests of a hundred people each.

    Raises:
        UnreadableError: a page of people cannot be read, so no vote may be changed.
        discord.NotFound: the reply was deleted meanwhile.
        discord.HTTPException: Discord does not say.
    """
    found: defaultdict[int, set[str]] = defaultdict(set)
    for reaction in message.reactions:
        if reaction.count <= reaction.me + reaction.me_burst:
            continue
        kinds = [discord.ReactionType.normal]
        if reaction.burst_count:
            kinds.append(discord.ReactionType.burst)
        for kind in kinds:
            given = thumb(reaction.emoji, is_super=kind is discord.ReactionType.burst)
            if given is not None:
                async for person_id in _people(reaction, kind, http):
                    found[person_id].add(given)
    return {person_id: frozenset(given) for person_id, given in found.items()}


async def _people(
    reaction: discord.Reaction, kind: discord.ReactionType, http: HTTPClient
) -> AsyncIterator[int]:
    """Everybody who reacted so, also since the reaction was counted; no bots.

    `Reaction.users` asks for one page more than there is, or stops at the number that was counted before.
    """
    message, after = reaction.message, None
    while True:
        try:
            with reraising_malformed():
                page = await http.get_reaction_users(
                    message.channel.id, message.id, str(reaction.emoji), PAGE, after=after, type=kind.value
                )
                people = [(int(person["id"]), bool(person.get("bot"))) for person in page]
        except discord.NotFound as error:
            if error.code == UNKNOWN_EMOJI:  # cleared meanwhile
                return
            raise
        for person_id, is_bot in people:
            if not is_bot:
                yield person_id
        if len(people) < PAGE:
            return
        after = max(person_id for person_id, _ in people)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A hundred messages of a channel at most.

    Attributes:
        messages: by id, newest first; None for one that cannot be read.
        is_full: there may be more.
    """

    messages: Mapping[int, discord.Message | None]
    is_full: bool


async def read_page(
    channel: discord.PartialMessageable, *, before: int | None = None, after: int | None = None
) -> MessagePage:
    """Read messages before or after an id. `channel.history` would end at the first that it cannot read.

    Raises:
        UnreadableError: the answer is no list, or nothing in it has an id.
        discord.HTTPException: Discord does not say.
    """
    state = channel._state
    with reraising_malformed():
        found: list[Any] = list(await state.http.logs_from(channel.id, PAGE, before=before, after=after))
        messages: dict[int, discord.Message | None] = {}
        for raw in found:
            if (message_id := id_of(raw)) is None:
                continue
            try:
                messages[message_id] = state.create_message(channel=channel, data=raw)
            except MALFORMED:
                messages[message_id] = None
        if found and not messages:
            raise ValueError("no message has an id")
    return MessagePage(messages, len(found) == PAGE)


async def find_replies(
    channel: discord.PartialMessageable, known: Iterable[int]
) -> AsyncIterator[tuple[int, discord.Message | None, bool]]:
    """The messages of these ids as they are now, newest first: id, message, whether it is there.

    None is a message that is not there, or cannot be read. One request reads a hundred messages; stretches
    of the channel without a reply are skipped. Raises as `read_page`.
    """
    left = sorted(known, reverse=True)
    while left:
        page = await read_page(channel, before=left[0] + 1)
        oldest = min(page.messages) if page.is_full else 0
        for message_id in left:
            if message_id >= oldest:
                yield message_id, page.messages.get(message_id), message_id in page.messages
        left = [one for one in left if one < oldest]


async def find_unnoted_replies(
    channel: discord.PartialMessageable, replies: Sequence[RecentReply], *, bot_user_id: int
) -> AsyncIterator[tuple[int, discord.Message]]:
    """The messages of predictions whose reply was sent, but not noted: prediction and message.

    The controls under a reply say which prediction it shows. Raises as `read_page`.
    """
    wanted = {reply.prediction_id for reply in replies}
    after = 0
    for at in sorted(reply.created_at for reply in replies):
        after = max(after, time_snowflake(at - SENT_WITHIN))
        while after < time_snowflake(at + SENT_WITHIN):
            page = await read_page(channel, after=after)
            for message_id in sorted(page.messages):
                message = page.messages[message_id]
                author = getattr(message, "author", None)  # discord.py does not miss one that is not there
                if message is None or author is None or author.id != bot_user_id:
                    continue
                shown = shown_prediction(message)
                if shown in wanted and shown is not None:
                    wanted.discard(shown)
                    yield shown, message
            if not page.is_full:  # the end of the channel
                return
            after = max(page.messages)


def shown_prediction(message: discord.Message) -> int | None:
    """The prediction that a reply of the bot shows; None for any other message."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            if match := CONTROLS.fullmatch(str(getattr(item, "custom_id", ""))):
                return int(match[1])
    return None
