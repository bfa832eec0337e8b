"""Routes for channels, typing and direct messages."""

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_int
from bot.sandbox.messages.message_objects import place_json
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.channels import open_direct_channel
from bot.sandbox.world.objects import channel_json, member_json
from bot.sandbox.world.permissions import needed_to_read, needed_to_send, reader_ids
from bot.sandbox.world.state import WITHOUT_MESSAGES, Event, Json

routes = Routes()


@routes.api("GET", "/channels/{channel_id}")
async def read(call: Call) -> Json:
    """Return a channel or thread."""
    return channel_json(call.world, call.channel(), call.user_id)


@routes.api("POST", "/channels/{channel_id}/typing")
async def type_in(call: Call) -> None:
    """Show everyone else that the caller is typing."""
    channel = call.channel()
    if channel.kind in WITHOUT_MESSAGES:
        raise ApiError(Refusal.NO_MESSAGES_HERE)
    call.require(channel, needed_to_send(channel) | needed_to_read(channel))
    body: Json = {
        "user_id": str(call.user_id),
        "timestamp": int(call.world.now().timestamp()),
        **place_json(channel),
    }
    if member := call.world.member_in(channel, call.user_id):
        body["member"] = member_json(call.world, member, with_user=True)
    call.dispatch([Event("TYPING_START", body, reader_ids(call.world, channel))])


@routes.api("POST", "/users/@me/channels")
async def open_direct(call: Call) -> Json:
    """Return the direct-message channel with another user, opening it when needed."""
    user_id = call.user_id
    other_id = check_int((await call.read_object()).get("recipient_id"), "recipient_id")
    channel, events = open_direct_channel(call.world, user_id, other_id)
    call.dispatch(events)
    return channel_json(call.world, channel, user_id)


@routes.api("GET", "/users/@me/channels")
async def list_direct(call: Call) -> list[Json]:
    """Return the caller's direct-message channels."""
    own = call.world.direct_channels_of(call.user_id)
    return [channel_json(call.world, one, call.user_id) for one in own]
