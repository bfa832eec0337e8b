"""Reactions: adding, removing and clearing them, with their four events."""

from __future__ import annotations

from dataclasses import replace

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.messages.emoji import is_emoji
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
    old = before or Reaction(emoji)
    if user_id in _givers(old, is_super=is_super):
        return []
    after = _given_by(old, (*_givers(old, is_super=is_super), user_id), is_super=is_super)
    if before is None:
        reactions = (*message.reactions, after)
    else:
        reactions = tuple(after if one is before else one for one in message.reactions)
    world.store(replace(message, reactions=reactions))
    told = _about(world, message, emoji=emoji, user_id=user_id, is_super=is_super)
    if is_super:
        told["burst_colors"] = list(SUPER_COLORS)
    channel = world.channels[message.channel_id]
    member = world.members.get((channel.guild_id or 0, user_id))
    if member is not None:
        told["member"] = member_json(world, member, with_user=True)
    told["message_author_id"] = str(message.author.id)
    return [Event("MESSAGE_REACTION_ADD", told, audience_of(world, message))]


def remove_reaction(
    world: World, message: Message, *, emoji: str, user_id: int, is_super: bool = False
) -> list[Event]:
    """Remove one person's reaction; does nothing without one."""
    check_emoji(emoji)
    before = find_reaction(message, emoji)
    if before is None or user_id not in _givers(before, is_super=is_super):
        return []
    left = tuple(one for one in _givers(before, is_super=is_super) if one != user_id)
    after = _given_by(before, left, is_super=is_super)
    reactions = tuple(after if one is before else one for one in message.reactions)
    world.store(replace(message, reactions=tuple(one for one in reactions if one.user_ids or one.super_ids)))
    told = _about(world, message, emoji=emoji, user_id=user_id, is_super=is_super)
    return [Event("MESSAGE_REACTION_REMOVE", told, audience_of(world, message))]


def _givers(reaction: Reaction, *, is_super: bool) -> tuple[int, ...]:
    return reaction.super_ids if is_super else reaction.user_ids


def _given_by(reaction: Reaction, user_ids: tuple[int, ...], *, is_super: bool) -> Reaction:
    return replace(reaction, super_ids=user_ids) if is_super else replace(reaction, user_ids=user_ids)


def clear_emoji(world: World, message: Message, *, emoji: str) -> list[Event]:
    """Remove all reactions with one emoji from a message."""
    check_emoji(emoji)
    if find_reaction(message, emoji) is None:
        return []
    world.store(replace(message, reactions=tuple(one for one in message.reactions if one.emoji != emoji)))
    told = _about(world, message, emoji=emoji)
    return [Event("MESSAGE_REACTION_REMOVE_EMOJI", told, audience_of(world, message))]


def clear_reactions(world: World, message: Message) -> list[Event]:
    """Remove all reactions from a message."""
    world.store(replace(message, reactions=()))
    return [Event("MESSAGE_REACTION_REMOVE_ALL", _about(world, message), audience_of(world, message))]


def find_reaction(message: Message, emoji: str) -> Reaction | None:
    """Return the message's reaction with this emoji, or None."""
    return next((one for one in message.reactions if one.emoji == emoji), None)


def check_emoji(emoji: str) -> None:
    """Refuse (10014) text that is not a Unicode emoji; the sandbox has no custom ones."""
    if not is_emoji(emoji):
        raise ApiError(Refusal.UNKNOWN_EMOJI)


def _about(
    world: World,
    message: Message,
    *,
    emoji: str | None = None,
    user_id: int | None = None,
    is_super: bool = False,
) -> Json:
    """Return the fields that say which message, which emoji and who."""
    told: Json = {
        "channel_id": str(message.channel_id),
        "message_id": str(message.id),
        **place_json(world.channels[message.channel_id]),
    }
    if emoji is not None:
        told["emoji"] = emoji_json(emoji)
    if user_id is not None:
        told |= {"user_id": str(user_id), "type": int(is_super), "burst": is_super}
    return told
