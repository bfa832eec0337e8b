"""Routes for messages: list, read, post, edit, delete one or many."""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_int, list_of
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import MessagePayload, read_payload
from bot.sandbox.messages.posting import delete_message, delete_messages, edit_message, post_message
from bot.sandbox.messages.threads import check_not_archived, reopen_to_send
from bot.sandbox.rest.api import (
    GATEWAY,
    PREFIX,
    WORLD,
    answer,
    nothing,
    path_id,
    query_int,
    read_body,
    read_object,
    seen_channel,
)
from bot.sandbox.world.permissions import Permission, may, needed_to_read, needed_to_send
from bot.sandbox.world.state import WITHOUT_MESSAGES, Channel, Message, World

MAX_PAGE = 100
_check_ids = list_of(check_int, at_most=100, is_set=True)


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    messages = PREFIX + "/channels/{channel_id}/messages"
    app.router.add_get(messages, list_messages)
    app.router.add_post(messages, post)
    app.router.add_post(messages + "/bulk-delete", bulk_delete)
    app.router.add_get(messages + "/{message_id}", read)
    app.router.add_patch(messages + "/{message_id}", edit)
    app.router.add_delete(messages + "/{message_id}", delete)


async def list_messages(request: web.Request) -> web.Response:
    """Return up to 100 messages, newest first, before, after or around an id."""
    user_id, channel = readable_channel(request)
    world = request.app[WORLD]
    limit = query_int(request, "limit", 50, at_most=MAX_PAGE)
    if not may(world, user_id, channel, Permission.READ_MESSAGE_HISTORY):
        return answer([])
    seen = [
        one for one in world.messages.get(channel.id, {}).values() if one.ephemeral_for in (None, user_id)
    ]
    largest = (1 << 64) - 1
    if "before" in request.query:
        before = query_int(request, "before", 0, at_most=largest, at_least=0)
        page = [one for one in seen if one.id < before][-limit:]
    elif "after" in request.query:
        after = query_int(request, "after", 0, at_most=largest, at_least=0)
        page = [one for one in seen if one.id > after][:limit]
    elif "around" in request.query:
        around = query_int(request, "around", 0, at_most=largest, at_least=0)
        page = [one for one in seen if one.id < around][-(limit // 2) :] if limit > 1 else []
        page += [one for one in seen if one.id >= around][: limit - limit // 2]
    else:
        page = seen[-limit:]
    return answer([message_json(world, one, user_id) for one in reversed(page)])


async def post(request: web.Request) -> web.Response:
    """Post a message as the caller."""
    user_id, channel = readable_channel(request)
    world = request.app[WORLD]
    payload = read_payload(*await read_body(request))
    channel = world.find_channel(channel.id)  # it may have changed while the body was read
    check_may_send(world, user_id, channel, payload)
    if (payload.components or payload.embeds) and not world.users[user_id].is_bot:
        raise InvalidBodyError("embeds", "BASE_TYPE_MAX_LENGTH", "Only bots send embeds and components.")
    reopened = reopen_to_send(world, channel, user_id)
    message, events = post_message(world, channel, author=world.users[user_id], payload=payload)
    request.app[GATEWAY].dispatch([*reopened, *events])
    return answer(message_json(world, message, user_id))


async def read(request: web.Request) -> web.Response:
    """Return one message."""
    user_id, channel, message = seen_message(request)
    if not may(request.app[WORLD], user_id, channel, Permission.READ_MESSAGE_HISTORY):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    return answer(message_json(request.app[WORLD], message, user_id))


async def edit(request: web.Request) -> web.Response:
    """Edit the caller's own message."""
    user_id, channel, message = seen_message(request)
    if message.author.id != user_id:
        raise ApiError(Refusal.EDIT_OF_ANOTHER)
    check_not_archived(channel)
    world = request.app[WORLD]
    payload = read_payload(*await read_body(request), before=message)
    check_may_hold(world, user_id, channel, payload)
    # looked up again: the message may have changed while the body was read
    edited, events = edit_message(world, world.find_message(message.channel_id, message.id), payload)
    request.app[GATEWAY].dispatch(events)
    return answer(message_json(world, edited, user_id))


async def delete(request: web.Request) -> web.Response:
    """Delete the caller's own message, or anyone's with the permission to manage messages."""
    user_id, channel, message = seen_message(request)
    world = request.app[WORLD]
    may_manage = channel.guild_id is not None and may(world, user_id, channel, Permission.MANAGE_MESSAGES)
    if message.author.id != user_id and not may_manage and message.ephemeral_for != user_id:
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    request.app[GATEWAY].dispatch(delete_message(world, message))
    return nothing()


async def bulk_delete(request: web.Request) -> web.Response:
    """Delete 2 to 100 messages at once."""
    _, channel = readable_channel(request, needs=Permission.MANAGE_MESSAGES)
    body = await read_object(request)
    _check_ids(body.get("messages"), "messages")
    events = delete_messages(request.app[WORLD], channel, [int(one) for one in body["messages"]])
    request.app[GATEWAY].dispatch(events)
    return nothing()


def check_may_send(
    world: World, user_id: int, channel: Channel, payload: MessagePayload, *, is_first: bool = False
) -> None:
    """Refuse a message that its author may not send; `is_first` for the one that opens a forum's post.

    Raises:
        ApiError: 50008 where no messages go, 50013 without a permission, 160002 for a reply without history.
    """
    if channel.kind in WITHOUT_MESSAGES and not is_first:
        raise ApiError(Refusal.NO_MESSAGES_HERE)
    if channel.guild_id is not None and not may(world, user_id, channel, needed_to_send(channel)):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    check_may_hold(world, user_id, channel, payload)
    if payload.reference is not None and not may(world, user_id, channel, Permission.READ_MESSAGE_HISTORY):
        raise ApiError(Refusal.NO_HISTORY_TO_REPLY_TO)


def check_may_hold(world: World, user_id: int, channel: Channel, payload: MessagePayload) -> None:
    """Refuse (50013) embeds without Embed Links, and files without Attach Files."""
    for is_there, needed in (
        (payload.embeds, Permission.EMBED_LINKS),
        (payload.uploads, Permission.ATTACH_FILES),
    ):
        if is_there and not may(world, user_id, channel, needed):
            raise ApiError(Refusal.MISSING_PERMISSIONS)


def readable_channel(
    request: web.Request, *, needs: Permission = Permission.VIEW_CHANNEL
) -> tuple[int, Channel]:
    """Return the caller and the channel of the path, whose messages the caller may read."""
    user_id, channel = seen_channel(request)
    if not may(request.app[WORLD], user_id, channel, needed_to_read(channel)):
        raise ApiError(Refusal.MISSING_ACCESS)
    if not may(request.app[WORLD], user_id, channel, needs):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    return user_id, channel


def seen_message(request: web.Request) -> tuple[int, Channel, Message]:
    """Return the caller, the channel and the message of the path; another's ephemeral message is unknown."""
    user_id, channel = readable_channel(request)
    message = request.app[WORLD].find_message(channel.id, path_id(request, "message_id"))
    if message.ephemeral_for not in (None, user_id):
        raise ApiError(Refusal.UNKNOWN_MESSAGE)
    return user_id, channel, message
