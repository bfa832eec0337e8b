"""Routes for messages: list, read, post, edit, delete one or many."""

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_int, list_of
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import MessagePayload, read_payload
from bot.sandbox.messages.posting import delete_message, delete_messages, edit_message, post_message
from bot.sandbox.messages.threads import check_not_archived, reopen_to_send
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.permissions import Permission, may, needed_to_send
from bot.sandbox.world.state import WITHOUT_MESSAGES, Channel, Json

MAX_PAGE = 100
MESSAGES = "/channels/{channel_id}/messages"

_check_ids = list_of(check_int, at_most=100, is_set=True)
routes = Routes()


@routes.api("GET", MESSAGES)
async def list_messages(call: Call) -> list[Json]:
    """Return up to 100 messages, newest first, before, after or around an id."""
    channel = call.readable_channel()
    limit = call.query_int("limit", 50, at_most=MAX_PAGE)
    if not may(call.world, call.user_id, channel, Permission.READ_MESSAGE_HISTORY):
        return []
    history = call.world.history(channel.id).values()
    seen = [one for one in history if one.ephemeral_for in (None, call.user_id)]
    query = call.request.query
    if "before" in query:
        before = call.query_id("before")
        page = [one for one in seen if one.id < before][-limit:]
    elif "after" in query:
        after = call.query_id("after")
        page = [one for one in seen if one.id > after][:limit]
    elif "around" in query:
        around = call.query_id("around")
        page = [one for one in seen if one.id < around][-(limit // 2) :] if limit > 1 else []
        page += [one for one in seen if one.id >= around][: limit - limit // 2]
    else:
        page = seen[-limit:]
    return [message_json(call.world, one, call.user_id) for one in reversed(page)]


@routes.api("POST", MESSAGES)
async def post(call: Call) -> Json:
    """Post a message as the caller."""
    world, channel = call.world, call.readable_channel()
    payload = read_payload(*await call.read_body())
    channel = world.find_channel(channel.id)  # it may have changed while the body was read
    check_may_send(call, channel, payload)
    if (payload.components or payload.embeds) and not call.user.is_bot:
        raise InvalidBodyError("embeds", "BASE_TYPE_MAX_LENGTH", "Only bots send embeds and components.")
    reopened = reopen_to_send(world, channel, call.user_id)
    message, events = post_message(world, channel, author=call.user, payload=payload)
    call.dispatch([*reopened, *events])
    return message_json(world, message, call.user_id)


@routes.api("POST", MESSAGES + "/bulk-delete")
async def bulk_delete(call: Call) -> None:
    """Delete 2 to 100 messages at once."""
    channel = call.readable_channel(Permission.MANAGE_MESSAGES)
    body = await call.read_object()
    _check_ids(body.get("messages"), "messages")
    call.dispatch(delete_messages(call.world, channel, [int(one) for one in body["messages"]]))


@routes.api("GET", MESSAGES + "/{message_id}")
async def read(call: Call) -> Json:
    """Return one message."""
    channel, message = call.message()
    call.require(channel, Permission.READ_MESSAGE_HISTORY)
    return message_json(call.world, message, call.user_id)


@routes.api("PATCH", MESSAGES + "/{message_id}")
async def edit(call: Call) -> Json:
    """Edit the caller's own message."""
    channel, message = call.message()
    if message.author.id != call.user_id:
        raise ApiError(Refusal.EDIT_OF_ANOTHER)
    check_not_archived(channel)
    payload = read_payload(*await call.read_body(), before=message)
    check_may_hold(call, channel, payload)
    message = call.world.find_message(channel.id, message.id)  # it may have changed meanwhile
    edited, events = edit_message(call.world, message, payload)
    call.dispatch(events)
    return message_json(call.world, edited, call.user_id)


@routes.api("DELETE", MESSAGES + "/{message_id}")
async def delete(call: Call) -> None:
    """Delete the caller's own message, or anyone's with the permission to manage messages."""
    channel, message = call.message()
    may_manage = channel.guild_id and may(call.world, call.user_id, channel, Permission.MANAGE_MESSAGES)
    if call.user_id not in (message.author.id, message.ephemeral_for) and not may_manage:
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    call.dispatch(delete_message(call.world, message))


def check_may_send(call: Call, channel: Channel, payload: MessagePayload, *, is_first: bool = False) -> None:
    """Refuse a message that the caller may not send; `is_first` for the one that opens a forum's post.

    Raises:
        ApiError: 50008 where no messages go, 50013 without a permission, 160002 for a reply without history.
    """
    if channel.kind in WITHOUT_MESSAGES and not is_first:
        raise ApiError(Refusal.NO_MESSAGES_HERE)
    if channel.guild_id is not None:
        call.require(channel, needed_to_send(channel))
    check_may_hold(call, channel, payload)
    if payload.reference is not None:
        call.require(channel, Permission.READ_MESSAGE_HISTORY, Refusal.NO_HISTORY_TO_REPLY_TO)


def check_may_hold(call: Call, channel: Channel, payload: MessagePayload) -> None:
    """Refuse (50013) embeds without Embed Links, and files without Attach Files."""
    if payload.embeds:
        call.require(channel, Permission.EMBED_LINKS)
    if payload.uploads:
        call.require(channel, Permission.ATTACH_FILES)
