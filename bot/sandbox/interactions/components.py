"""Components of messages and modals: where each is allowed, and Discord's limits on it.

The numbers are those of Discord's documentation. An unknown or misplaced component is refused like one over a
limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    WEB,
    Check,
    Needed,
    all_of,
    check_bool,
    check_int,
    check_list,
    check_object,
    fields,
    list_of,
    nonempty,
    one_of,
    required_error,
    text,
    url,
    whole,
)
from bot.sandbox.interactions.inputs import (
    IN_LABEL,
    SELECTS,
    TEXT_INPUT,
    component_id,
    partial_emoji,
    select,
    text_input,
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
    given = check_list(components, "components", at_most=MAX_V2_COMPONENTS if is_v2 else MAX_ROWS)
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
        yield here, check_object(one, here)
        yield from walk(
            check_list(one.get("components") or [], here, at_most=MAX_V2_COMPONENTS), f"{here}.components"
        )
        nested = [one[key] for key in ("accessory", "component") if one.get(key) is not None]
        yield from walk(nested, here)


def _one_of(table: Mapping[int, Check], *allowed: int) -> Check:
    """Return a check for a component of one of the allowed types, each with its own check in `table`."""

    def check(value: Any, path: str) -> None:
        kind = check_object(value, path).get("type")
        if kind is None:
            raise required_error(f"{path}.type")
        if type(kind) is not int or kind not in allowed:
            reason = f"Value of field must be one of ({', '.join(map(str, allowed))})."
            raise InvalidBodyError(f"{path}.type", "UNION_TYPE_CHOICES", reason)
        table[kind](value, path)

    return check


def _check_row(row: Any, path: str) -> None:
    """Refuse a row that is empty or too wide, or that has other components next to a menu."""
    inside = check_list(row.get("components"), f"{path}.components", at_least=1, at_most=MAX_IN_ROW)
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
        raise required_error(f"{path}.label")
    if button.get(key) is None:
        raise required_error(f"{path}.{key}")
    for other in sorted(others):
        if button.get(other) is not None:
            reason = f"A button of style {style} has no {other}"
            raise InvalidBodyError(f"{path}.{other}", "BUTTON_COMPONENT_FIELD_NOT_ALLOWED", reason)


_button = fields(
    style=Needed(one_of(1, 2, 3, 4, LINK_STYLE, PREMIUM_STYLE)),
    id=component_id,
    label=text(80),
    custom_id=nonempty(100),
    url=url(*WEB, "discord", at_most=512),
    sku_id=check_int,
    emoji=partial_emoji,
    disabled=check_bool,
)
_about_media: dict[str, Check | Needed] = {
    "media": Needed(fields(url=Needed(url(*WEB, "attachment")))),
    "description": nonempty(1024),
    "spoiler": check_bool,
}
_text_display = fields(content=Needed(nonempty(MAX_V2_CHARS)), id=component_id)
IN_MESSAGES: dict[int, Check] = {}
IN_MESSAGES |= {  # in two steps, because some hold others
    ACTION_ROW: all_of(fields(id=component_id), _check_row),
    BUTTON: all_of(_button, _check_style),
    **{kind: select(kind, in_modal=False) for kind in SELECTS},
    SECTION: fields(
        components=Needed(list_of(_one_of(IN_MESSAGES, TEXT_DISPLAY), at_least=1, at_most=3)),
        accessory=Needed(_one_of(IN_MESSAGES, BUTTON, THUMBNAIL)),
        id=component_id,
    ),
    TEXT_DISPLAY: _text_display,
    THUMBNAIL: fields(id=component_id, **_about_media),
    GALLERY: fields(items=Needed(list_of(fields(**_about_media), at_least=1, at_most=10)), id=component_id),
    FILE: fields(file=Needed(fields(url=Needed(url("attachment")))), spoiler=check_bool, id=component_id),
    SEPARATOR: fields(divider=check_bool, spacing=one_of(1, 2), id=component_id),
    CONTAINER: fields(
        components=Needed(
            list_of(_one_of(IN_MESSAGES, *IN_CONTAINER), at_least=1, at_most=MAX_V2_COMPONENTS)
        ),
        accent_color=whole(0, 0xFFFFFF),
        spoiler=check_bool,
        id=component_id,
    ),
}
# Discord accepts one text input per row, although its schema allows five.
_input_in_row = _one_of({TEXT_INPUT: text_input(is_labelled=False)}, TEXT_INPUT)
IN_MODALS: dict[int, Check] = {
    ACTION_ROW: fields(components=Needed(list_of(_input_in_row, at_least=1, at_most=1)), id=component_id),
    TEXT_DISPLAY: _text_display,
    LABEL: fields(
        label=Needed(nonempty(45)),
        component=Needed(_one_of(IN_LABEL, *IN_LABEL)),
        description=nonempty(100),
        id=component_id,
    ),
}
_form = fields(
    title=Needed(nonempty(45)),
    custom_id=Needed(nonempty(100)),
    components=Needed(list_of(_one_of(IN_MODALS, *IN_MODALS), at_least=1, at_most=MAX_MODAL_COMPONENTS)),
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
