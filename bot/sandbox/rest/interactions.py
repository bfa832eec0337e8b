"""Routes for interactions: a person starts one, and the bot answers it in time."""

import asyncio

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_object, is_int, required_error
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
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.state import Interaction, Json, Message, MessageFlag, World

TIMEOUT_S = web.AppKey("interaction_timeout_s", float)

routes = Routes()


@routes.api("POST", "/interactions")
async def start(call: Call) -> None:
    """Start an interaction as a person; bots cannot."""
    world, gateway = call.world, call.gateway
    if call.user.is_bot:
        raise ApiError(Refusal.MISSING_ACCESS)
    interaction, events = open_interaction(world, call.user_id, await call.read_object())
    gateway.dispatch(events)
    asyncio.get_running_loop().call_later(
        call.request.app[TIMEOUT_S], lambda: gateway.dispatch(expire_interaction(world, interaction.id))
    )


@routes.api("POST", "/interactions/{interaction_id}/{token}/callback")
async def call_back(call: Call) -> Json | None:
    """Take the bot's first response; the token in the path authenticates it."""
    world = call.world
    interaction_id, token = call.path_id("interaction_id"), call.path["token"]
    interaction = find_interaction(world, interaction_id, token)
    body, uploads = await call.read_body()
    kind = body.get("type")
    if not is_int(kind):
        raise required_error("type")
    shape = check_object({} if body.get("data") is None else body["data"], "data")
    payload = MessagePayload()
    if kind in (MESSAGE, DEFERRED_MESSAGE, UPDATE):
        source = world.history(interaction.channel_id).get(interaction.source_id or 0)
        payload = read_payload(shape, uploads, before=source if kind == UPDATE else None)
    # looked up again: it may have been answered or expired while the body was read
    interaction = find_interaction(world, interaction_id, token)
    message, events = answer_interaction(world, interaction, kind=kind, body=shape, payload=payload)
    call.dispatch(events)
    is_wanted = call.request.query.get("with_response", "").lower() in ("1", "true")
    return _callback_json(world, interaction, kind, message) if is_wanted else None


def _callback_json(world: World, interaction: Interaction, kind: int, message: Message | None) -> Json:
    """Return the result of a response."""
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    shape: Json = {"interaction": about}
    if message is not None:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": bool(message.flags & MessageFlag.LOADING),
            "response_message_ephemeral": message.ephemeral_for is not None,
        }
        if kind in (MESSAGE, UPDATE):
            shape["resource"] = {"type": kind, "message": message_json(world, message, world.bot_user_id)}
    return shape
