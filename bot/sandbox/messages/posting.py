"""Posting, editing and deleting messages, with the resulting events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.messages.message_objects import attachment_url, audience_of, message_events, place_json
from bot.sandbox.messages.payloads import MessagePayload, Upload
from bot.sandbox.world.permissions import reader_ids
from bot.sandbox.world.state import Attachment, Channel, Event, Json, Message, MessageFlag, User, World

PLAIN, REPLY = 0, 19
MAX_BULK_DELETE_AGE = timedelta(days=14)
NONCE_LOOK_BACK = 50
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def post_message(
    world: World,
    channel: Channel,
    *,
    author: User,
    payload: MessagePayload,
    kind: int = PLAIN,
    webhook_id: int | None = None,
    interaction: Json | None = None,
    ephemeral_for: int | None = None,
) -> tuple[Message, list[Event]]:
    """Add a message to a channel.

    A payload with an enforced nonce that the author has just used returns the message from then and no event.

    Args:
        world: Changed in place.
        channel: Where to; the caller has checked permissions.
        author: The author.
        payload: The validated body.
        kind: Discord's message type; replies get their own.
        webhook_id: Set when it comes through a webhook or an interaction.
        interaction: The ``interaction_metadata`` fields to show with it.
        ephemeral_for: The only person to see it, or None for the whole channel.

    Raises:
        ApiError: The message is empty, or replies to one that does not exist.
    """
    if payload.is_empty and not payload.flags & MessageFlag.LOADING:
        raise ApiError(Refusal.EMPTY_MESSAGE)
    repeated = _posted_before(world, channel, author, payload)
    if repeated is not None:
        return repeated, []
    reference, replied_to = _reference(world, channel, payload)
    content = payload.content or ""
    mention_ids = payload.mention_ids(content)
    if replied_to is not None and payload.mentions_replied_user and replied_to.author.id in world.users:
        mention_ids = tuple(dict.fromkeys((*mention_ids, replied_to.author.id)))
    attachments = _attachments(world, channel.id, payload.uploads)
    message = Message(
        id=world.new_id(),
        channel_id=channel.id,
        author=author,
        content=content,
        kind=REPLY if reference is not None and kind == PLAIN else kind,
        flags=payload.flags & ~MessageFlag.EPHEMERAL
        | (MessageFlag.EPHEMERAL if ephemeral_for is not None else 0),
        embeds=_with_urls(world, payload.embeds or (), attachments),
        components=payload.components or (),
        attachments=attachments,
        mention_ids=tuple(user_id for user_id in mention_ids if user_id in world.users),
        mentions_everyone="@everyone" in content and payload.may_mention_everyone,
        reference=reference,
        nonce=payload.nonce,
        is_tts=payload.is_tts,
        webhook_id=webhook_id,
        interaction=interaction,
        ephemeral_for=ephemeral_for,
    )
    world.store(message)
    return message, message_events(world, "MESSAGE_CREATE", message)


def edit_message(world: World, message: Message, payload: MessagePayload) -> tuple[Message, list[Event]]:
    """Replace what the payload names and leave the rest; an edit answers a deferral too.

    Raises:
        ApiError: Nothing would be left to show.
    """
    kept = message.attachments
    if payload.kept_attachment_ids is not None:
        kept = tuple(one for one in kept if one.id in payload.kept_attachment_ids)
    attachments = kept + _attachments(world, message.channel_id, payload.uploads)
    content = message.content if payload.content is None else payload.content
    embeds = message.embeds if payload.embeds is None else payload.embeds
    mention_ids = message.mention_ids if payload.content is None else payload.mention_ids(content)
    edited = replace(
        message,
        content=content,
        embeds=_with_urls(world, embeds, attachments),
        components=message.components if payload.components is None else payload.components,
        attachments=attachments,
        flags=(message.flags | payload.flags & ~MessageFlag.EPHEMERAL) & ~MessageFlag.LOADING,
        mention_ids=tuple(user_id for user_id in mention_ids if user_id in world.users),
        edited_at=world.now(),
    )
    if not (edited.content.strip() or edited.embeds or edited.components or edited.attachments):
        raise ApiError(Refusal.EMPTY_MESSAGE)
    world.store(edited)
    return edited, message_events(world, "MESSAGE_UPDATE", edited)


def delete_message(world: World, message: Message) -> list[Event]:
    """Delete a message."""
    del world.messages[message.channel_id][message.id]
    gone = {"id": str(message.id), **place_json(world.channels[message.channel_id])}
    return [Event("MESSAGE_DELETE", gone, audience_of(world, message))]


def delete_messages(world: World, channel: Channel, message_ids: Sequence[int]) -> list[Event]:
    """Delete 2 to 100 messages at once; unknown ids are ignored.

    Raises:
        ApiError: There are too few or too many, or one is older than two weeks.
    """
    if not 2 <= len(message_ids) <= 100:
        raise ApiError(Refusal.BULK_DELETE_COUNT)
    if any(world.age_of(message_id) > MAX_BULK_DELETE_AGE for message_id in message_ids):
        raise ApiError(Refusal.TOO_OLD_TO_BULK_DELETE)
    history = world.history(channel.id)
    gone_ids = [message_id for message_id in message_ids if history.pop(message_id, None) is not None]
    gone = {"ids": [str(one) for one in gone_ids], **place_json(channel)}
    return [Event("MESSAGE_DELETE_BULK", gone, reader_ids(world, channel))] if gone_ids else []


def _posted_before(world: World, channel: Channel, author: User, payload: MessagePayload) -> Message | None:
    """Return the recent message of the same author with the same enforced nonce."""
    if not payload.is_nonce_enforced or payload.nonce is None:
        return None
    recent = list(world.history(channel.id).values())[-NONCE_LOOK_BACK:]
    return next((one for one in recent if one.author.id == author.id and one.nonce == payload.nonce), None)


def _reference(world: World, channel: Channel, payload: MessagePayload) -> tuple[Json | None, Message | None]:
    """Return the reference of a reply and the message it refers to.

    Raises:
        ApiError: The message does not exist, and the payload does not allow that.
    """
    if payload.reference is None:
        return None, None
    for key, own_id in (("channel_id", channel.id), ("guild_id", channel.guild_id)):
        if payload.reference.get(key) is not None and str(payload.reference[key]) != str(own_id):
            raise InvalidBodyError("message_reference", "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL")
    message_id = int(payload.reference["message_id"])
    target = world.history(channel.id).get(message_id)
    if target is None:
        if payload.reference.get("fail_if_not_exists", True):
            raise InvalidBodyError("message_reference", "REPLIES_UNKNOWN_MESSAGE")
        return None, None
    return {"type": 0, "message_id": str(message_id), **place_json(channel)}, target


def _attachments(world: World, channel_id: int, uploads: Sequence[Upload]) -> tuple[Attachment, ...]:
    """Return the uploaded files as attachments with ids."""
    return tuple(
        Attachment(
            world.new_id(),
            channel_id,
            one.filename,
            one.content_type,
            one.content,
            one.description,
            *_png_size(one.content),
        )
        for one in uploads
    )


def _png_size(content: bytes) -> tuple[int | None, int | None]:
    """Return width and height of a PNG image, which are not known of other files."""
    if not content.startswith(PNG_SIGNATURE) or len(content) < 24:
        return None, None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _with_urls(world: World, embeds: Sequence[Json], attachments: Sequence[Attachment]) -> tuple[Json, ...]:
    """Return the embeds with ``attachment://name`` replaced by the attachment's address and size."""
    by_reference = {f"attachment://{one.filename}": one for one in attachments}

    def resolved(picture: Json) -> Json:
        attachment = by_reference.get(picture.get("url", ""))
        if attachment is None:
            return picture
        url, width, height = attachment_url(world, attachment), attachment.width, attachment.height
        return {"url": url, "proxy_url": url, "width": width or 0, "height": height or 0}

    return tuple(
        {**embed, **{place: resolved(embed[place]) for place in ("image", "thumbnail") if embed.get(place)}}
        for embed in embeds
    )
