"""Components of messages and modals: where each is allowed, and Discord's limits on it.

The numbers are those of Discord's documentation. An unknown or misplaced component is refused like one over a
limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    WEB,
    Check,
    check_bool,
    check_list,
    check_object,
    fields,
    list_of,
    one_of,
    required_error,
    text,
    url,
    whole,
)
from bot.sandbox.interactions.buttons import BUTTON, button
from bot.sandbox.interactions.inputs import IN_LABEL, SELECTS, TEXT_INPUT, labelled_input, select, text_input
from bot.sandbox.world.state import Json

MAX_ROWS = 5
MAX_IN_ROW = 5
MAX_V2_COMPONENTS = 40
MAX_V2_CHARS = 4000  # of all text displays together
MAX_MODAL_COMPONENTS = 5
MAX_ID = (1 << 31) - 1

ACTION_ROW, SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR = 1, 9, 10, 11, 12, 13, 14
CONTAINER, LABEL = 17, 18
IN_CONTAINER = (ACTION_ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR)
IN_V2_MESSAGE = (*IN_CONTAINER, CONTAINER)
IN_MODAL = (ACTION_ROW, TEXT_DISPLAY, LABEL)


def check_components(components: Any, *, is_v2: bool) -> tuple[Json, ...]:
    """Refuse the components of a message over Discord's limits; return them with their ``id`` filled in."""
    given = check_list(components, "components", at_most=MAX_V2_COMPONENTS if is_v2 else MAX_ROWS)
    allowed = IN_V2_MESSAGE if is_v2 else (ACTION_ROW,)
    for at, one in enumerate(given):
        _one_of(_IN_MESSAGES, allowed)(one, f"components.{at}")
    every = list(walk(given, "components"))
    _check_ids(every)
    if is_v2:
        chars = sum(len(one["content"]) for _, one in every if one["type"] == TEXT_DISPLAY)
        if len(every) > MAX_V2_COMPONENTS or chars > MAX_V2_CHARS:
            raise InvalidBodyError(
                "components", "BASE_TYPE_BAD_LENGTH", "Too many components, or too much text in them."
            )
    return tuple(_numbered(given))


def check_modal(form: Any) -> None:
    """Refuse a modal over Discord's limits."""
    _form(form, "data")
    _check_ids(list(walk(form["components"], "data.components")))


def walk(components: Sequence[Any], path: str) -> Iterator[tuple[str, Json]]:
    """Yield every component at any depth with its dotted path."""
    for at, one in enumerate(components):
        here = f"{path}.{at}"
        yield here, check_object(one, here)
        yield from walk(
            check_list(one.get("components") or [], here, at_most=MAX_V2_COMPONENTS), f"{here}.components"
        )
        nested = [one[key] for key in ("accessory", "component") if one.get(key) is not None]
        yield from walk(nested, here)


def _one_of(table: Mapping[int, Check], allowed: Sequence[int]) -> Check:
    """Return a check for a component of one of the allowed types."""

    def check(value: Any, path: str) -> None:
        kind = check_object(value, path).get("type")
        if kind is None:
            raise required_error(f"{path}.type")
        if isinstance(kind, bool) or not isinstance(kind, int) or kind not in allowed:
            listed = ", ".join(map(str, allowed))
            raise InvalidBodyError(
                f"{path}.type", "UNION_TYPE_CHOICES", f"Value of field must be one of ({listed})."
            )
        table[kind](value, path)

    return check


