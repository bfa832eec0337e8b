"""Fields of JSON bodies: what is not of the right type, length or range is refused as Discord refuses it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.state import Json


def check_text(value: Any, path: str, *, at_most: int, at_least: int = 0) -> int:
    """Refuse what is not a text of the right length; return its length in characters."""
    if not isinstance(value, str):
        raise InvalidBodyError(path, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
    if not value.strip() and at_least:
        raise InvalidBodyError(path, "BASE_TYPE_REQUIRED", "This field is required")
    if not at_least <= len(value) <= at_most:
        limits = f"between {at_least} and {at_most}" if at_least else f"{at_most} or fewer"
        code = "BASE_TYPE_BAD_LENGTH" if at_least else "BASE_TYPE_MAX_LENGTH"
        raise InvalidBodyError(path, code, f"Must be {limits} in length.")
    return len(value)


def check_list(value: Any, path: str, *, at_most: int, at_least: int = 0) -> list[Any]:
    """Refuse what is not a list of the right length; return it."""
    if not isinstance(value, list):
        raise InvalidBodyError(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    if not at_least <= len(value) <= at_most:
        raise InvalidBodyError(
            path, "BASE_TYPE_BAD_LENGTH", f"Must be between {at_least} and {at_most} in length."
        )
    return value


def check_int(value: Any, path: str) -> int:
    """Refuse what is no whole number from 0 to 2**64 - 1, as a number or as digits; return it."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) < 1 << 64):
        raise InvalidBodyError(path, "NUMBER_TYPE_COERCE", f'Value "{text[:100]}" is not int.')
    return int(text)


def check_object(value: Any, path: str) -> Json:
    """Refuse what is not a JSON object; return it."""
    if not isinstance(value, dict):
        raise InvalidBodyError(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    return value


def check_bool(value: Any, path: str) -> bool | None:
    """Refuse what is neither true nor false; return it, or None when it is left out."""
    if value is None or isinstance(value, bool):
        return value
    raise InvalidBodyError(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")


def check_choice(value: Any, path: str, choices: Collection[int]) -> int:
    """Refuse a number that is none of `choices`; return it."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in choices:
        listed = ", ".join(str(int(one)) for one in choices)
        raise InvalidBodyError(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
    return value


def check_whole(value: Any, path: str, *, at_most: int, at_least: int = 0) -> int:
    """Refuse what is not a whole number in the range; return it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidBodyError(path, "NUMBER_TYPE_COERCE", f'Value "{str(value)[:100]}" is not int.')
    if not at_least <= value <= at_most:
        code = "NUMBER_TYPE_MIN" if value < at_least else "NUMBER_TYPE_MAX"
        raise InvalidBodyError(path, code, f"int value should be between {at_least} and {at_most}.")
    return value
