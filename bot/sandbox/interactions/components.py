"""Components of messages and modals: where each is allowed, and Discord's limits on it.

The numbers are those of Discord's documentation. An unknown or misplaced component is refused like one over a
limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from bot.sandbox import fields
from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.interactions.inputs import (
    IN_LABEL,
    SELECTS,
    TEXT_INPUT,
    component_id,
    partial_emoji,
    select,
    text_input,
    with_children,
)
from bot.sandbox.world.state import Json

MAX_ROWS = 5
MAX_IN_ROW = 5
MAX_V2_COMPONENTS = 40
MAX_V2_CHARS = 4000  # of all text displays together
MAX_MODAL_COMPONENTS = 5

ACTION_ROW, BUTTON, SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR = 1, 2, 9, 10, 11, 12, 13, 14
CONTAINER, LABEL = 17, 18
IN_CONTAINER = (ACTION_ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR)
IN_V2_MESSAGE = (*IN_CONTAINER, CONTAINER)
LINK_STYLE, PREMIUM_STYLE = 5, 6


def check_components(components: Any, *, is_v2: bool) -> tuple[Json, ...]:
    """Refuse the components of a message over Discord's limits; return them with their ``id`` filled in."""
    given = fields.check_list(components, "components", at_most=MAX_V2_COMPONENTS if is_v2 else MAX_ROWS)
    check_one = _one_of(IN_MESSAGES, *(IN_V2_MESSAGE if is_v2 else (ACTION_ROW,)))
    for at, one in enumerate(given):
        check_one(one, f"components.{at}")
    every = list(walk(given, "components"))
    _check_ids(every)
    if is_v2:
        chars = sum(len(one["content"]) for _, one in every if one["type"] == TEXT_DISPLAY)
        if len(every) > MAX_V2_COMPONENTS or chars > MAX_V2_CHARS:
            too_large = "Too many components, or too much text in them."
            raise InvalidBodyError("components", "BASE_TYPE_BAD_LENGTH", too_large)
    return tuple(_numbered(given))


def check_modal(form: Any) -> None:
    """Refuse a modal over Discord's limits."""
    _form(form, "data")
    _check_ids(list(walk(form["components"], "data.components")))


def walk(components: Sequence[Any], path: str) -> Iterator[tuple[str, Json]]:
    """Yield every component at any depth with its dotted path."""
    for at, one in enumerate(components):
        here = f"{path}.{at}"
        yield here, fields.check_object(one, here)
        yield from walk(
            fields.check_list(one.get("components") or [], here, at_most=MAX_V2_COMPONENTS),
            f"{here}.components",
        )
        nested = [one[key] for key in ("accessory", "component") if one.get(key) is not None]
        yield from walk(nested, here)


def _one_of(table: Mapping[int, fields.Check], *allowed: int) -> fields.Check:
    """Return a check for a component of one of the allowed types, each with its own check in `table`."""

    def check(value: Any, path: str) -> None:
        kind = fields.check_object(value, path).get("type")
        if kind is None:
            raise fields.required_error(f"{path}.type")
        if not fields.is_int(kind) or kind not in allowed:
            reason = f"Value of field must be one of ({', '.join(map(str, allowed))})."
            raise InvalidBodyError(f"{path}.type", "UNION_TYPE_CHOICES", reason)
        table[kind](value, path)

    return check


def _check_row(row: Any, path: str) -> None:
    """Refuse a row that is empty or too wide, or that has other components next to a menu."""
    inside = fields.check_list(row.get("components"), f"{path}.components", at_least=1, at_most=MAX_IN_ROW)
    for at, one in enumerate(inside):
        _one_of(IN_MESSAGES, BUTTON, *SELECTS)(one, f"{path}.components.{at}")
    if len(inside) > 1 and any(one["type"] != BUTTON for one in inside):
        raise InvalidBodyError(f"{path}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED")


def _check_style(button: Any, path: str) -> None:
    """Refuse a button without what its style asks for, or with what its style does not go with."""
    style = button["style"]
    key = {LINK_STYLE: "url", PREMIUM_STYLE: "sku_id"}.get(style, "custom_id")
    others = {"url", "sku_id", "custom_id"} - {key}
    if style == PREMIUM_STYLE:
        others |= {"label", "emoji"}
    elif not (button.get("label") or button.get("emoji")):
        raise fields.required_error(f"{path}.label")
    if button.get(key) is None:
        raise fields.required_error(f"{path}.{key}")
    for other in sorted(others):
        if button.get(other) is not None:
            reason = f"A button of style {style} has no {other}"
            raise InvalidBodyError(f"{path}.{other}", "BUTTON_COMPONENT_FIELD_NOT_ALLOWED", reason)


