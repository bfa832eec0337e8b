"""Message payloads: the validated body of a request that creates or edits a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import (
    WEB,
    Check,
    check_bool,
    check_int,
    check_number,
    check_text,
    fields,
    list_of,
    one_of,
    text,
    url,
    whole,
    word_of,
)
from bot.sandbox.interactions.components import check_components
from bot.sandbox.messages.embeds import check_embeds
from bot.sandbox.messages.file_limits import MAX_FILES, check_files
from bot.sandbox.world.state import Json, Message, MessageFlag

USER_MENTION = re.compile(r"<@!?(\d{15,20})>")
SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.EPHEMERAL | MessageFlag.COMPONENTS_V2 | 1 << 12  # silent
)
KNOWN_FLAGS = (1 << 16) - 1 & ~(1 << 9 | 1 << 10 | 1 << 11)  # those between are not documented
MAX_CONTENT_CHARS = 2000
MAX_MENTIONED = 100
MAX_STICKERS = 3
MAX_NONCE_CHARS = 25
MAX_INT64 = (1 << 63) - 1
REFERENCE = "attachment://"


def _nonce(value: Any, path: str) -> None:
    if isinstance(value, str):
        check_text(value, path, at_most=MAX_NONCE_CHARS)
    else:
        whole(-MAX_INT64 - 1, MAX_INT64)(value, path)


def _flags(value: Any, path: str) -> None:
    whole(0, MAX_INT64)(value, path)
    if value & ~KNOWN_FLAGS:
        raise InvalidBodyError(path, "BITFIELD_TYPE_INVALID", "There is no such flag.")


def _mentions_together(mentions: Json, path: str) -> None:
    for kind in ("users", "roles"):
        if kind in (mentions.get("parse") or ()) and mentions.get(kind):
            raise InvalidBodyError(
                path,
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )


_ids = list_of(check_int, at_most=MAX_MENTIONED, is_set=True)
_poll_media = fields(
    required={"text": text(300, at_least=1)},
    optional={"emoji": fields(optional={"id": check_int, "name": text(32), "animated": check_bool})},
)
_message: dict[str, Check] = {
    "content": text(MAX_CONTENT_CHARS),
    "tts": check_bool,
    "nonce": _nonce,
    "enforce_nonce": check_bool,
    "flags": _flags,
    "allowed_mentions": fields(
        optional={
            "parse": list_of(word_of("roles", "users", "everyone"), at_most=3, is_set=True),
            "users": _ids,
            "roles": _ids,
            "replied_user": check_bool,
        },
        then=_mentions_together,
    ),
    "message_reference": fields(
        required={"message_id": check_int},
        optional={
            "type": one_of(0, 1),
            "channel_id": check_int,
            "guild_id": check_int,
            "fail_if_not_exists": check_bool,
        },
    ),
    "sticker_ids": list_of(check_int, at_most=MAX_STICKERS),
    "attachments": list_of(
        fields(
            required={"id": check_int},
            optional={
                "filename": text(1024, at_least=1),
                "description": text(1024),
                "title": text(1024),
                "duration_secs": partial(check_number, at_least=0, at_most=(1 << 31) - 1),
                "waveform": text(400),
                "is_spoiler": check_bool,
                "is_remix": check_bool,
            },
        ),
        at_most=MAX_FILES,
    ),
    "poll": fields(
        required={
            "question": _poll_media,
            "answers": list_of(fields(required={"poll_media": _poll_media}), at_least=1, at_most=10),
        },
        optional={
            "duration": whole(1, 768),
            "allow_multiselect": check_bool,
            "layout_type": one_of(1),
        },
    ),
    "username": text(80, at_least=1),
    "avatar_url": url(*WEB),
}
_check_message = fields(optional=_message)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file from a multipart body."""

    filename: str
    content_type: str
    content: bytes
    description: str | None = None


