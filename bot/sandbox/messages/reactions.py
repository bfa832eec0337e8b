"""Reactions: adding, removing and clearing them, with their four events."""

from dataclasses import replace

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import is_emoji
from bot.sandbox.messages.message_objects import SUPER_COLORS, audience_of, emoji_json, place_json
from bot.sandbox.world.objects import member_json
from bot.sandbox.world.state import Event, Json, Message, Reaction, World

MAX_DIFFERENT_REACTIONS = 20


def add_reaction(
    world: World, message: Message, *, emoji: str, user_id: int, is_super: bool = False
) -> list[Event]:
    """Give a reaction; giving it again changes nothing. One person may give an emoji in both ways.

    Raises:
        ApiError: The emoji is none, or the message has 20 different reactions already.
    """
    check_emoji(emoji)
    before = find_reaction(message, emoji)
    if before is None and len(message.reactions) >= MAX_DIFFERENT_REACTIONS:
        raise ApiError(Refusal.TOO_MANY_REACTIONS)
    given = before.given if before else ()
    if (user_id, is_super) in given:
        return []
    _set_given(world, message, emoji, (*given, (user_id, is_super)))
    body = _place_of(world, message) | _giver_json(emoji, user_id, is_super=is_super)
    if is_super:
        body["burst_colors"] = list(SUPER_COLORS)
    if member := world.member_in(world.channels[message.channel_id], user_id):
        body["member"] = member_json(world, member, with_user=True)
    body["message_author_id"] = str(message.author.id)
    return [Event("MESSAGE_REACTION_ADD", body, audience_of(world, message))]


def remove_reaction(
    world: World, message: Message, *, emoji: str, user_id: int, is_super: bool = False
) -> list[Event]:
    """Remove one person's reaction; does nothing without one."""
    check_emoji(emoji)
    before = find_reaction(message, emoji)
    if before is None or (user_id, is_super) not in before.given:
        return []
    left = tuple(one for one in before.given if one != (user_id, is_super))
    _set_given(world, message, emoji, left)
    body = _place_of(world, message) | _giver_json(emoji, user_id, is_super=is_super)
    return [Event("MESSAGE_REACTION_REMOVE", body, audience_of(world, message))]


def clear_emoji(world: World, message: Message, *, emoji: str) -> list[Event]:
    """Remove all reactions with one emoji from a message."""
    check_emoji(emoji)
    if find_reaction(message, emoji) is None:
        return []
    _set_given(world, message, emoji, ())
    body = _place_of(world, message) | {"emoji": emoji_json(emoji)}
    return [Event("MESSAGE_REACTION_REMOVE_EMOJI", body, audience_of(world, message))]


def clear_reactions(world: World, message: Message) -> list[Event]:
    """Remove all reactions from a message."""
    world.store(replace(message, reactions=()))
    return [Event("MESSAGE_REACTION_REMOVE_ALL", _place_of(world, message), audience_of(world, message))]


def _set_given(world: World, message: Message, emoji: str, given: tuple[tuple[int, bool], ...]) -> None:
    """Replace who gave an emoji, in its place among the message's reactions."""
    by_emoji = {one.emoji: one for one in message.reactions} | {emoji: Reaction(emoji, given)}
    reactions = tuple(one for one in by_emoji.values() if one.given)
    world.store(replace(message, reactions=reactions))


def find_reaction(message: Message, emoji: str) -> Reaction | None:
    """Return the message's reaction with this emoji, or None."""
    return next((one for one in message.reactions if one.emoji == emoji), None)


def check_emoji(emoji: str) -> None:
    """Refuse (10014) text that is not a Unicode emoji; the sandbox has no custom ones."""
    if not is_emoji(emoji):
        raise ApiError(Refusal.UNKNOWN_EMOJI)


def _place_of(world: World, message: Message) -> Json:
    """Return the fields of an event that say which message it is about."""
    return {"message_id": str(message.id), **place_json(world.channels[message.channel_id])}


def _giver_json(emoji: str, user_id: int, *, is_super: bool) -> Json:
    """Return the fields of an event that say which reaction it is about, and whose."""
    giver = {"user_id": str(user_id), "type": int(is_super), "burst": is_super}
    return giver | {"emoji": emoji_json(emoji)}
