"""Validation of JSON bodies: a value of the wrong type, length or range is refused as Discord refuses it.

The ``check_…`` functions check a value; the others return such checks, for tables of fields.
"""

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.world.state import Json

Check = Callable[[Any, str], object]
WEB = ("http", "https")
MAX_URL_CHARS = 2048
MAX_EMOJI_CHARS = 32
MAX_DOUBLE = float(1 << 53)


def check_text(value: Any, path: str, *, at_most: int, at_least: int = 0) -> None:
    """Refuse anything but a string of the right length."""
    if not isinstance(value, str):
        raise InvalidBodyError(path, "STRING_TYPE_CONVERT")
    if not value.strip() and at_least:
        raise required_error(path)
    if not at_least <= len(value) <= at_most:
        limits = f"between {at_least} and {at_most}" if at_least else f"{at_most} or fewer"
        code = "BASE_TYPE_BAD_LENGTH" if at_least else "BASE_TYPE_MAX_LENGTH"
        raise InvalidBodyError(path, code, f"Must be {limits} in length.")


def check_list(value: Any, path: str, *, at_most: int, at_least: int = 0) -> list[Any]:
    """Refuse anything but a list of the right length; return it."""
    if not isinstance(value, list):
        raise InvalidBodyError(path, "LIST_TYPE_CONVERT")
    if not at_least <= len(value) <= at_most:
        limits = f"Must be between {at_least} and {at_most} in length."
        raise InvalidBodyError(path, "BASE_TYPE_BAD_LENGTH", limits)
    return value


def check_int(value: Any, path: str) -> int:
    """Refuse anything but an integer from 0 to 2**64 - 1, as a number or as digits; return it."""
    digits = str(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and int(digits) < 1 << 64):
        raise _not_a("int", value, path)
    return int(digits)


def check_whole(value: Any, path: str, *, at_most: int, at_least: int = 0) -> int:
    """Refuse anything but a JSON integer in the range; return it."""
    if not is_int(value):
        raise _not_a("int", value, path)
    check_number(value, path, at_least=at_least, at_most=at_most)
    return int(value)


def check_number(value: Any, path: str, *, at_least: float, at_most: float) -> None:
    """Refuse anything but a JSON number in the range."""
    if not (is_int(value) or isinstance(value, float)):
        raise _not_a("float", value, path)
    if not at_least <= value <= at_most:
        code = "NUMBER_TYPE_MIN" if value < at_least else "NUMBER_TYPE_MAX"
        raise InvalidBodyError(path, code, f"Value should be between {at_least} and {at_most}.")


def check_object(value: Any, path: str) -> Json:
    """Refuse anything but a JSON object; return it."""
    if not isinstance(value, dict):
        raise InvalidBodyError(path, "DICT_TYPE_CONVERT")
    return value


def check_bool(value: Any, path: str) -> bool | None:
    """Refuse anything but true or false; return it, or None if it is missing."""
    if value is None or isinstance(value, bool):
        return value
    raise InvalidBodyError(path, "BOOLEAN_TYPE_CONVERT")


