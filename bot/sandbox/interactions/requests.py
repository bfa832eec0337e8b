"""Interactions that people start: validated, and sent to the bot as INTERACTION_CREATE."""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_int, check_list, check_object, check_text
from bot.sandbox.interactions.command_rules import OF_MESSAGE, OptionType
from bot.sandbox.interactions.commands import (
    IN_GUILD,
    WITH_BOT,
    checked_options,
    find_command,
    focused_kind,
    full_name,
    leaves,
)
from bot.sandbox.interactions.components import MAX_MODAL_COMPONENTS, walk
from bot.sandbox.interactions.inputs import MAX_INPUT_CHARS, SELECTS, STRING_SELECT, TEXT_INPUT
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import MAX_FILE_BYTES
from bot.sandbox.world.objects import channel_json, member_json, role_json, user_json
from bot.sandbox.world.permissions import Permission, may, permissions_in, unseen_permissions_in
from bot.sandbox.world.state import WITHOUT_MESSAGES, Channel, Event, Interaction, Json, Message, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
# menus of users, roles, users or roles, channels → the type of option with the same meaning
RESOLVED_AS = {5: OptionType.USER, 6: OptionType.ROLE, 7: OptionType.USER, 8: OptionType.CHANNEL}
ANSWER_KEYS = ("value", "values")  # of a component of a modal
TOKEN_LIFETIME = timedelta(minutes=15)


def open_interaction(world: World, person_id: int, body: Json) -> tuple[Interaction, list[Event]]:
    """Start an interaction and send it to the bot.

    Args:
        world: Changed in place.
        person_id: The person who starts it.
        body: As Discord's client sends it: ``type``, ``channel_id``, ``data``, for a click ``message_id``.

    Raises:
        ApiError: The channel, the command, the component or a value does not exist or is invalid.
    """
    kind = body.get("type")
    channel = _place(world, person_id, body)
    called = check_object(body.get("data"), "data")
    source: Message | None = None
    if kind in (COMMAND, AUTOCOMPLETE):
        shape, about = _command_data(world, person_id, channel, called, is_final=kind == COMMAND)
    elif kind == COMPONENT:
        source = _message_for(world, person_id, channel, body.get("message_id"), "message_id")
        shape, about = _component_data(world, channel, source, called)
    elif kind == MODAL_SUBMIT:
        opener, shape = _submitted_modal(world, person_id, called)
        source = world.history(channel.id).get(opener.source_id or 0)
        about = {"triggering_interaction_metadata": opener.metadata}
    else:
        raise InvalidBodyError("type", "BASE_TYPE_CHOICES", "Value must be one of {2, 3, 4, 5}.")
    _delete_expired(world)
    interaction_id = world.new_id()
    interaction = Interaction(
        id=interaction_id,
        token=secrets.token_urlsafe(48),
        kind=kind,
        person_id=person_id,
        channel_id=channel.id,
        opened_at=world.now(),
        metadata={
            "id": str(interaction_id),
            "type": kind,
            "user": user_json(world.users[person_id]),
            "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
            **about,
        },
        nonce=body.get("nonce"),
        source_id=source.id if source else None,
        focused_kind=focused_kind(shape.get("options") or []),
    )
    world.interactions[interaction_id] = interaction
    sent = _event_body(world, interaction, channel) | {"data": shape}
    if source is not None:
        sent["message"] = message_json(world, source, world.bot_user_id)
    begun = {"id": str(interaction.id), "nonce": interaction.nonce}
    return interaction, [
        Event("INTERACTION_CREATE", sent, frozenset({world.bot_user_id})),
        Event("INTERACTION_CREATE", begun, frozenset({person_id})),
    ]


def expire_interaction(world: World, interaction_id: int) -> list[Event]:
    """Delete an interaction that the bot did not answer in time; later answers get 10062."""
    interaction = world.interactions.get(interaction_id)
    if interaction is None or interaction.is_answered:
        return []
    del world.interactions[interaction_id]
    failed = {"id": str(interaction_id), "nonce": interaction.nonce, "reason_code": 2}
    return [Event("INTERACTION_FAILURE", failed, frozenset({interaction.person_id}))]


