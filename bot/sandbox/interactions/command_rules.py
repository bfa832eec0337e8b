"""Discord's rules for application commands, their options, and autocomplete choices.

The numbers are those of Discord's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    MAX_DOUBLE,
    Check,
    check_bool,
    check_int,
    check_list,
    check_number,
    check_object,
    check_text,
    fields,
    list_of,
    one_of,
    required_error,
    text,
    whole,
)
from bot.sandbox.interactions.inputs import CHANNEL_TYPES
from bot.sandbox.world.state import Json

SLASH, OF_USER, OF_MESSAGE = 1, 2, 3
MOST_OF_KIND = {SLASH: 100, OF_USER: 15, OF_MESSAGE: 15}
MAX_COMMANDS = sum(MOST_OF_KIND.values())
MAX_COMMAND_CHARS = 8000  # names, descriptions and values of a command and its options together
MAX_OPTIONS = 25
MAX_CHOICES = 25
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER = range(
    1, 11
)
ATTACHMENT = 11
WITH_CHOICES = (STRING, INTEGER, NUMBER)
MAX_EXACT = (1 << 53) - 1  # the largest whole number that a double holds exactly
MAX_STRING_CHARS = 6000
# \w stands for letters and digits; combining vowel signs of Devanagari and Thai are no \w in Python
NAME = re.compile(r"[-_'\w\u0900-\u097f\u0e00-\u0e7f]{1,32}")
LOCALES = (
    *("ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he", "hi", "hr"),
    *("hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk"),
    *("vi", "zh-CN", "zh-TW"),
)


def _name(value: Any, path: str) -> None:
    check_text(value, path, at_least=1, at_most=32)
    if not NAME.fullmatch(value) or value != value.lower():
        raise InvalidBodyError(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _by_locale(check_one: Check) -> Check:
    """Return a check for translations."""

    def check(value: Any, path: str) -> None:
        for locale, one in check_object(value, path).items():
            if locale not in LOCALES:
                raise InvalidBodyError(
                    f"{path}.{locale}", "ENUM_TYPE_COERCE", f'Value "{locale}" is not a valid enum value.'
                )
            check_one(one, f"{path}.{locale}")

    return check


_description = text(100, at_least=1)
_value_checks: dict[int, Check] = {
    STRING: text(100, at_least=1),
    INTEGER: whole(-MAX_EXACT, MAX_EXACT),
    NUMBER: partial(check_number, at_least=-MAX_DOUBLE, at_most=MAX_DOUBLE),
}
_BOUNDS: dict[int, tuple[str, str, Check]] = {
    STRING: ("min_length", "max_length", whole(0, MAX_STRING_CHARS)),
    INTEGER: ("min_value", "max_value", _value_checks[INTEGER]),
    NUMBER: ("min_value", "max_value", _value_checks[NUMBER]),
}


def _choice(kind: int) -> Check:
    return fields(
        required={"name": text(100, at_least=1), "value": _value_checks[kind]},
        optional={"name_localizations": _by_locale(text(100, at_least=1))},
    )


def check_suggestions(data: Any, kind: int) -> None:
    """Refuse choices over Discord's limits for an option of type `kind` that is being completed."""
    fields(required={"choices": list_of(_choice(kind), at_most=MAX_CHOICES)})(data, "data")


def check_counts(commands: Sequence[Json]) -> None:
    """Refuse more commands than Discord takes of a kind."""
    for kind, most in MOST_OF_KIND.items():
        if sum((one.get("type") or SLASH) == kind for one in commands) > most:
            raise InvalidBodyError(
                "_root", "APPLICATION_COMMANDS_MAX", f"There are more than {most} commands of type {kind}."
            )


def check_command(command: Any, path: str) -> None:
    """Refuse a command over Discord's limits."""
    start = f"{path}." if path else ""
    kind = check_object(command, path or "_root").get("type")
    if kind is not None:
        one_of(*MOST_OF_KIND)(kind, f"{start}type")
    is_slash = kind in (None, SLASH)
    name = _name if is_slash else text(32, at_least=1)
    required: dict[str, Check] = {"name": name}
    optional: dict[str, Check] = {
        "id": check_int,
        "name_localizations": _by_locale(name),
        "default_member_permissions": check_int,
        "dm_permission": check_bool,
        "nsfw": check_bool,
        "contexts": list_of(one_of(0, 1, 2), at_least=1, at_most=3, is_set=True),
        "integration_types": list_of(one_of(0, 1), at_least=1, at_most=2, is_set=True),
        "handler": one_of(1, 2),
    }
    if is_slash:
        required["description"] = _description
        optional["description_localizations"] = _by_locale(_description)
        optional["options"] = _options_of(None)
    else:
        optional["description"] = text(0)
        optional["options"] = list_of(check_object, at_most=0)
    fields(required=required, optional=optional)(command, path)
    if _chars(command) > MAX_COMMAND_CHARS:
        raise InvalidBodyError(
            path or "_root",
            "APPLICATION_COMMAND_TOO_LARGE",
            f"Command exceeds maximum size ({MAX_COMMAND_CHARS})",
        )


