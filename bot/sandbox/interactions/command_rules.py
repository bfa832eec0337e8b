"""Discord's rules for application commands, their options, and autocomplete choices.

The numbers are those of Discord's documentation.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from bot.sandbox import fields
from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.interactions.inputs import channel_types
from bot.sandbox.world.state import Json

SLASH, OF_USER, OF_MESSAGE = 1, 2, 3
MOST_OF_KIND = {SLASH: 100, OF_USER: 15, OF_MESSAGE: 15}
MAX_COMMANDS = sum(MOST_OF_KIND.values())
MAX_COMMAND_CHARS = 8000  # names, descriptions and values of a command and its options together
MAX_OPTIONS = 25
MAX_CHOICES = 25
OptionType = IntEnum(
    "OptionType",
    "SUBCOMMAND SUBCOMMAND_GROUP STRING INTEGER BOOLEAN USER CHANNEL ROLE MENTIONABLE NUMBER ATTACHMENT",
)
MAX_EXACT = (1 << 53) - 1  # the largest whole number that a double holds exactly
MAX_STRING_CHARS = 6000
# In Python, \w does not match the combining vowel signs of Devanagari and Thai.
NAME = re.compile(r"[-_'\w\u0900-\u097f\u0e00-\u0e7f]{1,32}")
LOCALES = (
    *("ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he", "hi", "hr"),
    *("hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk"),
    *("vi", "zh-CN", "zh-TW"),
)


def _name(value: Any, path: str) -> None:
    fields.check_text(value, path, at_least=1, at_most=32)
    if not NAME.fullmatch(value) or value != value.lower():
        raise InvalidBodyError(path, "APPLICATION_COMMAND_INVALID_NAME")


def _by_locale(check_one: fields.Check) -> fields.Check:
    """Return a check for translations."""

    def check(value: Any, path: str) -> None:
        for locale, one in fields.check_object(value, path).items():
            if locale not in LOCALES:
                reason = f'Value "{locale}" is not a valid enum value.'
                raise InvalidBodyError(f"{path}.{locale}", "ENUM_TYPE_COERCE", reason)
            check_one(one, f"{path}.{locale}")

    return check


_description = fields.nonempty(100)
_exact = fields.whole(-MAX_EXACT, MAX_EXACT)
_double = fields.number(-fields.MAX_DOUBLE, fields.MAX_DOUBLE)
_value_checks: dict[int, fields.Check] = {
    OptionType.STRING: fields.nonempty(100),
    OptionType.INTEGER: _exact,
    OptionType.NUMBER: _double,
}


def _choices(kind: int) -> fields.Check:
    choice = fields.json_object(
        name=fields.Needed(fields.nonempty(100)),
        value=fields.Needed(_value_checks[kind]),
        name_localizations=_by_locale(fields.nonempty(100)),
    )
    return fields.list_of(choice, at_most=MAX_CHOICES)


def check_suggestions(data: Any, kind: int) -> None:
    """Refuse choices over Discord's limits for an option of type `kind` that is being completed."""
    fields.json_object(choices=fields.Needed(_choices(kind)))(data, "data")


def check_counts(commands: Sequence[Json]) -> None:
    """Refuse more commands than Discord takes of a kind."""
    for kind, most in MOST_OF_KIND.items():
        if sum((one.get("type") or SLASH) == kind for one in commands) > most:
            reason = f"There are more than {most} commands of type {kind}."
            raise InvalidBodyError("_root", "APPLICATION_COMMANDS_MAX", reason)


def check_command(command: Any, path: str) -> None:
    """Refuse a command over Discord's limits."""
    kind = fields.check_object(command, path or "_root").get("type")
    if kind is not None:
        fields.one_of(*MOST_OF_KIND)(kind, f"{path}.type".lstrip("."))
    (_slash_command if kind in (None, SLASH) else _menu_command)(command, path)
    _of_any_kind(command, path)
    if _chars(command) > MAX_COMMAND_CHARS:
        too_large = f"Command exceeds maximum size ({MAX_COMMAND_CHARS})"
        raise InvalidBodyError(path or "_root", "APPLICATION_COMMAND_TOO_LARGE", too_large)


def _options_of(*kinds: int) -> fields.Check:
    """Return a check for options of these types."""

    def check(value: Any, path: str) -> None:
        given = fields.check_list(value, path, at_most=MAX_OPTIONS)
        for at, one in enumerate(given):
            here = f"{path}.{at}"
            if fields.check_object(one, here).get("type") is None:
                raise fields.required_error(f"{here}.type")
            fields.one_of(*kinds)(one["type"], f"{here}.type")
            _option(one, here)
            fields.json_object(**(_ELSEWHERE | _ONLY_OF.get(one["type"], {})))(one, here)
            _check_option(one, here)
        _check_together(given, path)

    return check


