"""Embeds: Discord's limits on what they hold; the numbers are those of its documentation."""

from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import (
    WEB,
    Check,
    Needed,
    all_of,
    check_bool,
    check_list,
    check_timestamp,
    fields,
    list_of,
    nonempty,
    required_error,
    text,
    url,
    whole,
)
from bot.sandbox.world.state import Json

MAX_EMBEDS = 10
MAX_EMBED_CHARS = 6000  # title, description, fields, footer and author of all embeds together
MAX_FIELDS = 25
MAX_COLOR = 0xFFFFFF
SHOWN = ("title", "description", "fields", "image", "thumbnail", "author", "footer", "video", "provider")

_picture_url = url(*WEB, "attachment")
_icon = {"icon_url": _picture_url, "proxy_icon_url": text(2048)}
_size = whole(0, (1 << 31) - 1)
_media: dict[str, Check] = {
    "width": _size,
    "height": _size,
    "proxy_url": text(2048),
    "description": text(4096),
}
_picture = fields(url=Needed(_picture_url), **_media)


def _check_shows_something(embed: Any, path: str) -> None:
    if not any(embed.get(name) for name in SHOWN):
        raise required_error(f"{path}.description")


_embed = all_of(
    fields(
        type=text(100),
        url=url(*WEB),
        title=text(256),
        color=whole(0, MAX_COLOR),
        timestamp=check_timestamp,
        description=text(4096),
        author=fields(name=Needed(nonempty(256)), url=url(*WEB), **_icon),
        image=_picture,
        thumbnail=_picture,
        footer=fields(text=Needed(nonempty(2048)), **_icon),
        fields=list_of(
            fields(name=Needed(nonempty(256)), value=Needed(nonempty(1024)), inline=check_bool),
            at_most=MAX_FIELDS,
        ),
        provider=fields(name=text(256), url=url(*WEB)),
        video=fields(url=url(*WEB), **_media),
    ),
    _check_shows_something,
)


def check_embeds(embeds: Any) -> tuple[Json, ...]:
    """Refuse embeds over Discord's limits; return them with their ``type``."""
    given = check_list(embeds, "embeds", at_most=MAX_EMBEDS)
    for at, embed in enumerate(given):
        _embed(embed, f"embeds.{at}")
    if sum(map(_chars, given)) > MAX_EMBED_CHARS:
        too_large = f"Embed size exceeds maximum size of {MAX_EMBED_CHARS}"
        raise InvalidBodyError("embeds", "MAX_EMBED_SIZE_EXCEEDED", too_large)
    return tuple({**one, "type": "rich"} for one in given)


def _chars(embed: Json) -> int:
    """Return how many characters of an embed count towards the total."""
    counted = [
        embed.get("title"),
        embed.get("description"),
        (embed.get("footer") or {}).get("text"),
        (embed.get("author") or {}).get("name"),
        *(one[key] for one in embed.get("fields") or [] for key in ("name", "value")),
    ]
    return sum(len(one) for one in counted if one)