def _options_of(parent: int | None) -> Check:
    """Return a check for the options of a command (None), a group or a subcommand."""
    inside = {
        None: range(SUBCOMMAND, ATTACHMENT + 1),
        SUBCOMMAND_GROUP: (SUBCOMMAND,),
        SUBCOMMAND: range(STRING, ATTACHMENT + 1),
    }[parent]

    def check(value: Any, path: str) -> None:
        given = check_list(value, path, at_most=MAX_OPTIONS)
        for at, one in enumerate(given):
            here = f"{path}.{at}"
            if check_object(one, here).get("type") is None:
                raise required_error(f"{here}.type")
            one_of(*inside)(one["type"], f"{here}.type")
            _option(one["type"])(one, here)
        _check_together(given, path)

    return check


def _check_together(options: Sequence[Json], path: str) -> None:
    """Refuse options that exclude each other or are in the wrong order."""
    names = [one["name"] for one in options]
    if len(set(names)) < len(names):
        raise InvalidBodyError(
            path, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists"
        )
    are_nested = {one["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for one in options}
    if len(are_nested) > 1:
        raise InvalidBodyError(
            path,
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        )
    required = [bool(one.get("required")) for one in options]
    if required != sorted(required, reverse=True):
        raise InvalidBodyError(
            path,
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
            "Required options must be placed before non-required options",
        )


def _option(kind: int) -> Check:
    """Return a check for an option of one type."""
    optional: dict[str, Check] = {
        "name_localizations": _by_locale(_name),
        "description_localizations": _by_locale(_description),
        "required": check_bool,
        "autocomplete": check_bool if kind in WITH_CHOICES else _never,
    }
    choices = list_of(_choice(kind), at_most=MAX_CHOICES) if kind in WITH_CHOICES else _nothing
    optional["choices"] = choices
    for name in ("min_value", "max_value", "min_length", "max_length"):
        least, most, check_bound = _BOUNDS.get(kind, ("", "", _nothing))
        optional[name] = check_bound if name in (least, most) else _nothing
    if kind == STRING:
        optional["max_length"] = whole(1, MAX_STRING_CHARS)
    is_nested = kind in (SUBCOMMAND, SUBCOMMAND_GROUP)
    optional["options"] = _options_of(kind) if is_nested else _nothing
    optional["channel_types"] = (
        list_of(one_of(*CHANNEL_TYPES), at_most=len(CHANNEL_TYPES), is_set=True)
        if kind == CHANNEL
        else _nothing
    )
    return fields(
        required={"name": _name, "description": _description}, optional=optional, then=_check_option
    )


def _check_option(option: Json, path: str) -> None:
    """Refuse contradicting limits, choices together with autocomplete, and choices of the same name."""
    least, most, _ = _BOUNDS.get(option["type"], ("", "", None))
    if None not in (option.get(least), option.get(most)) and option[least] > option[most]:
        raise InvalidBodyError(f"{path}.{least}", "NUMBER_TYPE_RANGE", f"Must be at most {most}.")
    choices = option.get("choices") or []
    if choices and option.get("autocomplete"):
        raise InvalidBodyError(
            f"{path}.autocomplete",
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_WITH_CHOICES",
            "Autocomplete cannot be enabled for an option with choices",
        )
    if len({one["name"] for one in choices}) < len(choices):
        raise InvalidBodyError(
            f"{path}.choices",
            "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
            "Option choice name already exists",
        )


def _never(value: Any, path: str) -> None:
    if check_bool(value, path):
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Not for this type.")


def _nothing(value: Any, path: str) -> None:
    """Refuse a field that an option of this type does not have; an empty list is allowed."""
    if value != []:
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Not for this type.")


def _chars(command: Json) -> int:
    """Return the number of characters that count towards a command's size: for translations, the longest."""
    total = 0
    for key in ("name", "description"):
        said = command.get(key) or ""
        translated = (command.get(f"{key}_localizations") or {}).values()
        total += max(len(said), *map(len, translated)) if translated else len(said)
    total += sum(len(one["name"]) + len(str(one["value"])) for one in command.get("choices") or [])
    return total + sum(map(_chars, command.get("options") or []))
