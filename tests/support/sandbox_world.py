"""What tests add to a sandbox's world, and change in it: people, servers, channels, threads, permissions."""

from collections.abc import Iterable
from dataclasses import replace

from bot.sandbox.messages.threads import change_members, change_thread, open_thread
from bot.sandbox.server import Sandbox
from bot.sandbox.world import seed
from bot.sandbox.world.channels import channel_events
from bot.sandbox.world.objects import guild_json, is_informed_of
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import Channel, ChannelKind, Event, Guild, Json, Overwrite, User, World


def add_person(sandbox: Sandbox, name: str, *, guild_id: int | None = None, is_bot: bool = False) -> User:
    """Add a person or bot, optionally as a member of a guild; no event is sent."""
    assert name not in {user.name for user in sandbox.world.users.values()}, "a person's token is their name"
    user = User(sandbox.world.new_id(), name, is_bot)
    sandbox.world.users[user.id] = user
    if guild_id is not None:
        seed.join(sandbox.world, guild_id, user.id)
    return user


def add_guild(
    sandbox: Sandbox, name: str, *, member_ids: Iterable[int], guild_id: int | None = None
) -> Guild:
    """Add a guild without channels, owned by its first member, and announce it to its members.

    `guild_id` determines its shard.
    """
    world, ids = sandbox.world, tuple(member_ids)
    guild = seed.create_guild(world, guild_id or world.new_id(), name=name, owner_id=ids[0])
    for user_id in ids:
        seed.join(world, guild.id, user_id)

    def seen_by(user_id: int) -> Json:
        body = guild_json(world, guild, user_id)
        del body["unavailable"]  # with it, discord.py takes the guild for one that is available again
        return body

    sandbox.gateway.dispatch(Event.for_each("GUILD_CREATE", ids, seen_by))
    return guild


def add_channel(
    sandbox: Sandbox,
    name: str,
    *,
    guild_id: int = seed.GUILD_ID,
    kind: ChannelKind = ChannelKind.TEXT,
    only_for: Iterable[int] | None = None,
) -> Channel:
    """Add a channel for a whole guild or for some members, and announce it to them."""
    world = sandbox.world
    overwrites: tuple[Overwrite, ...] = ()
    if only_for is not None:
        view = int(Permission.VIEW_CHANNEL)
        hidden = Overwrite(guild_id, is_member=False, allow=0, deny=view)
        overwrites = (hidden, *(Overwrite(one, is_member=True, allow=view, deny=0) for one in only_for))
    position = len(world.channels_of(guild_id))
    channel = Channel(world.new_id(), kind, name, guild_id, position, overwrites=overwrites)
    world.channels[channel.id] = channel
    sandbox.gateway.dispatch(channel_events(world, "CHANNEL_CREATE", channel, _audience_of(world, channel)))
    return channel


def allow(sandbox: Sandbox, channel_id: int, target_id: int, permissions: int) -> None:
    """Allow a role or a member permissions in a channel; a guild's id means all its members."""
    channel = sandbox.world.find_channel(channel_id)
    sandbox.gateway.dispatch(change_overwrite(sandbox.world, channel, target_id, allow=permissions))


def deny(sandbox: Sandbox, channel_id: int, target_id: int, permissions: int) -> None:
    """Deny a role or a member permissions in a channel; a guild's id means all its members."""
    channel = sandbox.world.find_channel(channel_id)
    sandbox.gateway.dispatch(change_overwrite(sandbox.world, channel, target_id, deny=permissions))


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
        *channel_events(world, "CHANNEL_DELETE", channel, before - after),
        *channel_events(world, "CHANNEL_UPDATE", changed, before & after),
        *channel_events(world, "CHANNEL_CREATE", changed, after - before),
    ]


def delete_channel(sandbox: Sandbox, channel_id: int) -> None:
    """Delete a channel with its threads and messages, or a thread."""
    world, channel = sandbox.world, sandbox.world.find_channel(channel_id)
    for thread in [one for one in world.channels.values() if one.is_thread and one.parent_id == channel_id]:
        delete_channel(sandbox, thread.id)
    audience = _audience_of(world, channel)
    del world.channels[channel_id]
    world.messages.pop(channel_id, None)
    events = channel_events(world, "CHANNEL_DELETE", channel, audience)
    if channel.is_thread:
        gone = {
            "id": str(channel_id),
            "guild_id": str(channel.guild_id),
            "parent_id": str(channel.parent_id),
            "type": int(channel.kind),
        }
        events = [Event("THREAD_DELETE", gone, audience)]
    sandbox.gateway.dispatch(events)


def add_thread(
    sandbox: Sandbox,
    name: str,
    *,
    parent_id: int = seed.SUPPORT_CHANNEL_ID,
    kind: ChannelKind | None = None,
    member_ids: Iterable[int] = (),
) -> Channel:
    """Open a thread as the guild's owner; `member_ids` join it. A private one is visible only to them."""
    world, parent = sandbox.world, sandbox.world.find_channel(parent_id)
    owner_id = world.guilds[parent.guild_id or 0].owner_id
    thread, events = open_thread(
        world, parent, name=name, owner_id=owner_id, kind=kind, member_ids=member_ids
    )
    sandbox.gateway.dispatch(events)
    return thread


def archive_thread(sandbox: Sandbox, thread_id: int, *, is_locked: bool = False) -> None:
    """Archive a thread; only those who manage threads can reopen a locked one."""
    thread = sandbox.world.find_channel(thread_id)
    sandbox.gateway.dispatch(change_thread(sandbox.world, thread, is_archived=True, is_locked=is_locked)[1])


def reopen_thread(sandbox: Sandbox, thread_id: int) -> None:
    """Unarchive and unlock a thread."""
    thread = sandbox.world.find_channel(thread_id)
    sandbox.gateway.dispatch(change_thread(sandbox.world, thread, is_archived=False, is_locked=False)[1])


def change_thread_members(
    sandbox: Sandbox, thread_id: int, *, added: Iterable[int] = (), removed: Iterable[int] = ()
) -> None:
    """Add people to a thread, or remove them."""
    thread = sandbox.world.find_channel(thread_id)
    sandbox.gateway.dispatch(change_members(sandbox.world, thread, added=added, removed=removed))


def _audience_of(world: World, channel: Channel) -> frozenset[int]:
    members = {user_id for guild_id, user_id in world.members if guild_id == channel.guild_id}
    return frozenset(one for one in members if is_informed_of(world, one, channel))
