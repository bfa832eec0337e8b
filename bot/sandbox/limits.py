"""Discord's limits on what a message holds; the numbers are those of its documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_int, check_list, check_object, check_text
from bot.sandbox.state import Json

MAX_CONTENT_CHARS = 2000
MAX_EMBEDS = 10
MAX_EMBED_CHARS = 6000  # title, description, fields, footer and author of all embeds together
MAX_FIELDS = 25
MAX_FILES = 10
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_ROWS = 5
MAX_BUTTONS_IN_ROW = 5
MAX_MENU_CHOICES = 25
MAX_V2_COMPONENTS = 40
MAX_CUSTOM_ID_CHARS = 100

ACTION_ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = (3, 5, 6, 7, 8)
LINK_STYLE, PREMIUM_STYLE = 5, 6


def check_embeds(embeds: Any) -> tuple[Json, ...]:
    """Refuse embeds over Discord's limits; return them with their ``type``."""
    checked = []
    total = 0
    for at, embed in enumerate(check_list(embeds, "embeds", at_most=MAX_EMBEDS)):
        path = f"embeds.{at}"
        total += _embed_chars(check_object(embed, path), path)
        checked.append({**embed, "type": "rich"})
    if total > MAX_EMBED_CHARS:
        raise InvalidBodyError(
            "embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MAX_EMBED_CHARS}"
        )
    return tuple(checked)


def _embed_chars(embed: Json, path: str) -> int:
    """Refuse an embed with a text over its limit; return what counts towards the total."""
    total = 0
    for name in ("image", "thumbnail"):
        if embed.get(name) is not None:
            url = check_object(embed[name], f"{path}.{name}").get("url", "")
            check_text(url, f"{path}.{name}.url", at_least=1, at_most=2048)
    for name, at_most in (("title", 256), ("description", 4096)):
        if embed.get(name) is not None:
            total += check_text(embed[name], f"{path}.{name}", at_most=at_most)
    for name, key, at_most in (("footer", "text", 2048), ("author", "name", 256)):
        if embed.get(name):
            text = check_object(embed[name], f"{path}.{name}").get(key, "")
            total += check_text(text, f"{path}.{name}.{key}", at_most=at_most)
    for at, field in enumerate(check_list(embed.get("fields") or [], f"{path}.fields", at_most=MAX_FIELDS)):
        for key, at_most in (("name", 256), ("value", 1024)):
            text = check_object(field, f"{path}.fields.{at}").get(key, "")
            total += check_text(text, f"{path}.fields.{at}.{key}", at_most=at_most, at_least=1)
    return total


def check_components(components: Any, *, is_v2: bool) -> tuple[Json, ...]:
    """Refuse components over Discord's limits; return them with their numeric ``id`` filled in."""
    rows = check_list(components, "components", at_most=MAX_V2_COMPONENTS if is_v2 else MAX_ROWS)
    for at, row in enumerate(rows):
        if not is_v2 and check_object(row, f"components.{at}").get("type") != ACTION_ROW:
            raise InvalidBodyError(f"components.{at}.type", "UNION_TYPE_CHOICES", "Value of field must be 1.")
    seen: set[str] = set()
    for path, one in walk(rows, "components"):
        if one.get("type") == ACTION_ROW:
            _check_row(one, path)
        _check_custom_id(one, path, seen)
        if one.get("type") in SELECTS:
            _check_menu(one, path)
    return tuple(_numbered(rows))


def walk(components: Sequence[Any], path: str) -> Iterator[tuple[str, Json]]:
    """Yield every component, however deep, with its dotted path."""
    for at, one in enumerate(components):
        here = f"{path}.{at}"
        yield here, check_object(one, here)
        yield from walk(
            check_list(one.get("components") or [], here, at_most=MAX_V2_COMPONENTS), f"{here}.components"
        )
        nested = [one[key] for key in ("accessory", "component") if key in one]
        yield from walk(nested, here)


def _check_row(row: Json, path: str) -> None:
    """Refuse a row that is empty, too wide, or holds a menu beside something else."""
    inside = check_list(row.get("components"), f"{path}.components", at_least=1, at_most=MAX_BUTTONS_IN_ROW)
    if len(inside) > 1 and any(check_object(one, path).get("type") != BUTTON for one in inside):
        raise InvalidBodyError(
            f"{path}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified row is too wide."
        )


def _check_custom_id(one: Json, path: str, seen: set[str]) -> None:
    """Refuse a missing, long or repeated custom id; note it in `seen`."""
    is_link = one.get("type") == BUTTON and one.get("style") in (LINK_STYLE, PREMIUM_STYLE)
    if one.get("type") not in (BUTTON, TEXT_INPUT, *SELECTS) or is_link:
        return
    path = f"{path}.custom_id"
    check_text(one.get("custom_id", ""), path, at_least=1, at_most=MAX_CUSTOM_ID_CHARS)
    if one["custom_id"] in seen:
        raise InvalidBodyError(
            path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
        )
    seen.add(one["custom_id"])
    check_text(one.get("label") or "", f"{path.removesuffix('custom_id')}label", at_most=80)


def _check_menu(menu: Json, path: str) -> None:
    """Refuse a menu with bad counts, or with choices that are missing, long or repeated."""
    check_text(menu.get("placeholder") or "", f"{path}.placeholder", at_most=150)
    least = check_int(menu.get("min_values", 1), f"{path}.min_values")
    most = check_int(menu.get("max_values", 1), f"{path}.max_values")
    available = MAX_MENU_CHOICES
    if menu["type"] == STRING_SELECT:
        choices = check_list(menu.get("options"), f"{path}.options", at_least=1, at_most=MAX_MENU_CHOICES)
        available = len(choices)
        for at, choice in enumerate(choices):
            check_object(choice, f"{path}.options.{at}")
            for key in ("label", "value"):
                check_text(choice.get(key, ""), f"{path}.options.{at}.{key}", at_least=1, at_most=100)
            check_text(choice.get("description") or "", f"{path}.options.{at}.description", at_most=100)
        if len({choice["value"] for choice in choices}) < available:
            raise InvalidBodyError(
                f"{path}.options",
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
    if not 0 <= least <= most <= available:
        raise InvalidBodyError(
            f"{path}.max_values", "BASE_TYPE_BAD_VALUE", "min_values and max_values do not fit."
        )


def _numbered(components: Sequence[Json]) -> list[Json]:
    """Return the components with an ``id`` each, as Discord gives them."""
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


def check_files(sizes: Sequence[int]) -> None:
    """Refuse too many files (50035) or one that is too large (40005)."""
    if len(sizes) > MAX_FILES:
        raise InvalidBodyError(
            "attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length."
        )
    if any(size > MAX_FILE_BYTES for size in sizes):
        raise ApiError(Refusal.ENTITY_TOO_LARGE)