def check_choice(value: Any, path: str, choices: Collection[int]) -> int:
    """Refuse a number that is not in `choices`; return it."""
    if not is_int(value) or value not in choices:
        listed = ", ".join(str(int(one)) for one in choices)
        raise InvalidBodyError(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
    return int(value)


def check_timestamp(value: Any, path: str) -> None:
    """Refuse anything but an ISO 8601 timestamp."""
    check_text(value, path, at_least=1, at_most=100)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        reason = f"Could not parse {value}. Should be ISO8601."
        raise InvalidBodyError(path, "DATE_TIME_TYPE_PARSE", reason) from None


def required_error(path: str) -> InvalidBodyError:
    """Return the refusal of a body with a missing field."""
    return InvalidBodyError(path, "BASE_TYPE_REQUIRED")


def _not_a(kind: str, value: Any, path: str) -> InvalidBodyError:
    return InvalidBodyError(path, "NUMBER_TYPE_COERCE", f'Value "{str(value)[:100]}" is not {kind}.')


def text(at_most: int) -> Check:
    """Return a check for a string of at most this length."""
    return partial(check_text, at_most=at_most)


def nonempty(at_most: int) -> Check:
    """Return a check for a string of at most this length that is not blank."""
    return partial(check_text, at_least=1, at_most=at_most)


def whole(at_least: int, at_most: int) -> Check:
    """Return a check for a JSON integer in the range."""
    return partial(check_whole, at_least=at_least, at_most=at_most)


def number(at_least: float, at_most: float) -> Check:
    """Return a check for a JSON number in the range."""
    return partial(check_number, at_least=at_least, at_most=at_most)


def one_of(*choices: int) -> Check:
    """Return a check for one of Discord's numbered choices."""
    return partial(check_choice, choices=choices)


def word_of(*words: str) -> Check:
    """Return a check for one of Discord's named choices."""

    def check(value: Any, path: str) -> None:
        if value not in words:
            listed = ", ".join(repr(one) for one in words)
            raise InvalidBodyError(path, "BASE_TYPE_CHOICES", f"Value must be one of ({listed}).")

    return check


def url(*schemes: str, at_most: int = MAX_URL_CHARS) -> Check:
    """Return a check for a URL with one of the schemes."""

    def check(value: Any, path: str) -> None:
        check_text(value, path, at_least=1, at_most=at_most)
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = None
        if parts is None or not parts.scheme or not parts.netloc or " " in value:
            raise InvalidBodyError(path, "URL_TYPE_INVALID_URL")
        if parts.scheme not in schemes:
            reason = f'Scheme "{parts.scheme}" must be one of {schemes}.'
            raise InvalidBodyError(path, "URL_TYPE_INVALID_SCHEME", reason)

    return check


def list_of(check_one: Check, *, at_most: int, at_least: int = 0, is_set: bool = False) -> Check:
    """Return a check for a list; with `is_set`, for one without duplicates."""

    def check(value: Any, path: str) -> None:
        for at, one in enumerate(check_list(value, path, at_least=at_least, at_most=at_most)):
            check_one(one, f"{path}.{at}")
            if is_set and str(one) in map(str, value[:at]):  # 5 and "5" are the same id
                reason = f'The set already contains the value "{one}"'
                raise InvalidBodyError(path, "SET_TYPE_ALREADY_CONTAINS_VALUE", reason)

    return check


@dataclass(frozen=True, slots=True)
class Needed:
    """The check for a field that must be present and not null."""

    check: Check


def json_object(**checks: Check | Needed) -> Check:
    """Return a check for an object by its fields, the needed ones first; others may be missing or null."""
    needed = {name: one.check for name, one in checks.items() if isinstance(one, Needed)}
    optional = {name: one for name, one in checks.items() if not isinstance(one, Needed)}
    in_order = needed | optional

    def check(value: Any, path: str) -> None:
        given = check_object(value, path)
        start = f"{path}." if path else ""
        for name, check_one in in_order.items():
            if given.get(name) is not None:
                check_one(given[name], f"{start}{name}")
            elif name in needed:
                raise required_error(f"{start}{name}")

    return check


def all_of(*checks: Check) -> Check:
    """Return a check that runs several checks one after another."""

    def check(value: Any, path: str) -> None:
        for one in checks:
            one(value, path)

    return check


def is_int(value: Any) -> TypeGuard[int]:
    """Return whether a value is an integer in JSON, where true and false are not numbers."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_emoji(value: str) -> bool:
    """Return whether a text can be a Unicode emoji; each skin tone is an emoji of its own."""
    has_symbol = any(
        unicodedata.category(sign) in ("So", "Sk", "Me", "Sm", "Po") for sign in value if ord(sign) > 0x7F
    )
    return has_symbol and len(value) <= MAX_EMOJI_CHARS and not any(sign.isalpha() for sign in value)