def _place(world: World, person_id: int, body: Json) -> Channel:
    """Return the channel if the person sees it and the bot is in its guild or conversation.

    The bot need not see the channel: commands, buttons and modals work where its token does not.
    """
    channel = world.find_channel(check_int(body.get("channel_id"), "channel_id"))
    if not permissions_in(world, person_id, channel):
        raise ApiError(Refusal.MISSING_ACCESS)
    if channel.kind in WITHOUT_MESSAGES:
        raise ApiError(Refusal.WRONG_CHANNEL_TYPE)
    bot_id = world.bot_user_id
    has_bot = bot_id in channel.recipient_ids or world.member_in(channel, bot_id) is not None
    if not has_bot or body.get("application_id", str(bot_id)) != str(bot_id):
        raise ApiError(Refusal.UNKNOWN_APPLICATION)
    return channel


def _command_data(
    world: World, person_id: int, channel: Channel, called: Json, *, is_final: bool
) -> tuple[Json, Json]:
    """Return the data of a command and its metadata."""
    if not may(world, person_id, channel, Permission.USE_APPLICATION_COMMANDS):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    command = find_command(world, person_id, channel, called)
    options = checked_options(command["options"] or [], called.get("options"), is_final=is_final)
    shape: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
    if "guild_id" in command:
        shape["guild_id"] = command["guild_id"]
    about: Json = {"name": full_name(command, options), "command_type": command["type"]}
    if command["type"] == OF_MESSAGE:
        target = _message_for(world, person_id, channel, called.get("target_id"), "data.target_id")
        shape["target_id"] = about["target_message_id"] = str(target.id)
        # With its content, also for a bot without that intent.
        shape["resolved"] = {"messages": {str(target.id): message_json(world, target, world.bot_user_id)}}
        return shape, about
    values = [(one["type"], one["value"]) for one in leaves(options)]
    if is_final and (resolved := _resolved(world, channel, values)):
        shape["resolved"] = resolved
    return shape, about


def _message_for(world: World, person_id: int, channel: Channel, message_id: Any, path: str) -> Message:
    """Return a message of the channel that the person can see: what a component or command is used on."""
    message = world.find_message(channel.id, check_int(message_id, path))
    if message.ephemeral_for not in (None, person_id):
        raise ApiError(Refusal.UNKNOWN_MESSAGE)
    return message


def _component_data(world: World, channel: Channel, source: Message, called: Json) -> tuple[Json, Json]:
    """Return the data of a component interaction and its metadata; refuse values that are not offered."""
    custom_id = called.get("custom_id")
    named = (one for _, one in walk(source.components, "") if one.get("custom_id") == custom_id)
    component = next(named, None)
    if component is None or component.get("disabled") or source.author.id != world.bot_user_id:
        raise InvalidBodyError("data", "COMPONENT_VALIDATION_FAILED")
    shape: Json = {"custom_id": custom_id, "component_type": component["type"], "id": component["id"]}
    if component["type"] in SELECTS:
        shape["values"] = chosen_values(component, called.get("values"), "data.values")
        if component["type"] != STRING_SELECT:
            kind = RESOLVED_AS[component["type"]]
            shape["resolved"] = _resolved(world, channel, [(kind, one) for one in shape["values"]])
    return shape, {"interacted_message_id": str(source.id)}


def _submitted_modal(world: World, person_id: int, called: Json) -> tuple[Interaction, Json]:
    """Return the interaction that opened the modal, and the modal's data with the person's input.

    The modal is found by ``custom_id``, and by ``id`` if given; it can be submitted once.

    Raises:
        ApiError: The bot has opened no such modal for this person, or a text is invalid.
    """
    opener = next(
        (
            one
            for one in reversed(world.interactions.values())
            if one.person_id == person_id
            and one.modal is not None
            and one.modal["custom_id"] == called.get("custom_id")
            and called.get("id", str(one.id)) == str(one.id)
        ),
        None,
    )
    if opener is None or opener.modal is None:
        raise ApiError(Refusal.UNKNOWN_INTERACTION)
    components = check_list(called.get("components"), "data.components", at_most=MAX_MODAL_COMPONENTS)
    answers = {one["custom_id"]: one for _, one in walk(components, "data.components") if "custom_id" in one}
    filled = [_filled(one, answers) for one in opener.modal["components"]]
    world.interactions[opener.id] = replace(opener, modal=None)
    return opener, {"custom_id": opener.modal["custom_id"], "components": filled}


