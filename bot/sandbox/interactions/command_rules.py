"""Discord's rules for application commands, their options, and autocomplete choices.

The numbers are those of Discord's documentation.
"""

import re
from collections.abc import Sequence
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    MAX_DOUBLE,
    Check,
    Needed,
    check_bool,
    check_int,
    check_list,
    check_object,
    check_text,
    fields,
    list_of,
    nonempty,
    number,
    one_of,
    required_error,
    text,
    whole,
)
from bot.sandbox.interactions.inputs import channel_types
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
        raise InvalidBodyError(path, "APPLICATION_COMMAND_INVALID_NAME")


def _by_locale(check_one: Check) -> Check:
    """Return a check for translations."""

    def check(value: Any, path: str) -> None:
        for locale, one in check_object(value, path).items():
            if locale not in LOCALES:
                reason = f'Value "{locale}" is not a valid enum value.'
                raise InvalidBodyError(f"{path}.{locale}", "ENUM_TYPE_COERCE", reason)
            check_one(one, f"{path}.{locale}")

    return check


_description = nonempty(100)
_exact = whole(-MAX_EXACT, MAX_EXACT)
_double = number(-MAX_DOUBLE, MAX_DOUBLE)
_value_checks: dict[int, Check] = {STRING: nonempty(100), INTEGER: _exact, NUMBER: _double}


def _choices(kind: int) -> Check:
    choice = fields(
        name=Needed(nonempty(100)),
        value=Needed(_value_checks[kind]),
        name_localizations=_by_locale(nonempty(100)),
    )
    return list_of(choice, at_most=MAX_CHOICES)


def check_suggestions(data: Any, kind: int) -> None:
    """Refuse choices over Discord's limits for an option of type `kind` that is being completed."""
    fields(choices=Needed(_choices(kind)))(data, "data")


def check_counts(commands: Sequence[Json]) -> None:
    """Refuse more commands than Discord takes of a kind."""
    for kind, most in MOST_OF_KIND.items():
        if sum((one.get("type") or SLASH) == kind for one in commands) > most:
            reason = f"There are more than {most} commands of type {kind}."
            raise InvalidBodyError("_root", "APPLICATION_COMMANDS_MAX", reason)


def check_command(command: Any, path: str) -> None:
    """Refuse a command over Discord's limits."""
    kind = check_object(command, path or "_root").get("type")
    if kind is not None:
        one_of(*MOST_OF_KIND)(kind, f"{path}.type".lstrip("."))
    (_slash_command if kind in (None, SLASH) else _menu_command)(command, path)
    _of_any_kind(command, path)
    if _chars(command) > MAX_COMMAND_CHARS:
        too_large = f"Command exceeds maximum size ({MAX_COMMAND_CHARS})"
        raise InvalidBodyError(path or "_root", "APPLICATION_COMMAND_TOO_LARGE", too_large)


def _options_of(*kinds: int) -> Check:
    """Return a check for options of these types."""

    def check(value: Any, path: str) -> None:
        given = check_list(value, path, at_most=MAX_OPTIONS)
        for at, one in enumerate(given):
            here = f"{path}.{at}"
            if check_object(one, here).get("type") is None:
                raise required_error(f"{here}.type")
            one_of(*kinds)(one["type"], f"{here}.type")
            _option(one, here)
            fields(**(_ELSEWHERE | _ONLY_OF.get(one["type"], {})))(one, here)
            _check_option(one, here)
        _check_together(given, path)

    return check


def _check_together(options: Sequence[Json], path: str) -> None:
    """Refuse options that exclude each other or are in the wrong order."""
    names = [one["name"] for one in options]
    if len(set(names)) < len(names):
        raise InvalidBodyError(path, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS")
    if len({one["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for one in options}) > 1:
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
    if check_bool(value, path):
        _nothing(value, path)


_any_option = _options_of(*range(SUBCOMMAND, ATTACHMENT + 1))
_plain_option = _options_of(*range(STRING, ATTACHMENT + 1))
_option = fields(
    name=Needed(_name),
    description=Needed(_description),
    name_localizations=_by_locale(_name),
    description_localizations=_by_locale(_description),
    required=check_bool,
)
# fields that only options of some types have
_ONLY_OF: dict[int, dict[str, Check]] = {
    SUBCOMMAND: {"options": _plain_option},
    SUBCOMMAND_GROUP: {"options": _options_of(SUBCOMMAND)},
    STRING: {"min_length": whole(0, MAX_STRING_CHARS), "max_length": whole(1, MAX_STRING_CHARS)},
    INTEGER: {"min_value": _exact, "max_value": _exact},
    NUMBER: {"min_value": _double, "max_value": _double},
    CHANNEL: {"channel_types": channel_types},
}
for _kind in _value_checks:
    _ONLY_OF[_kind] |= {"choices": _choices(_kind), "autocomplete": check_bool}
_ELSEWHERE = {name: _nothing for own in _ONLY_OF.values() for name in own} | {
    "autocomplete": _no_autocomplete
}
_of_any_kind = fields(
    id=check_int,
    default_member_permissions=check_int,
    dm_permission=check_bool,
    nsfw=check_bool,
    contexts=list_of(one_of(0, 1, 2), at_least=1, at_most=3, is_set=True),
    integration_types=list_of(one_of(0, 1), at_least=1, at_most=2, is_set=True),
    handler=one_of(1, 2),
)
_slash_command = fields(
    name=Needed(_name),
    name_localizations=_by_locale(_name),
    description=Needed(_description),
    description_localizations=_by_locale(_description),
    options=_any_option,
)
_menu_command = fields(
    name=Needed(nonempty(32)),
    name_localizations=_by_locale(nonempty(32)),
    description=text(0),
    options=list_of(check_object, at_most=0),
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
