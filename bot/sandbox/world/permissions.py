"""Discord's permission bits, and how roles and overwrites combine."""

from collections.abc import Iterable
from enum import IntFlag
from functools import reduce
from operator import or_

from bot.sandbox.world.state import WITH_VOICE, Channel, ChannelKind, World


class Permission(IntFlag):
    """The permissions that the sandbox implements, with Discord's numbers."""

    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = (1 << 53) - 1
DIRECT = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.USE_APPLICATION_COMMANDS
)
EVERYONE = (
    DIRECT
    | Permission.CONNECT
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.CREATE_PRIVATE_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)
ADMIN = (
    Permission.MANAGE_GUILD
    | Permission.MANAGE_MESSAGES
    | Permission.MANAGE_WEBHOOKS
    | Permission.MANAGE_THREADS
)


def permissions_in(world: World, user_id: int, channel: Channel) -> int:
    """Return the bits that `user_id` holds in `channel`; 0 when they cannot know it exists."""
    bits = unseen_permissions_in(world, user_id, channel)
    return bits if bits & Permission.VIEW_CHANNEL else 0


def unseen_permissions_in(world: World, user_id: int, channel: Channel) -> int:
    """Return the bits as they add up, those that mean nothing without ``VIEW_CHANNEL`` included.

    Interactions carry them as ``app_permissions``.
    """
    if channel.guild_id is None:
        return int(DIRECT) if user_id in channel.recipient_ids else 0
    member = world.members.get((channel.guild_id, user_id))
    if member is None:
        return 0
    bits = guild_permissions(world, user_id, channel.guild_id)
    if bits == ALL:
        return ALL
    overwrites = {one.target_id: one for one in _ruled_by(world, channel).overwrites}
    for targets in ((channel.guild_id,), member.role_ids, (user_id,)):
        chosen = [overwrites[target] for target in targets if target in overwrites]
        bits = bits & ~_together(one.deny for one in chosen) | _together(one.allow for one in chosen)
    if channel.kind is ChannelKind.PRIVATE_THREAD and not (
        user_id in channel.member_ids or bits & Permission.MANAGE_THREADS
    ):
        bits &= ~Permission.VIEW_CHANNEL
    return bits


def guild_permissions(world: World, user_id: int, guild_id: int) -> int:
    """Return the bits that a member's roles hold, all of them for the owner and for administrators."""
    role_ids = (guild_id, *world.members[guild_id, user_id].role_ids)
    bits = _together(world.roles[role_id].permissions for role_id in role_ids)
    is_all = world.guilds[guild_id].owner_id == user_id or bits & Permission.ADMINISTRATOR
    return ALL if is_all else bits


def may(world: World, user_id: int, channel: Channel, permission: Permission) -> bool:
    """Return whether `user_id` holds all bits of `permission` in `channel`."""
    return permissions_in(world, user_id, channel) & permission == permission


def needed_to_send(channel: Channel) -> Permission:
    """Return the permission to write in `channel`."""
    return Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES


def needed_to_read(channel: Channel) -> Permission:
    """Return the permission to read messages in `channel`; in a voice channel that includes joining it."""
    has_voice = channel.kind in WITH_VOICE
    return Permission.VIEW_CHANNEL | Permission.CONNECT if has_voice else Permission.VIEW_CHANNEL


def reader_ids(world: World, channel: Channel) -> frozenset[int]:
    """Return the ids of all who get the events of messages in `channel`."""
    return viewer_ids(world, channel, needs=needed_to_read(channel))


def viewer_ids(
    world: World, channel: Channel, *, needs: Permission = Permission.VIEW_CHANNEL
) -> frozenset[int]:
    """Return the ids of all who see `channel`, or who hold the bits of `needs` in it."""
    if channel.guild_id is None:
        return frozenset(channel.recipient_ids)
    ruled_by = _ruled_by(world, channel)
    alone = {one.target_id for one in ruled_by.overwrites} | {world.guilds[channel.guild_id].owner_id}
    alone.update(channel.member_ids)
    sees: dict[tuple[object, ...], bool] = {}  # all others with the same roles may do the same
    viewers = set()
    for (guild_id, user_id), member in world.members.items():
        if guild_id == channel.guild_id:
            key = (member.role_ids, user_id if user_id in alone else None)
            if key not in sees:
                sees[key] = may(world, user_id, channel, needs)
            if sees[key]:
                viewers.add(user_id)
    return frozenset(viewers)


def _ruled_by(world: World, channel: Channel) -> Channel:
    """Return the channel whose overwrites apply: a thread's are its parent's."""
    if channel.is_thread and channel.parent_id is not None:
        return world.channels[channel.parent_id]
    return channel


def _together(bits: Iterable[int]) -> int:
    """Return the union of bit sets."""
    return reduce(or_, map(int, bits), 0)
