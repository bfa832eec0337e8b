"""Reads replies and their reactions from Discord's REST API."""

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

PAGE = 100  # messages or people per request, Discord's maximum
UNKNOWN_EMOJI = 10014
CONTROLS = re.compile(r"words:(?:fit|unfit):([0-9]{1,18})")  # custom ids of `bot.voting.menus`
# After the prediction; covers clock differences between the bot and Discord.
SENT_WITHIN = timedelta(minutes=2)


def count_thumbs(message: discord.Message) -> tuple[int, int]:
    """Return the numbers of 👍 and 👎 on a reply, without the bot's own; other bots' are included."""
    found = {1: 0, -1: 0}
    for reaction in message.reactions:
        if value := thumb_value(reaction.emoji):
            found[value] += reaction.count - reaction.me - reaction.me_burst
    return found[1], found[-1]


def has_own_thumbs(message: discord.Message) -> bool:
    """Whether the reply has both of the bot's own reactions."""
    own = {thumb_value(one.emoji) for one in message.reactions if one.me}
    return own >= {1, -1}


async def read_thumbs(message: discord.Message, http: HTTPClient) -> dict[int, frozenset[str]]:
    """Fetch who reacted with which thumbs, without bots; one request per hundred people.

    Raises:
        UnreadableError: A page cannot be parsed, so no vote may be changed.
        discord.NotFound: The reply was deleted.
        discord.HTTPException: The request failed.
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
    """Yield the people who reacted this way, without bots.

    `Reaction.users` makes one request too many, or stops at the count that it knew beforehand.
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
            if error.code == UNKNOWN_EMOJI:  # the emoji was cleared
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
    """Up to a hundred messages of a channel.

    Attributes:
        messages: By id, newest first; None where a message cannot be parsed.
        is_full: Whether there may be more.
    """

    messages: Mapping[int, discord.Message | None]
    is_full: bool


async def read_page(
    channel: discord.PartialMessageable, *, before: int | None = None, after: int | None = None
) -> MessagePage:
    """Fetch messages before or after an id. `channel.history` would stop at the first that it cannot parse.

    Raises:
        UnreadableError: The response is no list, or nothing in it has an id.
        discord.HTTPException: The request failed.
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
    """Yield (id, message, whether it exists) for these message ids, newest first.

    The message is None if it is missing or cannot be parsed. A request covers a hundred messages; stretches
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


async def find_unlinked_replies(
    channel: discord.PartialMessageable, replies: Sequence[RecentReply], *, bot_user_id: int
) -> AsyncIterator[tuple[int, discord.Message]]:
    """Yield (prediction id, message) of replies that were sent, but whose message id was not stored.

    The custom ids of a reply's controls hold its prediction id. Raises as `read_page`.
    """
    wanted = {reply.prediction_id for reply in replies}
    after = 0
    for at in sorted(reply.created_at for reply in replies):
        after = max(after, time_snowflake(at - SENT_WITHIN))
        while after < time_snowflake(at + SENT_WITHIN):
            page = await read_page(channel, after=after)
            for message_id in sorted(page.messages):
                message = page.messages[message_id]
                author = getattr(message, "author", None)  # discord.py accepts messages without one
                if message is None or author is None or author.id != bot_user_id:
                    continue
                shown = shown_prediction(message)
                if shown in wanted and shown is not None:
                    wanted.discard(shown)
                    yield shown, message
            if not page.is_full:  # end of the channel
                return
            after = max(page.messages)


def shown_prediction(message: discord.Message) -> int | None:
    """Return the id of the prediction that a message shows; None if it is no reply of the bot."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            if match := CONTROLS.fullmatch(str(getattr(item, "custom_id", ""))):
                return int(match[1])
    return None
