"""Opening direct-message channels."""

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.world.objects import channel_json
from bot.sandbox.world.state import Channel, ChannelKind, Event, World


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
    return channel, channel_events(world, "CHANNEL_CREATE", channel, people)


def channel_events(world: World, name: str, channel: Channel, audience: frozenset[int]) -> list[Event]:
    """Return the events that send a channel to each of its audience."""
    return Event.for_each(name, audience, lambda viewer_id: channel_json(world, channel, viewer_id))
