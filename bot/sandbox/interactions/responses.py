"""The bot's responses to interactions: the first one, and further ones with the token."""

import hmac
from dataclasses import replace

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.interactions.command_rules import OptionType, check_suggestions
from bot.sandbox.interactions.components import check_modal
from bot.sandbox.interactions.requests import AUTOCOMPLETE, COMMAND, MODAL_SUBMIT, TOKEN_LIFETIME
from bot.sandbox.messages.payloads import MessagePayload
from bot.sandbox.messages.posting import PLAIN, edit_message, post_message
from bot.sandbox.messages.threads import reopen_to_send
from bot.sandbox.world.state import Event, Interaction, Json, Message, MessageFlag, World

MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
COMMAND_REPLY, MENU_COMMAND_REPLY = 20, 23


def find_interaction(world: World, interaction_id: int, token: str) -> Interaction:
    """Return an interaction by id and token, or refuse with 10062."""
    interaction = world.interactions.get(interaction_id)
    if interaction is None or not hmac.compare_digest(interaction.token.encode(), token.encode()):
        raise ApiError(Refusal.UNKNOWN_INTERACTION)
    return interaction


def find_by_token(world: World, token: str) -> Interaction:
    """Return an answered interaction by its token.

    Raises:
        ApiError: 50027 for an invalid or expired token, 10015 before the first response.
    """
    for interaction in world.interactions.values():
        if hmac.compare_digest(interaction.token.encode(), token.encode()):
            if world.now() - interaction.opened_at > TOKEN_LIFETIME:
                break
            if not interaction.is_answered:
                raise ApiError(Refusal.UNKNOWN_WEBHOOK)
            return interaction
    raise ApiError(Refusal.INVALID_WEBHOOK_TOKEN)


def answer_interaction(
    world: World, interaction: Interaction, *, kind: int, body: Json, payload: MessagePayload
) -> tuple[Message | None, list[Event]]:
    """Respond to an interaction for the first time.

    Args:
        world: Changed in place.
        interaction: The interaction.
        kind: Discord's callback type.
        body: The callback's ``data``.
        payload: The same data as a message.

    Returns:
        The message that was created or edited, if any, and the events.

    Raises:
        ApiError: It has been answered, or the callback type does not fit the interaction.
    """
    if interaction.is_answered:
        raise ApiError(Refusal.ALREADY_ACKNOWLEDGED)
    if kind not in _fitting(interaction):
        raise InvalidBodyError("type", "INTERACTION_CALLBACK_TYPE_INVALID", f"Type {kind} does not fit here.")
    person = frozenset({interaction.person_id})
    succeeded = {"id": str(interaction.id), "nonce": interaction.nonce}
    answered = replace(interaction, is_answered=True)
    message: Message | None = None
    events: list[Event] = []
    if kind in (MESSAGE, DEFERRED_MESSAGE):
        if kind == DEFERRED_MESSAGE:
            payload = MessagePayload(flags=payload.flags & MessageFlag.EPHEMERAL | MessageFlag.LOADING)
        message, events = _post(world, answered, payload, is_first=True)
        answered = replace(answered, reply_id=message.id)
    elif kind in (DEFERRED_UPDATE, UPDATE):
        answered = replace(answered, reply_id=interaction.source_id)
        message = world.find_message(interaction.channel_id, interaction.source_id or 0)
        if kind == UPDATE:
            message, events = edit_message(world, message, payload)
    elif kind == CHOICES:
        check_suggestions(body, interaction.focused_kind or OptionType.STRING)
        suggestions = {"nonce": interaction.nonce, "choices": body["choices"]}
        events = [Event("APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE", suggestions, person)]
    else:
        check_modal(body)
        answered = replace(answered, modal=body)
        shown: Json = {
            **succeeded,
            "channel_id": str(interaction.channel_id),
            "application": {"id": str(world.bot_user_id), "name": world.users[world.bot_user_id].name},
            **{key: body[key] for key in ("custom_id", "title", "components")},
        }
        events = [Event("INTERACTION_MODAL_CREATE", shown, person)]
    world.interactions[interaction.id] = answered
    return message, [*events, Event("INTERACTION_SUCCESS", succeeded, person)]


def _fitting(interaction: Interaction) -> frozenset[int]:
    """Return the callback types that an interaction allows."""
    if interaction.kind == AUTOCOMPLETE:
        return frozenset({CHOICES})
    fitting = {MESSAGE, DEFERRED_MESSAGE}
    if interaction.kind != MODAL_SUBMIT:
        fitting.add(MODAL)
    if interaction.source_id is not None:
        fitting |= {DEFERRED_UPDATE, UPDATE}
    return frozenset(fitting)


def follow_up(world: World, interaction: Interaction, payload: MessagePayload) -> tuple[Message, list[Event]]:
    """Post another message; after a deferral the first one replaces the loading message."""
    first = world.history(interaction.channel_id).get(interaction.reply_id or 0)
    if first is not None and first.flags & MessageFlag.LOADING:
        return edit_message(world, first, payload)
    return _post(world, interaction, payload, is_first=False)


def find_reply(world: World, interaction: Interaction, name: str) -> Message:
    """Return a message of this interaction: ``@original`` or an id; refuse others with 10008."""
    wanted = interaction.reply_id if name == "@original" else int(name) if name.isdecimal() else 0
    message = world.find_message(interaction.channel_id, wanted or 0)
    metadata = (message.interaction or {}).get("interaction_metadata", {})
    if message.id != interaction.reply_id and metadata.get("id") != str(interaction.id):
        raise ApiError(Refusal.UNKNOWN_MESSAGE)
    return message


def _post(
    world: World, interaction: Interaction, payload: MessagePayload, *, is_first: bool
) -> tuple[Message, list[Event]]:
    """Post the bot's message with the metadata of the interaction it answers."""
    is_ephemeral = bool(payload.flags & MessageFlag.EPHEMERAL)
    metadata = dict(interaction.metadata)
    about: Json = {"interaction_metadata": metadata}
    if not is_first and interaction.reply_id is not None:
        metadata["original_response_message_id"] = str(interaction.reply_id)
    if interaction.kind == COMMAND and is_first:
        about["interaction"] = {key: metadata[key] for key in ("id", "type", "name", "user")}
    kind = COMMAND_REPLY if interaction.kind == COMMAND and is_first else PLAIN
    if kind == COMMAND_REPLY and metadata.get("target_message_id"):
        kind = MENU_COMMAND_REPLY
        target = {"message_id": metadata["target_message_id"], "fail_if_not_exists": False}
        payload = replace(payload, reference=target)
    channel = world.channels[interaction.channel_id]
    reopened = reopen_to_send(world, channel, interaction.person_id)
    message, events = post_message(
        world,
        channel,
        author=world.users[world.bot_user_id],
        payload=payload,
        kind=kind,
        webhook_id=world.bot_user_id,
        interaction=about,
        ephemeral_for=interaction.person_id if is_ephemeral else None,
    )
    return message, [*reopened, *events]
