"""Routes for channels, typing, threads and direct messages."""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.limits import check_int, check_text
from bot.sandbox.message_objects import place_json
from bot.sandbox.objects import channel_json, member_json
from bot.sandbox.permissions import Permission, viewer_ids
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
from bot.sandbox.rest.messages import seen_message
from bot.sandbox.state import ChannelKind, Event, Json
from bot.sandbox.threads import open_direct_channel, open_thread


def add_routes(app: web.Application) -> None:
    """Add these routes."""
    channel = PREFIX + "/channels/{channel_id}"
    app.router.add_get(channel, read)
    app.router.add_post(channel + "/typing", type_in)
    app.router.add_post(channel + "/threads", start_thread)
    app.router.add_post(channel + "/messages/{message_id}/threads", start_thread_from_message)
    app.router.add_post(PREFIX + "/users/@me/channels", open_direct)
    app.router.add_get(PREFIX + "/users/@me/channels", list_direct)


async def read(request: web.Request) -> web.Response:
    """Return a channel or thread."""
    user_id, channel = seen_channel(request)
    return answer(channel_json(request.app[WORLD], channel, user_id))


async def type_in(request: web.Request) -> web.Response:
    """Show everybody else that the caller is typing."""
    user_id, channel = seen_channel(request, needs=Permission.SEND_MESSAGES)
    world = request.app[WORLD]
    told: Json = {
        "channel_id": str(channel.id),
        "user_id": str(user_id),
        "timestamp": int(world.now().timestamp()),
        **place_json(channel),
    }
    member = world.members.get((channel.guild_id or 0, user_id))
    if member is not None:
        told["member"] = member_json(world, member, with_user=True)
    request.app[GATEWAY].dispatch([Event("TYPING_START", told, viewer_ids(world, channel))])
    return nothing()


async def start_thread(request: web.Request) -> web.Response:
    """Open a thread without a starting message."""
    user_id, channel = seen_channel(request, needs=Permission.CREATE_PUBLIC_THREADS)
    world = request.app[WORLD]
    thread, events = open_thread(world, channel, name=await _thread_name(request), owner_id=user_id)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, thread, user_id), status=201)


async def start_thread_from_message(request: web.Request) -> web.Response:
    """Open a thread at a message."""
    user_id, channel = seen_channel(request, needs=Permission.CREATE_PUBLIC_THREADS)
    name = await _thread_name(request)
    _, _, message = seen_message(request)
    world = request.app[WORLD]
    thread, events = open_thread(world, channel, name=name, owner_id=user_id, message=message)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, thread, user_id), status=201)


async def _thread_name(request: web.Request) -> str:
    name = (await read_object(request)).get("name", "")
    check_text(name, "name", at_least=1, at_most=100)
    return str(name)


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