def _filled(component: Json, answers: dict[str, Any]) -> Json:
    """Return a component of the modal with the person's input instead of its definition."""
    shape: Json = {"type": component["type"], "id": component.get("id", 0)}
    if "components" in component:
        return {**shape, "components": [_filled(one, answers) for one in component["components"]]}
    if "component" in component:
        return {**shape, "component": _filled(component["component"], answers)}
    if "custom_id" not in component:
        return shape
    custom_id = component["custom_id"]
    given = answers.get(custom_id, {})
    shape |= {"custom_id": custom_id} | {key: given[key] for key in ANSWER_KEYS if key in given}
    if component["type"] == TEXT_INPUT:
        text = shape.setdefault("value", "")
        is_required = component.get("required", True)
        least = (component.get("min_length") or int(is_required)) if text or is_required else 0
        check_text(text, custom_id, at_least=least, at_most=component.get("max_length") or MAX_INPUT_CHARS)
    elif component.get("required", True) and not given:
        raise InvalidBodyError(custom_id, "BASE_TYPE_REQUIRED")
    return shape


def chosen_values(menu: Json, values: Any, path: str) -> list[str]:
    """Return the values chosen in a menu; refuse any that it does not offer or allow."""
    chosen = [str(one) for one in check_list(values or [], path, at_most=25)]
    offered = {one["value"] for one in menu.get("options") or []}
    least, most = menu.get("min_values"), menu.get("max_values")
    fits = (1 if least is None else least) <= len(chosen) <= (1 if most is None else most)
    is_offered = menu["type"] != STRING_SELECT or offered.issuperset(chosen)
    if not fits or not is_offered or len(set(chosen)) < len(chosen):
        raise InvalidBodyError(path, "COMPONENT_VALIDATION_FAILED")
    return chosen


def _resolved(world: World, channel: Channel, values: Iterable[tuple[int, Any]]) -> Json:
    """Return the users, members, channels and roles for (option type, id) pairs."""
    found: dict[str, Json] = {}
    for kind, value in values:
        key = int(value) if str(value).isascii() and str(value).isdigit() else 0
        if kind == OptionType.USER and key in world.users:
            found.setdefault("users", {})[str(key)] = user_json(world.users[key])
            if member := world.member_in(channel, key):
                bits = str(permissions_in(world, key, channel))
                shape = member_json(world, member, with_user=False) | {"permissions": bits}
                found.setdefault("members", {})[str(key)] = shape
        elif kind == OptionType.ROLE and key in world.roles:
            found.setdefault("roles", {})[str(key)] = role_json(world.roles[key])
        elif kind == OptionType.CHANNEL and key in world.channels:
            shape = channel_json(world, world.channels[key], world.bot_user_id) | {"permissions": "0"}
            found.setdefault("channels", {})[str(key)] = shape
        elif kind in (OptionType.USER, OptionType.ROLE, OptionType.CHANNEL):
            reason = f'Value "{value}" is not known here.'
            raise InvalidBodyError("data.options", "NUMBER_TYPE_COERCE", reason)
    return dict(found)


def _delete_expired(world: World) -> None:
    """Delete the interactions whose tokens have expired."""
    oldest = world.now() - TOKEN_LIFETIME
    for old in [one for one in world.interactions.values() if one.opened_at < oldest]:
        del world.interactions[old.id]


def _event_body(world: World, interaction: Interaction, channel: Channel) -> Json:
    """Return the fields that every interaction sends to the bot: user, channel, token."""
    bits = str(permissions_in(world, interaction.person_id, channel))
    body: Json = {
        "id": str(interaction.id),
        "application_id": str(world.bot_user_id),
        "type": interaction.kind,
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": channel_json(world, channel, world.bot_user_id) | {"permissions": bits},
        "app_permissions": str(unseen_permissions_in(world, world.bot_user_id, channel)),
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
        "context": WITH_BOT if channel.guild_id is None else IN_GUILD,
        "attachment_size_limit": MAX_FILE_BYTES,
    }
    if channel.guild_id is None:
        return body | {"user": user_json(world.users[interaction.person_id])}
    member = world.members[channel.guild_id, interaction.person_id]
    return body | {
        "guild_id": str(channel.guild_id),
        "guild": {"id": str(channel.guild_id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": member_json(world, member, with_user=True) | {"permissions": bits},
    }