_button = fields.json_object(
    style=fields.Needed(fields.one_of(1, 2, 3, 4, LINK_STYLE, PREMIUM_STYLE)),
    id=component_id,
    label=fields.text(80),
    custom_id=fields.nonempty(100),
    url=fields.url(*fields.WEB, "discord", at_most=512),
    sku_id=fields.check_int,
    emoji=partial_emoji,
    disabled=fields.check_bool,
)
_about_media: dict[str, fields.Check | fields.Needed] = {
    "media": fields.Needed(fields.json_object(url=fields.Needed(fields.url(*fields.WEB, "attachment")))),
    "description": fields.nonempty(1024),
    "spoiler": fields.check_bool,
}
_text_display = fields.json_object(content=fields.Needed(fields.nonempty(MAX_V2_CHARS)), id=component_id)
IN_MESSAGES: dict[int, fields.Check] = {}
IN_MESSAGES |= {  # in two steps, because some hold others
    ACTION_ROW: fields.all_of(fields.json_object(id=component_id), _check_row),
    BUTTON: fields.all_of(_button, _check_style),
    **{kind: select(kind, in_modal=False) for kind in SELECTS},
    SECTION: fields.json_object(
        components=fields.Needed(fields.list_of(_one_of(IN_MESSAGES, TEXT_DISPLAY), at_least=1, at_most=3)),
        accessory=fields.Needed(_one_of(IN_MESSAGES, BUTTON, THUMBNAIL)),
        id=component_id,
    ),
    TEXT_DISPLAY: _text_display,
    THUMBNAIL: fields.json_object(id=component_id, **_about_media),
    GALLERY: fields.json_object(
        items=fields.Needed(fields.list_of(fields.json_object(**_about_media), at_least=1, at_most=10)),
        id=component_id,
    ),
    FILE: fields.json_object(
        file=fields.Needed(fields.json_object(url=fields.Needed(fields.url("attachment")))),
        spoiler=fields.check_bool,
        id=component_id,
    ),
    SEPARATOR: fields.json_object(divider=fields.check_bool, spacing=fields.one_of(1, 2), id=component_id),
    CONTAINER: fields.json_object(
        components=fields.Needed(
            fields.list_of(_one_of(IN_MESSAGES, *IN_CONTAINER), at_least=1, at_most=MAX_V2_COMPONENTS)
        ),
        accent_color=fields.whole(0, 0xFFFFFF),
        spoiler=fields.check_bool,
        id=component_id,
    ),
}
# Discord accepts one text input per row, although its schema allows five.
_input_in_row = _one_of({TEXT_INPUT: text_input(is_labelled=False)}, TEXT_INPUT)
IN_MODALS: dict[int, fields.Check] = {
    ACTION_ROW: fields.json_object(
        components=fields.Needed(fields.list_of(_input_in_row, at_least=1, at_most=1)), id=component_id
    ),
    TEXT_DISPLAY: _text_display,
    LABEL: fields.json_object(
        label=fields.Needed(fields.nonempty(45)),
        component=fields.Needed(_one_of(IN_LABEL, *IN_LABEL)),
        description=fields.nonempty(100),
        id=component_id,
    ),
}
_form = fields.json_object(
    title=fields.Needed(fields.nonempty(45)),
    custom_id=fields.Needed(fields.nonempty(100)),
    components=fields.Needed(
        fields.list_of(_one_of(IN_MODALS, *IN_MODALS), at_least=1, at_most=MAX_MODAL_COMPONENTS)
    ),
)


def _check_ids(every: Sequence[tuple[str, Json]]) -> None:
    """Refuse a custom id or a numeric id that two components share."""
    for key in ("custom_id", "id"):
        seen: set[object] = set()
        for path, one in every:
            if one.get(key) and one[key] in seen:
                raise InvalidBodyError(f"{path}.{key}", f"COMPONENT_{key.upper()}_DUPLICATED")
            seen.add(one.get(key))


def _numbered(components: Sequence[Json]) -> list[Json]:
    """Return the components with missing ids filled in from 1, as Discord does."""
    counter = count(1)

    def number(one: Json) -> Json:
        position = next(counter)
        return with_children({**one, "id": one.get("id") or position}, number)

    return [number(one) for one in components]