@dataclass(frozen=True, slots=True)
class MessagePayload:
    """The fields of a message; None where the body leaves one out."""

    content: str | None = None
    embeds: tuple[Json, ...] | None = None
    components: tuple[Json, ...] | None = None
    uploads: tuple[Upload, ...] = ()
    kept_attachment_ids: frozenset[int] | None = None
    flags: int = 0
    allowed_mentions: Json | None = None
    reference: Json | None = None
    nonce: str | int | None = None
    is_nonce_enforced: bool = False
    is_tts: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether a message with only this would be empty."""
        return not ((self.content or "").strip() or self.embeds or self.components or self.uploads)

    def mention_ids(self, content: str) -> tuple[int, ...]:
        """Return the users whom `content` mentions and ``allowed_mentions`` allows, in order."""
        named = tuple(dict.fromkeys(int(found) for found in USER_MENTION.findall(content)))
        if self.allowed_mentions is None or "users" in (self.allowed_mentions.get("parse") or []):
            return named
        allowed = {int(one) for one in self.allowed_mentions.get("users") or []}
        return tuple(user_id for user_id in named if user_id in allowed)

    @property
    def may_mention_everyone(self) -> bool:
        """Return whether ``allowed_mentions`` allows @everyone."""
        return self.allowed_mentions is None or "everyone" in (self.allowed_mentions.get("parse") or [])

    @property
    def mentions_replied_user(self) -> bool:
        """Return whether the reply mentions the author of the message it replies to."""
        return self.allowed_mentions is None or bool(self.allowed_mentions.get("replied_user"))


def read_payload(
    body: Json, uploads: Mapping[int, Upload], *, before: Message | None = None
) -> MessagePayload:
    """Check a body against Discord's limits.

    Args:
        body: The JSON body, or the ``payload_json`` part.
        uploads: The files by their index in the multipart body.
        before: The message that is edited; None for a new one.

    Raises:
        ApiError: Something in it is over a limit.
    """
    _check_message(body, "")
    if body.get("sticker_ids"):
        raise ApiError(Refusal.UNKNOWN_STICKER)  # the sandbox has no stickers
    flags = (body.get("flags") or 0) & SETTABLE_FLAGS
    was_v2 = before is not None and bool(before.flags & MessageFlag.COMPONENTS_V2)
    if was_v2 and body.get("flags") is not None and not flags & MessageFlag.COMPONENTS_V2:
        raise InvalidBodyError(
            "flags",
            "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG",
            "The components v2 flag cannot be removed from a message.",
        )
    is_v2 = was_v2 or bool(flags & MessageFlag.COMPONENTS_V2)
    content = body.get("content") if body.get("content") is not None else ("" if "content" in body else None)
    embeds = check_embeds(_or_empty(body["embeds"])) if "embeds" in body else None
    if is_v2 and (content or embeds or body.get("poll")):
        raise InvalidBodyError(
            "flags",
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "Components V2 go without content and embeds.",
        )
    components = (
        check_components(_or_empty(body["components"]), is_v2=is_v2) if "components" in body else None
    )
    check_files([len(one.content) for one in uploads.values()])
    listed: list[Json] | None = body.get("attachments")
    entries = listed or []
    described = _described(uploads, entries)
    there = {} if before is None else {one.id: one.filename for one in before.attachments}
    _check_are_there(entries, known={*uploads, *there})
    kept = set(there) if listed is None else {int(one["id"]) for one in listed}
    names = {one.filename for one in described} | {there[one] for one in kept & set(there)}
    _check_references([*_pictures(embeds or ()), *_media(components or ())], names)
    return MessagePayload(
        content=content,
        embeds=embeds,
        components=components,
        uploads=described,
        kept_attachment_ids=None if listed is None else frozenset(int(one["id"]) for one in listed),
        flags=flags,
        allowed_mentions=body.get("allowed_mentions"),
        reference=body.get("message_reference"),
        nonce=body.get("nonce"),
        is_nonce_enforced=bool(body.get("enforce_nonce")),
        is_tts=bool(body.get("tts")),
    )


def _or_empty(given: Any) -> Any:
    return [] if given is None else given


def _described(uploads: Mapping[int, Upload], entries: Sequence[Json]) -> tuple[Upload, ...]:
    """Return the files in order, with names and descriptions from the list of attachments."""
    about = {int(one["id"]): one for one in entries}
    return tuple(
        Upload(
            filename=str(about.get(index, {}).get("filename") or one.filename),
            content_type=one.content_type,
            content=one.content,
            description=about.get(index, {}).get("description"),
        )
        for index, one in sorted(uploads.items())
    )


def _check_are_there(entries: Sequence[Json], *, known: Set[int]) -> None:
    """Refuse an entry in the list of attachments without a file, uploaded or there already."""
    for at, one in enumerate(entries):
        if int(one["id"]) not in known:
            raise InvalidBodyError(f"attachments.{at}", "ATTACHMENT_NOT_FOUND", "Attachment data not found")


def _check_references(found: Iterable[tuple[str, str]], names: Set[str]) -> None:
    """Refuse ``attachment://name`` where the message has no file of that name."""
    for path, address in found:
        name = address.removeprefix(REFERENCE)
        if name != address and name not in names:
            raise InvalidBodyError(
                path,
                "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
                f"The referenced attachment {name[:100]!r} was not found in the message.",
            )


def _pictures(embeds: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """Yield path and address of every picture of embeds."""
    places = (("image", "url"), ("thumbnail", "url"), ("footer", "icon_url"), ("author", "icon_url"))
    for at, embed in enumerate(embeds):
        for part, key in places:
            if address := (embed.get(part) or {}).get(key):
                yield f"embeds.{at}.{part}.{key}", address


def _media(components: Any, path: str = "components") -> Iterator[tuple[str, str]]:
    """Yield path and address of everything in components that has one."""
    inner = components.items() if isinstance(components, dict) else enumerate(components)
    for key, one in inner:
        if key == "url":
            yield f"{path}.url", str(one)
        elif isinstance(one, dict | list | tuple):
            yield from _media(one, f"{path}.{key}")
