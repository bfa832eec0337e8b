"""Menus, and the inputs of modals: text, files, radio buttons, checkboxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    Check,
    check_bool,
    check_int,
    check_text,
    fields,
    list_of,
    one_of,
    text,
    whole,
    word_of,
)
from bot.sandbox.interactions.buttons import MAX_ID, partial_emoji
from bot.sandbox.world.state import Json

STRING_SELECT, TEXT_INPUT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = range(3, 9)
SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 19, 21, 22, 23
IN_LABEL = (TEXT_INPUT, *SELECTS, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)
CHANNEL_TYPES = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)
MAX_MENU_CHOICES = 25
MAX_BOXES = 10
MAX_INPUT_CHARS = 4000
DEFAULTS_OF = {
    USER_SELECT: ("user",),
    ROLE_SELECT: ("role",),
    MENTIONABLE_SELECT: ("user", "role"),
    CHANNEL_SELECT: ("channel",),
}

_custom_id = {"custom_id": text(100, at_least=1)}
_choice = fields(
    required={"label": text(100, at_least=1), "value": text(100, at_least=1)},
    optional={"description": text(100), "default": check_bool, "emoji": partial_emoji},
)


def _choices(at_least: int, at_most: int) -> Check:
    """Return a check for the choices of a menu or group; their values must differ."""
    each = list_of(_choice, at_least=at_least, at_most=at_most)

    def check(value: Any, path: str) -> None:
        each(value, path)
        if len({one["value"] for one in value}) < len(value):
            raise InvalidBodyError(
                path,
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )

    return check


def _check_counts(one: Json, path: str, *, most_choices: int, is_required: bool, usual_most: int = 1) -> None:
    """Refuse counts that contradict each other, the number of choices, or the defaults."""
    least, most = one.get("min_values"), one.get("max_values")
    if least == 0 and is_required:
        raise InvalidBodyError(
            f"{path}.min_values",
            "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES",
            "Min values must be at least 1 if the component is required",
        )
    available = len(one.get("options") or ()) or most_choices
    most = usual_most if most is None else most
    if (1 if least is None else least) > most:
        raise InvalidBodyError(f"{path}.min_values", "NUMBER_TYPE_RANGE", "Must be at most max_values.")
    if most > available:
        raise InvalidBodyError(f"{path}.max_values", "NUMBER_TYPE_RANGE", f"Must be at most {available}.")
    chosen = [choice for choice in one.get("options") or () if choice.get("default")]
    if len(chosen or one.get("default_values") or ()) > most:
        raise InvalidBodyError(
            f"{path}.{'options' if chosen else 'default_values'}",
            "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES",
            "There are more defaults than max_values.",
        )


def select(kind: int, *, in_modal: bool) -> Check:
    """Return a check for a menu; in a modal it is required by default."""

    def together(menu: Json, path: str) -> None:
        is_required = menu.get("required")
        _check_counts(
            menu,
            path,
            most_choices=MAX_MENU_CHOICES,
            is_required=in_modal if is_required is None else is_required,
        )
        if in_modal and menu.get("disabled"):
            raise InvalidBodyError(
                f"{path}.disabled", "COMPONENT_DISABLED_IN_MODAL", "Nothing in a modal can be disabled."
            )

    required: dict[str, Check] = dict(_custom_id)
    optional: dict[str, Check] = {
        "id": whole(0, MAX_ID),
        "placeholder": text(150),
        "min_values": whole(0, MAX_MENU_CHOICES),
        "max_values": whole(1, MAX_MENU_CHOICES),
        "disabled": check_bool,
        "required": check_bool,
    }
    if kind == STRING_SELECT:
        required["options"] = _choices(1, MAX_MENU_CHOICES)
    else:
        default = fields(required={"id": check_int, "type": word_of(*DEFAULTS_OF[kind])})
        optional["default_values"] = list_of(default, at_most=MAX_MENU_CHOICES)
    if kind == CHANNEL_SELECT:
        optional["channel_types"] = list_of(one_of(*CHANNEL_TYPES), at_most=len(CHANNEL_TYPES), is_set=True)
    return fields(required=required, optional=optional, then=together)


def _check_lengths(one: Json, path: str) -> None:
    least, most = one.get("min_length") or 0, one.get("max_length") or MAX_INPUT_CHARS
    if least > most:
        raise InvalidBodyError(f"{path}.min_length", "NUMBER_TYPE_RANGE", "Must be at most max_length.")
    check_text(one.get("value") or "", f"{path}.value", at_most=most)


def text_input(*, is_labelled: bool) -> Check:
    """Return a check for a text input; outside a label component it needs its own label."""
    label = {"label": text(45, at_least=1)}
    return fields(
        required={**_custom_id, "style": one_of(1, 2), **({} if is_labelled else label)},
        optional={
            **label,
            "id": whole(0, MAX_ID),
            "value": text(MAX_INPUT_CHARS),
            "placeholder": text(100),
            "required": check_bool,
            "min_length": whole(0, MAX_INPUT_CHARS),
            "max_length": whole(1, MAX_INPUT_CHARS),
        },
        then=_check_lengths,
    )


def _group(*, at_least: int, at_most: int, has_choices: bool = True) -> Check:
    """Return a check for radio buttons, checkboxes or an upload of several files."""

    def together(group: Json, path: str) -> None:
        is_required = group.get("required")
        _check_counts(
            group,
            path,
            most_choices=MAX_BOXES,
            is_required=is_required is not False,
            usual_most=min(at_most, len(group["options"])) if has_choices else 1,
        )

    choices: Mapping[str, Check] = {"options": _choices(at_least, MAX_BOXES)} if has_choices else {}
    counts = {"min_values": whole(0, at_most), "max_values": whole(1, at_most)}
    return fields(
        required={**_custom_id, **choices},
        optional={"id": whole(0, MAX_ID), "required": check_bool, **counts},
        then=together,
    )


_INPUTS: dict[int, Check] = {
    TEXT_INPUT: text_input(is_labelled=True),
    **{kind: select(kind, in_modal=True) for kind in SELECTS},
    FILE_UPLOAD: _group(at_least=0, at_most=MAX_BOXES, has_choices=False),
    RADIO_GROUP: _group(at_least=2, at_most=1),
    CHECKBOX_GROUP: _group(at_least=1, at_most=MAX_BOXES),
    CHECKBOX: fields(required=_custom_id, optional={"id": whole(0, MAX_ID), "default": check_bool}),
}


def labelled_input(value: Any, path: str) -> None:
    """Refuse the input in a label over Discord's limits."""
    _INPUTS[value["type"]](value, path)
