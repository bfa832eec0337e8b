"""Routes for reactions."""

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.messages.reactions import (
    add_reaction,
    check_emoji,
    clear_emoji,
    clear_reactions,
    find_reaction,
    remove_reaction,
)
from bot.sandbox.messages.threads import check_not_archived
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.objects import user_json
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import Channel, Json, Message

REACTIONS = "/channels/{channel_id}/messages/{message_id}/reactions"
OF_EMOJI = REACTIONS + "/{emoji}"

routes = Routes()


@routes.api("PUT", OF_EMOJI + "/@me")
async def add(call: Call) -> None:
    """Add a reaction; a new emoji needs the permission to add reactions."""
    channel, message = call.message()
    check_not_archived(channel)
    emoji, is_super = call.path["emoji"], _is_super(call)
    if is_super and call.user.is_bot:
        raise ApiError(Refusal.MISSING_PERMISSIONS)  # bots cannot give super reactions
    needed = Permission.READ_MESSAGE_HISTORY
    if find_reaction(message, emoji) is None:
        needed |= Permission.ADD_REACTIONS
    call.require(channel, needed)
    call.dispatch(add_reaction(call.world, message, emoji=emoji, user_id=call.user_id, is_super=is_super))


@routes.api("DELETE", OF_EMOJI + "/@me", OF_EMOJI + "/{type:[01]}/@me")
async def remove(call: Call) -> None:
    """Remove the caller's own reaction."""
    channel, message = call.message()
    check_not_archived(channel)
    _remove(call, message, call.user_id)


@routes.api("DELETE", OF_EMOJI + "/{type:[01]}/{user_id}", OF_EMOJI + "/{user_id}")
async def remove_of(call: Call) -> None:
    """Remove a person's reaction; another person's needs the permission to manage messages."""
    channel, message = call.message()
    check_not_archived(channel)
    user_id = call.path_id("user_id")
    if user_id != call.user_id:
        _require_management(call, channel)
    _remove(call, message, user_id)


def _remove(call: Call, message: Message, user_id: int) -> None:
    emoji, is_super = call.path["emoji"], _is_super(call)
    call.dispatch(remove_reaction(call.world, message, emoji=emoji, user_id=user_id, is_super=is_super))


@routes.api("DELETE", OF_EMOJI)
async def clear_one(call: Call) -> None:
    """Remove all reactions with one emoji."""
    call.dispatch(clear_emoji(call.world, _managed_message(call), emoji=call.path["emoji"]))


@routes.api("DELETE", REACTIONS)
async def clear_all(call: Call) -> None:
    """Remove all reactions."""
    call.dispatch(clear_reactions(call.world, _managed_message(call)))


@routes.api("GET", OF_EMOJI)
async def list_users(call: Call) -> list[Json]:
    """Return the users who reacted with an emoji, by id, up to 100 after an id."""
    _, message = call.message()
    check_emoji(call.path["emoji"])
    limit, after = call.query_int("limit", 25, at_most=100), call.query_id("after")
    is_super = _is_super(call)
    reaction = find_reaction(message, call.path["emoji"])
    if reaction is None:
        return []
    givers = sorted(reaction.giver_ids(is_super=is_super))
    page = [user_id for user_id in givers if user_id > after][:limit]
    return [user_json(call.world.users[user_id]) for user_id in page]


def _managed_message(call: Call) -> Message:
    """Return the message of the path, if the caller may remove other people's reactions."""
    channel, message = call.message()
    check_not_archived(channel)
    _require_management(call, channel)
    return message


def _require_management(call: Call, channel: Channel) -> None:
    if channel.guild_id is None:
        raise ApiError(Refusal.DIRECT_CHANNEL)
    call.require(channel, Permission.MANAGE_MESSAGES)


def _is_super(call: Call) -> bool:
    """Return whether path or query name super reactions, which are of type 1."""
    if "type" in call.path:
        return call.path["type"] == "1"
    return call.query_int("type", 0, at_least=0, at_most=1) == 1
