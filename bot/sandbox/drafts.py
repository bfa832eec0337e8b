"""A request's body as a checked draft of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.fields import check_int, check_list, check_object, check_text
from bot.sandbox.limits import MAX_CONTENT_CHARS, MAX_FILES, check_components, check_embeds, check_files
from bot.sandbox.state import Json, MessageFlag

USER_MENTION = re.compile(r"<@!?(\d{15,20})>")
SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.EPHEMERAL | MessageFlag.COMPONENTS_V2 | 1 << 12  # silent
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in a multipart body."""

    filename: str
    content_type: str
    content: bytes
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a body says about a message; None where it says nothing."""

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
        """Say whether a message of this alone would show nothing."""
        return not ((self.content or "").strip() or self.embeds or self.components or self.uploads)

    def mention_ids(self, content: str) -> tuple[int, ...]:
        """Return the users whom `content` mentions and ``allowed_mentions`` lets it mention, in order."""
        named = tuple(dict.fromkeys(int(found) for found in USER_MENTION.findall(content)))
        if self.allowed_mentions is None or "users" in self.allowed_mentions.get("parse", []):
            return named
        allowed = {
            check_int(one, "allowed_mentions.users") for one in self.allowed_mentions.get("users") or []
        }
        return tuple(user_id for user_id in named if user_id in allowed)

    @property
    def may_mention_everyone(self) -> bool:
        """Say whether ``allowed_mentions`` lets @everyone through."""
        return self.allowed_mentions is None or "everyone" in self.allowed_mentions.get("parse", [])

    @property
    def mentions_replied_user(self) -> bool:
        """Say whether the author of the message replied to is mentioned."""
        return self.allowed_mentions is None or bool(self.allowed_mentions.get("replied_user"))


def read_draft(body: Json, uploads: Mapping[int, Upload], *, flags_before: int = 0) -> Draft:
    """Check a body against Discord's limits.

    Args:
        body: The JSON body, or the ``payload_json`` part.
        uploads: The files by their index in the multipart body.
        flags_before: The flags of the message that is edited; 0 for a new one.

    Raises:
        ApiError: Something in it is over a limit.
    """
    flags = check_int(body.get("flags") or 0, "flags") & SETTABLE_FLAGS
    is_v2 = bool((flags | flags_before) & MessageFlag.COMPONENTS_V2)
    content = body.get("content") if body.get("content") is not None else ("" if "content" in body else None)
    if content is not None:
        check_text(content, "content", at_most=MAX_CONTENT_CHARS)
    embeds = check_embeds(body["embeds"] or []) if "embeds" in body else None
    if is_v2 and (content or embeds):
        raise InvalidBodyError(
            "flags",
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "Components V2 go without content and embeds.",
        )
    components = check_components(body["components"] or [], is_v2=is_v2) if "components" in body else None
    check_files([len(one.content) for one in uploads.values()])
    listed = body.get("attachments")
    entries = [] if listed is None else check_list(listed, "attachments", at_most=MAX_FILES)
    kept = _kept(entries)
    return Draft(
        content=content,
        embeds=embeds,
        components=components,
        uploads=_described(uploads, entries),
        kept_attachment_ids=None if listed is None else kept,
        flags=flags,
        allowed_mentions=_object_or_none(body, "allowed_mentions"),
        reference=_object_or_none(body, "message_reference"),
        nonce=body["nonce"] if isinstance(body.get("nonce"), str | int) else None,
        is_nonce_enforced=bool(body.get("enforce_nonce")),
        is_tts=bool(body.get("tts")),
    )


def _object_or_none(body: Json, key: str) -> Json | None:
    """Return the object at `key`, or None when there is none."""
    return None if body.get(key) is None else check_object(body[key], key)


def _kept(entries: Sequence[Any]) -> frozenset[int]:
    """Return the ids of existing attachments that the list names; new files have small indexes there."""
    return frozenset(
        check_int(check_object(one, "attachments").get("id", 0), "attachments.id") for one in entries
    )


def _described(uploads: Mapping[int, Upload], entries: Sequence[Json]) -> tuple[Upload, ...]:
    """Return the files in order, with names and descriptions from the list of attachments."""
    about = {int(one.get("id", 0)): one for one in entries}
    return tuple(
        Upload(
            filename=str(about.get(index, {}).get("filename") or one.filename),
            content_type=one.content_type,
            content=one.content,
            description=about.get(index, {}).get("description"),
        )
        for index, one in sorted(uploads.items())
    )