def _check_together(options: Sequence[Json], path: str) -> None:
    """Refuse options that exclude each other or are in the wrong order."""
    names = [one["name"] for one in options]
    if len(set(names)) < len(names):
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS")
    if len({one["type"] in (OptionType.SUBCOMMAND, OptionType.SUBCOMMAND_GROUP) for one in options}) > 1:
        reason = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", reason)
    required = [bool(one.get("required")) for one in options]
    if required != sorted(required, reverse=True):
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID")


def _check_option(option: Json, path: str) -> None:
    """Refuse contradicting limits, choices together with autocomplete, and choices of the same name."""
    for least, most in (("min_length", "max_length"), ("min_value", "max_value")):
        if None not in (option.get(least), option.get(most)) and option[least] > option[most]:
            raise InvalidBodyError(f"{path}.{least}", "NUMBER_TYPE_RANGE", f"Must be at most {most}.")
    choices = option.get("choices") or []
    if choices and option.get("autocomplete"):
        code = "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_WITH_CHOICES"
        raise InvalidBodyError(f"{path}.autocomplete", code)
    if len({one["name"] for one in choices}) < len(choices):
        code = "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS"
        raise InvalidBodyError(f"{path}.choices", code)


def _nothing(value: Any, path: str) -> None:
    """Refuse a field that an option of this type does not have; an empty list is allowed."""
    if value != []:
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Not for this type.")


def _no_autocomplete(value: Any, path: str) -> None:
    if fields.check_bool(value, path):
        _nothing(value, path)


_any_option = _options_of(*OptionType)
_plain_option = _options_of(*range(OptionType.STRING, OptionType.ATTACHMENT + 1))
_option = fields.json_object(
    name=fields.Needed(_name),
    description=fields.Needed(_description),
    name_localizations=_by_locale(_name),
    description_localizations=_by_locale(_description),
    required=fields.check_bool,
)
# fields that only options of some types have
_ONLY_OF: dict[int, dict[str, fields.Check]] = {
    OptionType.SUBCOMMAND: {"options": _plain_option},
    OptionType.SUBCOMMAND_GROUP: {"options": _options_of(OptionType.SUBCOMMAND)},
    OptionType.STRING: {
        "min_length": fields.whole(0, MAX_STRING_CHARS),
        "max_length": fields.whole(1, MAX_STRING_CHARS),
    },
    OptionType.INTEGER: {"min_value": _exact, "max_value": _exact},
    OptionType.NUMBER: {"min_value": _double, "max_value": _double},
    OptionType.CHANNEL: {"channel_types": channel_types},
}
for _kind in _value_checks:
    _ONLY_OF[_kind] |= {"choices": _choices(_kind), "autocomplete": fields.check_bool}
_ELSEWHERE = {name: _nothing for own in _ONLY_OF.values() for name in own} | {
    "autocomplete": _no_autocomplete
}
_of_any_kind = fields.json_object(
    id=fields.check_int,
    default_member_permissions=fields.check_int,
    dm_permission=fields.check_bool,
    nsfw=fields.check_bool,
    contexts=fields.list_of(fields.one_of(0, 1, 2), at_least=1, at_most=3, is_set=True),
    integration_types=fields.list_of(fields.one_of(0, 1), at_least=1, at_most=2, is_set=True),
    handler=fields.one_of(1, 2),
)
_slash_command = fields.json_object(
    name=fields.Needed(_name),
    name_localizations=_by_locale(_name),
    description=fields.Needed(_description),
    description_localizations=_by_locale(_description),
    options=_any_option,
)
_menu_command = fields.json_object(
    name=fields.Needed(fields.nonempty(32)),
    name_localizations=_by_locale(fields.nonempty(32)),
    description=fields.text(0),
    options=fields.list_of(fields.check_object, at_most=0),
)


def _chars(command: Json) -> int:
    """Return the number of characters that count towards a command's size: for translations, the longest."""
    total = 0
    for key in ("name", "description"):
        said = command.get(key) or ""
        translated = (command.get(f"{key}_localizations") or {}).values()
        total += max(len(said), *map(len, translated)) if translated else len(said)
    total += sum(len(one["name"]) + len(str(one["value"])) for one in command.get("choices") or [])
    return total + sum(map(_chars, command.get("options") or []))
