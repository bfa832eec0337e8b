"""Routes for channels, typing and direct messages."""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_int
from bot.sandbox.messages.message_objects import place_json
from bot.sandbox.rest.api import (
    GATEWAY,
    PREFIX,
    WORLD,
    answer,
    caller_id,
    nothing,
    read_object,
    seen_channel,
)
from bot.sandbox.world.channels import open_direct_channel
from bot.sandbox.world.objects import channel_json, member_json
from bot.sandbox.world.permissions import may, needed_to_read, needed_to_send, reader_ids
from bot.sandbox.world.state import WITHOUT_MESSAGES, ChannelKind, Event, Json


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    channel = PREFIX + "/channels/{channel_id}"
    app.router.add_get(channel, read)
    app.router.add_post(channel + "/typing", type_in)
    app.router.add_post(PREFIX + "/users/@me/channels", open_direct)
    app.router.add_get(PREFIX + "/users/@me/channels", list_direct)


async def read(request: web.Request) -> web.Response:
    """Return a channel or thread."""
    user_id, channel = seen_channel(request)
    return answer(channel_json(request.app[WORLD], channel, user_id))


async def type_in(request: web.Request) -> web.Response:
    """Show everyone else that the caller is typing."""
    user_id, channel = seen_channel(request)
    world = request.app[WORLD]
    if channel.kind in WITHOUT_MESSAGES:
        raise ApiError(Refusal.NO_MESSAGES_HERE)
    if not may(world, user_id, channel, needed_to_send(channel) | needed_to_read(channel)):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    told: Json = {
        "channel_id": str(channel.id),
        "user_id": str(user_id),
        "timestamp": int(world.now().timestamp()),
        **place_json(channel),
    }
    member = world.members.get((channel.guild_id or 0, user_id))
    if member is not None:
        told["member"] = member_json(world, member, with_user=True)
    request.app[GATEWAY].dispatch([Event("TYPING_START", told, reader_ids(world, channel))])
    return nothing()


async def open_direct(request: web.Request) -> web.Response:
    """Return the direct-message channel with another user, opening it when needed."""
    user_id = caller_id(request)
    body = await read_object(request)
    other_id = check_int(body.get("recipient_id"), "recipient_id")
    world = request.app[WORLD]
    channel, events = open_direct_channel(world, user_id, other_id)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, channel, user_id))


async def list_direct(request: web.Request) -> web.Response:
    """Return the caller's direct-message channels."""
    user_id = caller_id(request)
    world = request.app[WORLD]
    own = [
        one
        for one in world.channels.values()
        if one.kind is ChannelKind.DIRECT and user_id in one.recipient_ids
    ]
    return answer([channel_json(world, one, user_id) for one in own])
