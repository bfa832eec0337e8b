"""Embeds: Discord's limits on what they hold; the numbers are those of its documentation."""

from typing import Any

from bot.sandbox import fields
from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.world.state import Json

MAX_EMBEDS = 10
MAX_EMBED_CHARS = 6000  # title, description, fields, footer and author of all embeds together
MAX_FIELDS = 25
MAX_COLOR = 0xFFFFFF
SHOWN = ("title", "description", "fields", "image", "thumbnail", "author", "footer", "video", "provider")

_picture_url = fields.url(*fields.WEB, "attachment")
_icon = {"icon_url": _picture_url, "proxy_icon_url": fields.text(2048)}
_size = fields.whole(0, (1 << 31) - 1)
_media: dict[str, fields.Check] = {
    "width": _size,
    "height": _size,
    "proxy_url": fields.text(2048),
    "description": fields.text(4096),
}
_picture = fields.json_object(url=fields.Needed(_picture_url), **_media)


def _check_shows_something(embed: Any, path: str) -> None:
    if not any(embed.get(name) for name in SHOWN):
        raise fields.required_error(f"{path}.description")


_embed = fields.all_of(
    fields.json_object(
        type=fields.text(100),
        url=fields.url(*fields.WEB),
        title=fields.text(256),
        color=fields.whole(0, MAX_COLOR),
        timestamp=fields.check_timestamp,
        description=fields.text(4096),
        author=fields.json_object(
            name=fields.Needed(fields.nonempty(256)), url=fields.url(*fields.WEB), **_icon
        ),
        image=_picture,
        thumbnail=_picture,
        footer=fields.json_object(text=fields.Needed(fields.nonempty(2048)), **_icon),
        fields=fields.list_of(
            fields.json_object(
                name=fields.Needed(fields.nonempty(256)),
                value=fields.Needed(fields.nonempty(1024)),
                inline=fields.check_bool,
            ),
            at_most=MAX_FIELDS,
        ),
        provider=fields.json_object(name=fields.text(256), url=fields.url(*fields.WEB)),
        video=fields.json_object(url=fields.url(*fields.WEB), **_media),
    ),
    _check_shows_something,
)


def check_embeds(embeds: Any) -> tuple[Json, ...]:
    """Refuse embeds over Discord's limits; return them with their ``type``."""
    given = fields.check_list(embeds, "embeds", at_most=MAX_EMBEDS)
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
