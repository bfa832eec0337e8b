"""Routes that need only a token in the path: follow-ups of interactions, and channel webhooks."""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_text
from bot.sandbox.interactions.responses import find_by_token, find_reply, follow_up
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import read_payload
from bot.sandbox.messages.posting import delete_message, edit_message, post_message
from bot.sandbox.messages.threads import check_not_archived
from bot.sandbox.rest.api import (
    GATEWAY,
    PREFIX,
    WORLD,
    answer,
    nothing,
    path_id,
    read_body,
    read_object,
    seen_channel,
)
from bot.sandbox.world.objects import user_json
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import Interaction, Message, User, Webhook


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    webhook = PREFIX + "/webhooks/{webhook_id}/{token}"
    app.router.add_post(PREFIX + "/channels/{channel_id}/webhooks", create)
    app.router.add_post(webhook, post)
    app.router.add_get(webhook + "/messages/{message_id}", read)
    app.router.add_patch(webhook + "/messages/{message_id}", edit)
    app.router.add_delete(webhook + "/messages/{message_id}", delete)


async def create(request: web.Request) -> web.Response:
    """Create a webhook for a channel."""
    user_id, channel = seen_channel(request, needs=Permission.MANAGE_WEBHOOKS)
    world = request.app[WORLD]
    name = (await read_object(request)).get("name", "")
    check_text(name, "name", at_least=1, at_most=80)
    made = Webhook(world.mint.mint(), channel.id, name, secrets.token_urlsafe(32))
    world.webhooks[made.id] = made
    return answer(
        {
            "id": str(made.id),
            "type": 1,
            "channel_id": str(channel.id),
            "guild_id": str(channel.guild_id),
            "name": name,
            "avatar": None,
            "token": made.token,
            "application_id": None,
            "user": user_json(world.users[user_id]),
        }
    )


async def post(request: web.Request) -> web.Response:
    """Post a follow-up of an interaction, or a message through a channel's webhook."""
    world = request.app[WORLD]
    webhook = world.webhooks.get(path_id(request, "webhook_id"))
    if webhook is not None:
        if not hmac.compare_digest(webhook.token.encode(), request.match_info["token"].encode()):
            raise ApiError(Refusal.INVALID_WEBHOOK_TOKEN)
        body, uploads = await read_body(request)
        author = User(webhook.id, str(body.get("username") or webhook.name), is_bot=True)
        payload = read_payload(body, uploads)
        channel = world.channels[webhook.channel_id]
        message, events = post_message(world, channel, author=author, payload=payload, webhook_id=webhook.id)
    else:
        interaction = _interaction(request)
        payload = read_payload(*await read_body(request))
        message, events = follow_up(world, world.interactions.get(interaction.id, interaction), payload)
    request.app[GATEWAY].dispatch(events)
    return answer(message_json(world, message, world.bot_user_id))


async def read(request: web.Request) -> web.Response:
    """Return a message of an interaction."""
    return answer(message_json(request.app[WORLD], _reply(request), request.app[WORLD].bot_user_id))


async def edit(request: web.Request) -> web.Response:
    """Edit a message of an interaction; this also answers a deferral."""
    world = request.app[WORLD]
    check_not_archived(world.channels[_reply(request).channel_id])
    payload = read_payload(*await read_body(request), before=_reply(request))
    edited, events = edit_message(world, _reply(request), payload)
    request.app[GATEWAY].dispatch(events)
    return answer(message_json(world, edited, world.bot_user_id))


async def delete(request: web.Request) -> web.Response:
    """Delete a message of an interaction."""
    request.app[GATEWAY].dispatch(delete_message(request.app[WORLD], _reply(request)))
    return nothing()


def _interaction(request: web.Request) -> Interaction:
    """Return the interaction whose token is in the path under the application's own id."""
    if path_id(request, "webhook_id") != request.app[WORLD].bot_user_id:
        raise ApiError(Refusal.UNKNOWN_WEBHOOK)
    return find_by_token(request.app[WORLD], request.match_info["token"])


def _reply(request: web.Request) -> Message:
    return find_reply(request.app[WORLD], _interaction(request), request.match_info["message_id"])
