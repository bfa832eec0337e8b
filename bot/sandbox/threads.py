"""Public threads, and direct-message channels: channels that people open themselves."""

from __future__ import annotations

from dataclasses import replace

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.message_objects import message_events
from bot.sandbox.objects import channel_json
from bot.sandbox.permissions import viewer_ids
from bot.sandbox.state import Channel, ChannelKind, Event, Message, MessageFlag, World


def open_thread(
    world: World, parent: Channel, *, name: str, owner_id: int, message: Message | None = None
) -> tuple[Channel, list[Event]]:
    """Open a public thread in `parent`; one that starts from a message has the message's id.

    Raises:
        ApiError: The parent is no text channel, or the message has a thread already.
    """
    if parent.kind is not ChannelKind.TEXT:
        raise ApiError(Refusal.WRONG_CHANNEL_TYPE)
    if message is not None and message.id in world.channels:
        raise ApiError(Refusal.THREAD_EXISTS)
    thread = Channel(
        id=message.id if message is not None else world.mint.mint(),
        kind=ChannelKind.PUBLIC_THREAD,
        name=name,
        guild_id=parent.guild_id,
        parent_id=parent.id,
        owner_id=owner_id,
    )
    world.channels[thread.id] = thread
    events = [
        Event(
            "THREAD_CREATE",
            {**channel_json(world, thread, viewer_id), "newly_created": True},
            frozenset({viewer_id}),
        )
        for viewer_id in sorted(viewer_ids(world, thread))
    ]
    if message is not None:
        started = replace(message, flags=message.flags | MessageFlag.HAS_THREAD)
        world.store(started)
        events += message_events(world, "MESSAGE_UPDATE", started)
    return thread, events


def open_direct_channel(world: World, user_id: int, other_id: int) -> tuple[Channel, list[Event]]:
    """Return the direct-message channel of two users, opening it when there is none yet.

    Raises:
        ApiError: There is no such other user, it is the user itself, or the two share no guild.
    """
    if other_id not in world.users or other_id == user_id:
        raise ApiError(Refusal.UNKNOWN_USER)
    shares_guild = any(
        (guild_id, user_id) in world.members for guild_id, one in world.members if one == other_id
    )
    if not shares_guild:
        raise ApiError(Refusal.CANNOT_SEND_TO_USER)
    pair = tuple(sorted((user_id, other_id)))
    for one in world.channels.values():
        if one.kind is ChannelKind.DIRECT and one.recipient_ids == pair:
            return one, []
    channel = Channel(world.mint.mint(), ChannelKind.DIRECT, name="", guild_id=None, recipient_ids=pair)
    world.channels[channel.id] = channel
    people = [one for one in pair if not world.users[one].is_bot]  # bots are not told, as on Discord
    return channel, [
        Event("CHANNEL_CREATE", channel_json(world, channel, one), frozenset({one})) for one in people
    ]
