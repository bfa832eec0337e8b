"""Creating, changing and deleting channels, and opening direct-message channels."""

from dataclasses import replace

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.world.objects import channel_json, is_informed_of
from bot.sandbox.world.state import Channel, ChannelKind, Event, Overwrite, World


def created(world: World, channel: Channel) -> list[Event]:
    """Return the events that announce a new channel."""
    return _events(world, "CHANNEL_CREATE", channel, _audience_of(world, channel))


def change_overwrite(
    world: World, channel: Channel, target_id: int, *, allow: int = 0, deny: int = 0
) -> list[Event]:
    """Allow or deny a role or a member some permissions, on top of the channel's present overwrites.

    A member who can no longer see the channel gets CHANNEL_DELETE, one who now can gets CHANNEL_CREATE.
    """
    before = _audience_of(world, channel)
    old = next((one for one in channel.overwrites if one.target_id == target_id), None)
    new = Overwrite(
        target_id,
        is_member=target_id not in world.roles,
        allow=(old.allow if old else 0) & ~deny | allow,
        deny=(old.deny if old else 0) & ~allow | deny,
    )
    others = tuple(one for one in channel.overwrites if one is not old)
    changed = replace(channel, overwrites=(*others, new))
    world.channels[channel.id] = changed
    after = _audience_of(world, changed)
    return [
        *_events(world, "CHANNEL_DELETE", channel, before - after),
        *_events(world, "CHANNEL_UPDATE", changed, before & after),
        *_events(world, "CHANNEL_CREATE", changed, after - before),
    ]


def delete_channel(world: World, channel: Channel) -> list[Event]:
    """Delete a channel with its threads and messages, or a thread."""
    below = [one for one in world.channels.values() if one.is_thread and one.parent_id == channel.id]
    events = [event for one in below for event in delete_channel(world, one)]
    audience = _audience_of(world, channel)
    del world.channels[channel.id]
    world.messages.pop(channel.id, None)
    if not channel.is_thread:
        return [*events, *_events(world, "CHANNEL_DELETE", channel, audience)]
    gone = {
        "id": str(channel.id),
        "guild_id": str(channel.guild_id),
        "parent_id": str(channel.parent_id),
        "type": int(channel.kind),
    }
    return [Event("THREAD_DELETE", gone, audience)]


def open_direct_channel(world: World, user_id: int, other_id: int) -> tuple[Channel, list[Event]]:
    """Return the direct-message channel of two users, opening it if needed.

    Raises:
        ApiError: There is no such other user, it is the user itself, or the two share no guild.
    """
    if other_id not in world.users or other_id == user_id:
        raise ApiError(Refusal.UNKNOWN_USER)
    if not any((one.id, user_id) in world.members for one in world.guilds_of(other_id)):
        raise ApiError(Refusal.CANNOT_SEND_TO_USER)
    pair = tuple(sorted((user_id, other_id)))
    for one in world.direct_channels_of(user_id):
        if one.recipient_ids == pair:
            return one, []
    channel = Channel(world.new_id(), ChannelKind.DIRECT, name="", guild_id=None, recipient_ids=pair)
    world.channels[channel.id] = channel
    people = frozenset(one for one in pair if not world.users[one].is_bot)  # bots get no event, as on Discord
    return channel, _events(world, "CHANNEL_CREATE", channel, people)


def _audience_of(world: World, channel: Channel) -> frozenset[int]:
    members = {user_id for guild_id, user_id in world.members if guild_id == channel.guild_id}
    return frozenset(one for one in members if is_informed_of(world, one, channel))


def _events(world: World, name: str, channel: Channel, audience: frozenset[int]) -> list[Event]:
    return Event.for_each(name, audience, lambda viewer_id: channel_json(world, channel, viewer_id))
