"""Messages as JSON objects of Discord's API, and their events."""

from typing import Any
from urllib.parse import quote

from bot.sandbox.interactions.inputs import SELECTS, with_children
from bot.sandbox.world.objects import channel_json, member_json, user_json
from bot.sandbox.world.permissions import reader_ids
from bot.sandbox.world.state import Attachment, Channel, Event, Json, Message, MessageFlag, Reaction, World

DEFAULTS: dict[int, Json] = {  # Discord adds these to components
    11: {"description": None, "spoiler": False},
    13: {"spoiler": False},
    14: {"spacing": 1, "divider": True},
    17: {"accent_color": None, "spoiler": False},
}
SUPER_COLORS = ("#ffb02e", "#fcd53f")  # Discord derives them from the emoji's picture


def message_json(world: World, message: Message, viewer_id: int, *, with_reference: bool = True) -> Json:
    """Return the message object as `viewer_id` sees it (``me`` in its reactions)."""
    pictures = [embed.get(place) or {} for embed in message.embeds for place in ("image", "thumbnail")]
    shown_in_embeds = {one.get("url") for one in pictures}
    shape: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "type": message.kind,
        "author": user_json(message.author),
        "content": message.content,
        "timestamp": message.created_at.isoformat(),
        "edited_timestamp": message.edited_at.isoformat() if message.edited_at else None,
        "tts": message.is_tts,
        "mention_everyone": message.mentions_everyone,
        "mentions": [user_json(world.users[user_id]) for user_id in message.mention_ids],
        "mention_roles": [],
        "attachments": [
            attachment_json(world, one)
            for one in message.attachments
            if attachment_url(world, one) not in shown_in_embeds
        ],
        "embeds": [_filled(one) for one in message.embeds],
        "components": [component_json(one) for one in message.components],
        "reactions": [reaction_json(one, viewer_id) for one in message.reactions],
        "pinned": False,
        "flags": message.flags,
    }
    if message.nonce is not None:
        shape["nonce"] = message.nonce
    if message.webhook_id is not None:
        shape["webhook_id"] = str(message.webhook_id)
        if message.webhook_id == world.bot_user_id:
            shape["application_id"] = str(world.bot_user_id)
    if message.interaction is not None:
        shape |= message.interaction
    if message.flags & MessageFlag.HAS_THREAD:
        shape["thread"] = channel_json(world, world.channels[message.id], viewer_id)
    if message.reference is not None:
        shape["message_reference"] = message.reference
        if with_reference:
            shape["referenced_message"] = _referenced_json(world, message.reference, viewer_id)
    return shape


def _referenced_json(world: World, reference: Json, viewer_id: int) -> Json | None:
    """Return the message that is replied to, without its reactions, or None when it is gone."""
    target = world.history(int(reference["channel_id"])).get(int(reference["message_id"]))
    if target is None:
        return None
    shape = message_json(world, target, viewer_id, with_reference=False)
    del shape["reactions"]
    return shape


def reaction_json(reaction: Reaction, viewer_id: int) -> Json:
    """Return the reaction object of a message."""
    normal = len(reaction.giver_ids())
    burst = len(reaction.given) - normal
    return {
        "emoji": emoji_json(reaction.emoji),
        "count": normal + burst,
        "count_details": {"burst": burst, "normal": normal},
        "me": (viewer_id, False) in reaction.given,
        "me_burst": (viewer_id, True) in reaction.given,
        "burst_colors": list(SUPER_COLORS) if burst else [],
    }


def emoji_json(emoji: str) -> Json:
    """Return the partial emoji object of a Unicode emoji."""
    return {"id": None, "name": emoji}


def component_json(component: Json) -> Json:
    """Return a component as Discord returns it: without empty fields, menus with their counts."""
    shape: Json = _filled(component)
    if shape["type"] in SELECTS:
        shape = {"min_values": 1, "max_values": 1, **shape}
        shape.pop("required", None)  # meaningless in messages
    if shape["type"] in DEFAULTS:
        shape = {**DEFAULTS[shape["type"]], **shape}
    return with_children(shape, component_json)


def _filled(shape: Any) -> Any:
    """Return JSON without null fields at any depth."""
    if isinstance(shape, list):
        return [_filled(one) for one in shape]
    if isinstance(shape, dict):
        return {key: _filled(one) for key, one in shape.items() if one is not None}
    return shape


def attachment_url(world: World, attachment: Attachment) -> str:
    """Return the URL of an attachment."""
    return f"{world.url}/attachments/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"


def attachment_json(world: World, attachment: Attachment) -> Json:
    """Return the attachment object."""
    url = attachment_url(world, attachment)
    shape: Json = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.content),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.content_type,
    }
    if attachment.description is not None:
        shape["description"] = attachment.description
    if attachment.width is not None:
        shape |= {"width": attachment.width, "height": attachment.height}
    return shape


def audience_of(world: World, message: Message) -> frozenset[int]:
    """Return who may see the message: everyone who reads the channel, or its ephemeral recipient."""
    if message.ephemeral_for is not None:
        return frozenset({message.ephemeral_for})
    return reader_ids(world, world.channels[message.channel_id])


def message_events(world: World, name: str, message: Message) -> list[Event]:
    """Return one event per viewer, because ``me`` in reactions differs."""
    channel = world.channels[message.channel_id]
    extra = place_json(channel)
    author = world.member_in(channel, message.author.id)
    if author is not None and message.webhook_id is None:
        extra["member"] = member_json(world, author, with_user=False)
    viewers = audience_of(world, message)
    return Event.for_each(name, viewers, lambda one: message_json(world, message, one) | extra)


def place_json(channel: Channel) -> Json:
    """Return the ids of channel and guild; in direct messages a null for the guild would end discord.py."""
    place = {"channel_id": str(channel.id)}
    return place if channel.guild_id is None else place | {"guild_id": str(channel.guild_id)}
