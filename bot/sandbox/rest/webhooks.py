"""Routes that need only a token in the path: follow-ups of interactions, and channel webhooks."""

import hmac
import secrets

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_text
from bot.sandbox.interactions.responses import find_by_token, find_reply, follow_up
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import read_payload
from bot.sandbox.messages.posting import delete_message, edit_message, post_message
from bot.sandbox.messages.threads import check_not_archived
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.objects import user_json
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import Interaction, Json, Message, User, Webhook

WEBHOOK = "/webhooks/{webhook_id}/{token}"
REPLY = WEBHOOK + "/messages/{message_id}"

routes = Routes()


@routes.api("POST", "/channels/{channel_id}/webhooks")
async def create(call: Call) -> Json:
    """Create a webhook for a channel."""
    channel = call.channel(needs=Permission.MANAGE_WEBHOOKS)
    name = (await call.read_object()).get("name", "")
    check_text(name, "name", at_least=1, at_most=80)
    made = Webhook(call.world.new_id(), channel.id, name, secrets.token_urlsafe(32))
    call.world.webhooks[made.id] = made
    return {
        "id": str(made.id),
        "type": 1,
        "channel_id": str(channel.id),
        "guild_id": str(channel.guild_id),
        "name": name,
        "avatar": None,
        "token": made.token,
        "application_id": None,
        "user": user_json(call.user),
    }


@routes.api("POST", WEBHOOK)
async def post(call: Call) -> Json:
    """Post a follow-up of an interaction, or a message through a channel's webhook."""
    world = call.world
    webhook = world.webhooks.get(call.path_id("webhook_id"))
    if webhook is not None:
        if not hmac.compare_digest(webhook.token.encode(), call.path["token"].encode()):
            raise ApiError(Refusal.INVALID_WEBHOOK_TOKEN)
        body, uploads = await call.read_body()
        author = User(webhook.id, str(body.get("username") or webhook.name), is_bot=True)
        payload = read_payload(body, uploads)
        channel = world.channels[webhook.channel_id]
        message, events = post_message(world, channel, author=author, payload=payload, webhook_id=webhook.id)
    else:
        interaction = _interaction(call)
        payload = read_payload(*await call.read_body())
        message, events = follow_up(world, world.interactions.get(interaction.id, interaction), payload)
    call.dispatch(events)
    return message_json(world, message, world.bot_user_id)


@routes.api("GET", REPLY)
async def read(call: Call) -> Json:
    """Return a message of an interaction."""
    return message_json(call.world, _reply(call), call.world.bot_user_id)


@routes.api("PATCH", REPLY)
async def edit(call: Call) -> Json:
    """Edit a message of an interaction; this also answers a deferral."""
    world = call.world
    check_not_archived(world.channels[_reply(call).channel_id])
    payload = read_payload(*await call.read_body(), before=_reply(call))
    edited, events = edit_message(world, _reply(call), payload)
    call.dispatch(events)
    return message_json(world, edited, world.bot_user_id)


@routes.api("DELETE", REPLY)
async def delete(call: Call) -> None:
    """Delete a message of an interaction."""
    call.dispatch(delete_message(call.world, _reply(call)))


def _interaction(call: Call) -> Interaction:
    """Return the interaction whose token is in the path under the application's own id."""
    if call.path_id("webhook_id") != call.world.bot_user_id:
        raise ApiError(Refusal.UNKNOWN_WEBHOOK)
    return find_by_token(call.world, call.path["token"])


def _reply(call: Call) -> Message:
    return find_reply(call.world, _interaction(call), call.path["message_id"])