def _component(*, required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    return fields(required=required, optional={"id": whole(0, MAX_ID), **optional})


def _row(value: Any, path: str) -> None:
    """Refuse a row that is empty or too wide, or that has other components next to a menu."""
    inside = check_list(value.get("components"), f"{path}.components", at_least=1, at_most=MAX_IN_ROW)
    for at, one in enumerate(inside):
        _one_of(_IN_MESSAGES, (BUTTON, *SELECTS))(one, f"{path}.components.{at}")
    if len(inside) > 1 and any(one["type"] != BUTTON for one in inside):
        raise InvalidBodyError(
            f"{path}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified row is too wide."
        )


def _in_section(value: Any, path: str) -> None:
    _one_of(_IN_MESSAGES, (TEXT_DISPLAY,))(value, path)


def _beside_section(value: Any, path: str) -> None:
    _one_of(_IN_MESSAGES, (BUTTON, THUMBNAIL))(value, path)


def _in_container(value: Any, path: str) -> None:
    _one_of(_IN_MESSAGES, IN_CONTAINER)(value, path)


def _in_modal(value: Any, path: str) -> None:
    _one_of(_IN_MODALS, IN_MODAL)(value, path)


_media = fields(required={"url": url(*WEB, "attachment")})
_about_media = {"description": text(1024, at_least=1), "spoiler": check_bool}
_text_display = _component(required={"content": text(MAX_V2_CHARS, at_least=1)})
_IN_MESSAGES: dict[int, Check] = {
    ACTION_ROW: fields(optional={"id": whole(0, MAX_ID)}, then=_row),
    BUTTON: button,
    **{kind: select(kind, in_modal=False) for kind in SELECTS},
    SECTION: _component(
        required={
            "components": list_of(_in_section, at_least=1, at_most=3),
            "accessory": _beside_section,
        }
    ),
    TEXT_DISPLAY: _text_display,
    THUMBNAIL: _component(required={"media": _media}, **_about_media),
    GALLERY: _component(
        required={
            "items": list_of(
                fields(required={"media": _media}, optional=_about_media), at_least=1, at_most=10
            )
        }
    ),
    FILE: _component(required={"file": fields(required={"url": url("attachment")})}, spoiler=check_bool),
    SEPARATOR: _component(divider=check_bool, spacing=one_of(1, 2)),
    CONTAINER: _component(
        required={"components": list_of(_in_container, at_least=1, at_most=MAX_V2_COMPONENTS)},
        accent_color=whole(0, 0xFFFFFF),
        spoiler=check_bool,
    ),
}
_IN_MODALS: dict[int, Check] = {
    # Discord accepts one text input per row, although its schema allows five.
    ACTION_ROW: _component(
        required={
            "components": list_of(
                _one_of({TEXT_INPUT: text_input(is_labelled=False)}, (TEXT_INPUT,)), at_least=1, at_most=1
            )
        }
    ),
    TEXT_DISPLAY: _text_display,
    LABEL: _component(
        required={
            "label": text(45, at_least=1),
            "component": _one_of(dict.fromkeys(IN_LABEL, labelled_input), IN_LABEL),
        },
        description=text(100, at_least=1),
    ),
}
_form = fields(
    required={
        "title": text(45, at_least=1),
        "custom_id": text(100, at_least=1),
        "components": list_of(_in_modal, at_least=1, at_most=MAX_MODAL_COMPONENTS),
    }
)


def _check_ids(every: Sequence[tuple[str, Json]]) -> None:
    """Refuse a custom id or a numeric id that two components share."""
    for key, code, said in (
        ("custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"),
        ("id", "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated"),
    ):
        seen: set[object] = set()
        for path, one in every:
            if one.get(key) and one[key] in seen:
                raise InvalidBodyError(f"{path}.{key}", code, said)
            seen.add(one.get(key))


def _numbered(components: Sequence[Json]) -> list[Json]:
    """Return the components with missing ids filled in from 1, as Discord does."""
    count = 0

    def number(one: Json) -> Json:
        nonlocal count
        count += 1
        numbered: Json = {**one, "id": one.get("id") or count}
        if "components" in one:
            numbered["components"] = [number(child) for child in one["components"]]
        for key in ("accessory", "component"):
            if key in one:
                numbered[key] = number(one[key])
        return numbered

    return [number(one) for one in components]
