"""Routes for reactions."""

from __future__ import annotations

from aiohttp import web

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
from bot.sandbox.rest.api import GATEWAY, PREFIX, WORLD, answer, nothing, path_id, query_int
from bot.sandbox.rest.messages import seen_message
from bot.sandbox.world.objects import user_json
from bot.sandbox.world.permissions import Permission, may
from bot.sandbox.world.state import Message


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    reactions = PREFIX + "/channels/{channel_id}/messages/{message_id}/reactions"
    app.router.add_delete(reactions, clear_all)
    app.router.add_get(reactions + "/{emoji}", list_users)
    app.router.add_delete(reactions + "/{emoji}", clear_one)
    app.router.add_put(reactions + "/{emoji}/@me", add)
    app.router.add_delete(reactions + "/{emoji}/@me", remove)
    app.router.add_delete(reactions + "/{emoji}/{type:[01]}/@me", remove)
    app.router.add_delete(reactions + "/{emoji}/{type:[01]}/{user_id}", remove_of)
    app.router.add_delete(reactions + "/{emoji}/{user_id}", remove_of)


async def add(request: web.Request) -> web.Response:
    """Add a reaction; a new emoji needs the permission to add reactions."""
    user_id, channel, message = seen_message(request)
    world, emoji = request.app[WORLD], request.match_info["emoji"]
    check_not_archived(channel)
    is_super = _is_super(request)
    if is_super and world.users[user_id].is_bot:
        raise ApiError(Refusal.MISSING_PERMISSIONS)  # bots cannot give super reactions
    is_new = find_reaction(message, emoji) is None
    needed = Permission.READ_MESSAGE_HISTORY | (Permission.ADD_REACTIONS if is_new else 0)
    if not may(world, user_id, channel, needed):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    request.app[GATEWAY].dispatch(
        add_reaction(world, message, emoji=emoji, user_id=user_id, is_super=is_super)
    )
    return nothing()


async def remove(request: web.Request) -> web.Response:
    """Remove the caller's own reaction."""
    user_id, channel, message = seen_message(request)
    check_not_archived(channel)
    return _remove(request, message, user_id)


async def remove_of(request: web.Request) -> web.Response:
    """Remove a person's reaction; another person's needs the permission to manage messages."""
    user_id, message = _manager_of(request, unless_own=True)
    return _remove(request, message, user_id)


def _remove(request: web.Request, message: Message, user_id: int) -> web.Response:
    world, emoji = request.app[WORLD], request.match_info["emoji"]
    events = remove_reaction(world, message, emoji=emoji, user_id=user_id, is_super=_is_super(request))
    request.app[GATEWAY].dispatch(events)
    return nothing()


async def clear_one(request: web.Request) -> web.Response:
    """Remove all reactions with one emoji."""
    _, message = _manager_of(request)
    request.app[GATEWAY].dispatch(clear_emoji(request.app[WORLD], message, emoji=request.match_info["emoji"]))
    return nothing()


async def clear_all(request: web.Request) -> web.Response:
    """Remove all reactions."""
    _, message = _manager_of(request)
    request.app[GATEWAY].dispatch(clear_reactions(request.app[WORLD], message))
    return nothing()


async def list_users(request: web.Request) -> web.Response:
    """Return the users who reacted with an emoji, by id, up to 100 after an id."""
    _, _, message = seen_message(request)
    world, emoji = request.app[WORLD], request.match_info["emoji"]
    check_emoji(emoji)
    limit = query_int(request, "limit", 25, at_most=100)
    after = query_int(request, "after", 0, at_most=(1 << 64) - 1, at_least=0)
    reaction = find_reaction(message, emoji)
    is_super = _is_super(request)
    if reaction is None:
        return answer([])
    givers = reaction.super_ids if is_super else reaction.user_ids
    page = [user_id for user_id in sorted(givers) if user_id > after][:limit]
    return answer([user_json(world.users[user_id]) for user_id in page])


def _manager_of(request: web.Request, *, unless_own: bool = False) -> tuple[int, Message]:
    """Return whose reactions the path names and the message, if the caller may remove them."""
    caller, channel, message = seen_message(request)
    check_not_archived(channel)
    target = path_id(request, "user_id") if unless_own else caller
    if unless_own and target == caller:
        return target, message
    if channel.guild_id is None:
        raise ApiError(Refusal.DIRECT_CHANNEL)
    if not may(request.app[WORLD], caller, channel, Permission.MANAGE_MESSAGES):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    return target, message


def _is_super(request: web.Request) -> bool:
    """Return whether path or query name super reactions, which are of type 1."""
    if "type" in request.match_info:
        return request.match_info["type"] == "1"
    return query_int(request, "type", 0, at_least=0, at_most=1) == 1
