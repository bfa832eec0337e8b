"""Message payloads: the validated body of a request that creates or edits a message."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from bot.sandbox import fields
from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.interactions.components import check_components
from bot.sandbox.messages.embeds import check_embeds
from bot.sandbox.world.state import Json, Message, MessageFlag

USER_MENTION = re.compile(r"<@!?(\d{15,20})>")
SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.EPHEMERAL | MessageFlag.COMPONENTS_V2 | 1 << 12  # silent
)
KNOWN_FLAGS = (1 << 16) - 1 & ~(1 << 9 | 1 << 10 | 1 << 11)  # those between are not documented
MAX_FILES = 10
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_CONTENT_CHARS = 2000
MAX_MENTIONED = 100
MAX_STICKERS = 3
MAX_NONCE_CHARS = 25
MAX_INT64 = (1 << 63) - 1
REFERENCE = "attachment://"


def _nonce(value: Any, path: str) -> None:
    if isinstance(value, str):
        fields.check_text(value, path, at_most=MAX_NONCE_CHARS)
    else:
        fields.whole(-MAX_INT64 - 1, MAX_INT64)(value, path)


def _flags(value: Any, path: str) -> None:
    fields.whole(0, MAX_INT64)(value, path)
    if value & ~KNOWN_FLAGS:
        raise InvalidBodyError(path, "BITFIELD_TYPE_INVALID")


def _mentions_together(mentions: Json, path: str) -> None:
    for kind in ("users", "roles"):
        if kind in (mentions.get("parse") or ()) and mentions.get(kind):
            reason = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise InvalidBodyError(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", reason)


_ids = fields.list_of(fields.check_int, at_most=MAX_MENTIONED, is_set=True)
_allowed_mentions = fields.json_object(
    parse=fields.list_of(fields.word_of("roles", "users", "everyone"), at_most=3, is_set=True),
    users=_ids,
    roles=_ids,
    replied_user=fields.check_bool,
)
_attachment = fields.json_object(
    id=fields.Needed(fields.check_int),
    filename=fields.nonempty(1024),
    description=fields.text(1024),
    title=fields.text(1024),
    duration_secs=fields.number(0, (1 << 31) - 1),
    waveform=fields.text(400),
    is_spoiler=fields.check_bool,
    is_remix=fields.check_bool,
)
_poll_media = fields.json_object(
    text=fields.Needed(fields.nonempty(300)),
    emoji=fields.json_object(id=fields.check_int, name=fields.text(32), animated=fields.check_bool),
)
_poll = fields.json_object(
    question=fields.Needed(_poll_media),
    answers=fields.Needed(
        fields.list_of(fields.json_object(poll_media=fields.Needed(_poll_media)), at_least=1, at_most=10)
    ),
    duration=fields.whole(1, 768),
    allow_multiselect=fields.check_bool,
    layout_type=fields.one_of(1),
)
_check_message = fields.json_object(
    content=fields.text(MAX_CONTENT_CHARS),
    tts=fields.check_bool,
    nonce=_nonce,
    enforce_nonce=fields.check_bool,
    flags=_flags,
    allowed_mentions=fields.all_of(_allowed_mentions, _mentions_together),
    message_reference=fields.json_object(
        message_id=fields.Needed(fields.check_int),
        type=fields.one_of(0, 1),
        channel_id=fields.check_int,
        guild_id=fields.check_int,
        fail_if_not_exists=fields.check_bool,
    ),
    sticker_ids=fields.list_of(fields.check_int, at_most=MAX_STICKERS),
    attachments=fields.list_of(_attachment, at_most=MAX_FILES),
    poll=_poll,
    username=fields.nonempty(80),
    avatar_url=fields.url(*fields.WEB),
)


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
        raise InvalidBodyError("flags", "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG")
    is_v2 = was_v2 or bool(flags & MessageFlag.COMPONENTS_V2)
    content = (body["content"] or "") if "content" in body else None
    embeds = check_embeds(_or_empty(body["embeds"])) if "embeds" in body else None
    if is_v2 and (content or embeds or body.get("poll")):
        raise InvalidBodyError("flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2")
    components = (
        check_components(_or_empty(body["components"]), is_v2=is_v2) if "components" in body else None
    )
    _check_sizes(uploads)
    listed: list[Json] | None = body.get("attachments")
    about = {int(one["id"]): one for one in listed or []}
    described = tuple(
        replace(
            one,
            filename=str(about.get(index, {}).get("filename") or one.filename),
            description=about.get(index, {}).get("description"),
        )
        for index, one in sorted(uploads.items())
    )
    there = {} if before is None else {one.id: one.filename for one in before.attachments}
    for at, one in enumerate(listed or []):
        if int(one["id"]) not in {*uploads, *there}:
            raise InvalidBodyError(f"attachments.{at}", "ATTACHMENT_NOT_FOUND")
    kept = set(there) if listed is None else set(about)
    names = {one.filename for one in described} | {there[one] for one in kept & set(there)}
    _check_references({"embeds": embeds or (), "components": components or ()}, names)
    return MessagePayload(
        content=content,
        embeds=embeds,
        components=components,
        uploads=described,
        kept_attachment_ids=None if listed is None else frozenset(about),
        flags=flags,
        allowed_mentions=body.get("allowed_mentions"),
        reference=body.get("message_reference"),
        nonce=body.get("nonce"),
        is_nonce_enforced=bool(body.get("enforce_nonce")),
        is_tts=bool(body.get("tts")),
    )


def _check_sizes(uploads: Mapping[int, Upload]) -> None:
    """Refuse too many files (50035) or one that is too large (40005)."""
    if len(uploads) > MAX_FILES:
        most = f"Must be {MAX_FILES} or fewer in length."
        raise InvalidBodyError("attachments", "BASE_TYPE_MAX_LENGTH", most)
    if any(len(one.content) > MAX_FILE_BYTES for one in uploads.values()):
        raise ApiError(Refusal.ENTITY_TOO_LARGE)


def _or_empty(given: Any) -> Any:
    return [] if given is None else given


def _check_references(body: Json, names: Set[str]) -> None:
    """Refuse ``attachment://name`` where the message has no file of that name."""
    for path, address in _addresses(body, ""):
        name = address.removeprefix(REFERENCE)
        if name != address and name not in names:
            reason = f"The referenced attachment {name[:100]!r} was not found in the message."
            raise InvalidBodyError(path, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", reason)


def _addresses(part: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and address of everything in embeds and components that has one."""
    for key, one in part.items() if isinstance(part, dict) else enumerate(part):
        here = f"{path}.{key}" if path else str(key)
        if key in ("url", "icon_url") and one is not None:
            yield here, str(one)
        elif isinstance(one, dict | list | tuple):
            yield from _addresses(one, here)
