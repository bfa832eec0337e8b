"""Buttons, and the emoji in components."""

from __future__ import annotations

from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    WEB,
    check_bool,
    check_int,
    fields,
    one_of,
    required_error,
    text,
    url,
    whole,
)
from bot.sandbox.messages.emoji import is_emoji
from bot.sandbox.world.state import Json

BUTTON = 2
LINK_STYLE, PREMIUM_STYLE = 5, 6
MAX_ID = (1 << 31) - 1


def _check_symbol(emoji: Json, path: str) -> None:
    if emoji.get("id") is not None or not is_emoji(emoji["name"]):
        raise InvalidBodyError(f"{path}.name", "COMPONENT_INVALID_EMOJI", "Invalid emoji")


partial_emoji = fields(
    required={"name": text(32, at_least=1)},
    optional={"id": check_int, "animated": check_bool},
    then=_check_symbol,
)


def _check_together(button: Any, path: str) -> None:
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
            raise InvalidBodyError(
                f"{path}.{other}",
                "BUTTON_COMPONENT_FIELD_NOT_ALLOWED",
                f"A button of style {style} has no {other}",
            )


button = fields(
    required={"style": one_of(1, 2, 3, 4, LINK_STYLE, PREMIUM_STYLE)},
    optional={
        "id": whole(0, MAX_ID),
        "label": text(80),
        "custom_id": text(100, at_least=1),
        "url": url(*WEB, "discord", at_most=512),
        "sku_id": check_int,
        "emoji": partial_emoji,
        "disabled": check_bool,
    },
    then=_check_together,
)
