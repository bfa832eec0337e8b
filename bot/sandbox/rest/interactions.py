"""Routes for interactions: a person starts one, and the bot answers it in time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_object, required_error
from bot.sandbox.interactions.requests import expire_interaction, open_interaction
from bot.sandbox.interactions.responses import (
    DEFERRED_MESSAGE,
    MESSAGE,
    UPDATE,
    answer_interaction,
    find_interaction,
)
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import MessagePayload, read_payload
from bot.sandbox.rest.api import (
    GATEWAY,
    PREFIX,
    WORLD,
    answer,
    caller_id,
    nothing,
    path_id,
    read_body,
    read_object,
)
from bot.sandbox.world.state import Interaction, Json, Message, MessageFlag, World

TIMEOUT_S = web.AppKey("interaction_timeout_s", float)


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    app.router.add_post(PREFIX + "/interactions", start)
    app.router.add_post(PREFIX + "/interactions/{interaction_id}/{token}/callback", call_back)


async def start(request: web.Request) -> web.Response:
    """Start an interaction as a person; bots cannot."""
    person_id = caller_id(request)
    world, gateway = request.app[WORLD], request.app[GATEWAY]
    if world.users[person_id].is_bot:
        raise ApiError(Refusal.MISSING_ACCESS)
    interaction, events = open_interaction(world, person_id, await read_object(request))
    gateway.dispatch(events)
    asyncio.get_running_loop().call_later(
        request.app[TIMEOUT_S], lambda: gateway.dispatch(expire_interaction(world, interaction.id))
    )
    return nothing()


async def call_back(request: web.Request) -> web.Response:
    """Take the bot's first response; the token in the path authenticates it."""
    world = request.app[WORLD]
    interaction_id = path_id(request, "interaction_id")
    interaction = find_interaction(world, interaction_id, request.match_info["token"])
    body, uploads = await read_body(request)
    kind = body.get("type")
    if isinstance(kind, bool) or not isinstance(kind, int):
        raise required_error("type")
    shape = check_object({} if body.get("data") is None else body["data"], "data")
    source = world.messages.get(interaction.channel_id, {}).get(interaction.source_id or 0)
    is_message = kind in (MESSAGE, DEFERRED_MESSAGE, UPDATE)
    payload = (
        read_payload(shape, uploads, before=source if kind == UPDATE else None)
        if is_message
        else MessagePayload()
    )
    # looked up again: it may have been answered or expired while the body was read
    interaction = find_interaction(world, interaction_id, request.match_info["token"])
    message, events = answer_interaction(world, interaction, kind=kind, body=shape, payload=payload)
    request.app[GATEWAY].dispatch(events)
    if request.query.get("with_response", "").lower() not in ("1", "true"):
        return nothing()
    return answer(_callback_json(world, interaction, kind, message))


def _callback_json(world: World, interaction: Interaction, kind: int, message: Message | None) -> Json:
    """Return the result of a response."""
    told: Json = {"id": str(interaction.id), "type": interaction.kind}
    shape: Json = {"interaction": told}
    if message is not None:
        told |= {
            "response_message_id": str(message.id),
            "response_message_loading": bool(message.flags & MessageFlag.LOADING),
            "response_message_ephemeral": message.ephemeral_for is not None,
        }
        if kind in (MESSAGE, UPDATE):
            shape["resource"] = {"type": kind, "message": message_json(world, message, world.bot_user_id)}
    return shape
