"""Application commands: those the bot has registered, and the validation of a person's options."""

from collections.abc import Sequence
from typing import Any

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_int, check_list, check_object, check_text
from bot.sandbox.interactions.command_rules import (
    MAX_COMMANDS,
    MAX_STRING_CHARS,
    SLASH,
    OptionType,
    check_command,
    check_counts,
)
from bot.sandbox.world.permissions import permissions_in
from bot.sandbox.world.state import Channel, Json, World

IN_GUILD, WITH_BOT = 0, 1
TEXTUAL = {OptionType.STRING, OptionType.USER, OptionType.CHANNEL, OptionType.ROLE, OptionType.MENTIONABLE}


def register_commands(world: World, guild_id: int | None, bodies: Any) -> list[Json]:
    """Replace the commands of a guild, or the global ones for None; a command keeps its id by name and type.

    Raises:
        ApiError: A name or a description breaks Discord's rules, or two are the same.
    """
    given = [check_object(one, "commands") for one in check_list(bodies, "commands", at_most=MAX_COMMANDS)]
    for at, one in enumerate(given):
        check_command(one, str(at))
    check_counts(given)
    keys = [(guild_id, str(one["name"]), int(one.get("type") or SLASH)) for one in given]
    if len(set(keys)) < len(keys):
        raise InvalidBodyError("name", "APPLICATION_COMMANDS_DUPLICATE_NAME")
    made = {key: _command(world, guild_id, one) for key, one in zip(keys, given, strict=True)}
    for key in [key for key in world.commands if key[0] == guild_id]:
        del world.commands[key]
    world.commands |= made
    return list(made.values())


def register_command(world: World, guild_id: int | None, body: Json) -> Json:
    """Add one command, or replace the one of the same name and type."""
    check_command(body, "")
    made = _command(world, guild_id, body)
    world.commands[guild_id, made["name"], made["type"]] = made
    return made


def commands_of(world: World, guild_id: int | None) -> list[Json]:
    """Return the commands registered for a guild, or the global ones for None."""
    return [one for key, one in world.commands.items() if key[0] == guild_id]


def _command(world: World, guild_id: int | None, body: Json) -> Json:
    """Return the command object of a checked body."""
    kind: int = body.get("type") or SLASH
    known = world.commands.get((guild_id, body["name"], kind))
    command: Json = {
        "description": "",
        "options": [],
        "default_member_permissions": None,
        "nsfw": False,
        **{key: value for key, value in body.items() if value is not None},
        "id": known["id"] if known else str(world.new_id()),
        "type": kind,
        "application_id": str(world.bot_user_id),
        "version": str(world.new_id()),
    }
    if command["default_member_permissions"] is not None:
        command["default_member_permissions"] = str(command["default_member_permissions"])
    return command if guild_id is None else {**command, "guild_id": str(guild_id)}


def find_command(world: World, person_id: int, channel: Channel, called: Json) -> Json:
    """Return the command called by ``id`` or ``name``; a guild's commands precede the global ones.

    Raises:
        ApiError: No such command exists here, or the person lacks the permissions it requires.
    """
    kind = check_int(called.get("type") or SLASH, "data.type")
    commands = [] if channel.guild_id is None else commands_of(world, channel.guild_id)
    matching = [
        one
        for one in [*commands, *commands_of(world, None)]
        if (one["type"], one["name"]) == (kind, called.get("name"))
        and called.get("id", one["id"]) == one["id"]
    ]
    found = matching[0] if matching else None
    if found is None or not _is_offered(found, channel):
        raise ApiError(Refusal.UNKNOWN_COMMAND)
    needed = check_int(found["default_member_permissions"] or 0, "default_member_permissions")
    if channel.guild_id is not None and permissions_in(world, person_id, channel) & needed != needed:
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    return found


def _is_offered(command: Json, channel: Channel) -> bool:
    """Return whether a command exists in this kind of place, a guild or direct messages."""
    place = WITH_BOT if channel.guild_id is None else IN_GUILD
    contexts = command.get("contexts")
    if contexts is not None:
        return place in contexts
    return place == IN_GUILD or command.get("dm_permission") is not False


def checked_options(
    defined: Sequence[Json], given: Any, *, is_final: bool, path: str = "data.options"
) -> list[Json]:
    """Return a person's options with their types, in the person's order.

    Args:
        defined: The command's options.
        given: The person's options: ``{"name", "value"}``, or ``{"name", "options"}`` for a subcommand.
        is_final: Whether required options and choices are enforced; False while autocompleting.
        path: Their path in the body.

    Raises:
        ApiError: One is unknown, missing or invalid.
    """
    by_name = {one["name"]: one for one in defined}
    checked = []
    for at, one in enumerate(check_list(given or [], path, at_most=25)):
        option = by_name.get(check_object(one, f"{path}.{at}").get("name", ""))
        here = f"{path}.{at}"
        if option is None:
            raise InvalidBodyError(f"{here}.name", "APPLICATION_COMMAND_OPTION_UNKNOWN")
        if option["type"] in (OptionType.SUBCOMMAND, OptionType.SUBCOMMAND_GROUP):
            nested, inside = option.get("options") or [], f"{here}.options"
            inner = checked_options(nested, one.get("options"), is_final=is_final, path=inside)
            checked.append({"name": option["name"], "type": option["type"], "options": inner})
            continue
        if is_final:
            _check_value(option, one.get("value"), f"{here}.value")
        focus = {"focused": True} if one.get("focused") else {}
        checked.append({"name": option["name"], "type": option["type"], "value": one.get("value"), **focus})
    named = {one["name"] for one in checked}
    missing = [one["name"] for one in defined if one.get("required") and one["name"] not in named]
    if missing and is_final:
        reason = f"Required options are missing: {missing}"
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_MISSING", reason)
    return checked


def _check_value(option: Json, value: Any, path: str) -> None:
    """Refuse a value of the wrong type, out of range, or outside the choices."""
    kind = option["type"]
    if kind in TEXTUAL:
        least, most = option.get("min_length") or 0, option.get("max_length") or MAX_STRING_CHARS
        check_text(value, path, at_least=least, at_most=most)
    elif kind == OptionType.BOOLEAN and not isinstance(value, bool):
        raise InvalidBodyError(path, "BOOLEAN_TYPE_CONVERT")
    elif kind in (OptionType.INTEGER, OptionType.NUMBER):
        wanted = int if kind == OptionType.INTEGER else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise InvalidBodyError(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')
        least, most = option.get("min_value"), option.get("max_value")
        if (least is not None and value < least) or (most is not None and value > most):
            raise InvalidBodyError(path, "NUMBER_TYPE_RANGE", f"Must be between {least} and {most}.")
    choices = [one["value"] for one in option.get("choices") or []]
    if choices and value not in choices:
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTION_CHOICE_INVALID")


def full_name(command: Json, options: Sequence[Json]) -> str:
    """Return the command's name with its subcommands, such as ``model list``."""
    names = [command["name"]]
    while options and options[0]["type"] in (OptionType.SUBCOMMAND, OptionType.SUBCOMMAND_GROUP):
        names.append(options[0]["name"])
        options = options[0]["options"]
    return " ".join(names)


def focused_kind(options: Sequence[Json]) -> int | None:
    """Return the type of the option that is being completed, if any."""
    return next((one["type"] for one in leaves(options) if one.get("focused")), None)


def leaves(options: Sequence[Json]) -> list[Json]:
    """Return the options that carry values, out of their subcommands."""
    found = []
    for one in options:
        found += leaves(one["options"]) if "options" in one else [one]
    return found
