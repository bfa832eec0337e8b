"""Users, members, roles, channels and guilds in the JSON shapes of Discord's API."""

import json
from pathlib import Path

from bot.sandbox.world.permissions import Permission, guild_permissions, may
from bot.sandbox.world.state import (
    WITH_POSTS,
    WITH_VOICE,
    Channel,
    ChannelKind,
    Guild,
    Json,
    Member,
    Role,
    User,
    World,
    made_at,
)

# the fields that the sandbox leaves as Discord sends them for a new object of this kind
DEFAULTS: dict[str, Json] = json.loads(Path(__file__).with_name("defaults.json").read_text())


def user_json(user: User) -> Json:
    """Return the user object."""
    return DEFAULTS["user"] | {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.is_bot else user.name.capitalize(),
        "bot": user.is_bot,
    }


def self_json(user: User) -> Json:
    """Return the user object as the user themselves sees it."""
    return user_json(user) | {"mfa_enabled": False, "locale": "en-US"}


def member_json(world: World, member: Member, *, with_user: bool) -> Json:
    """Return the member object; events that carry the user elsewhere leave it out."""
    roles = [str(role_id) for role_id in member.role_ids]
    shape = DEFAULTS["member"] | {"roles": roles, "joined_at": member.joined_at.isoformat()}
    return shape | ({"user": user_json(world.users[member.user_id])} if with_user else {})


def role_json(role: Role) -> Json:
    """Return the role object."""
    return DEFAULTS["role"] | {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "managed": role.is_managed,
    }


def channel_json(world: World, channel: Channel, viewer_id: int) -> Json:
    """Return the channel object as `viewer_id` sees it: a direct-message channel lists the other one only."""
    last = next(reversed(world.history(channel.id)), None)
    shape: Json = {"id": str(channel.id), "type": int(channel.kind), "flags": 0}
    if channel.kind is not ChannelKind.CATEGORY:
        shape["last_message_id"] = str(last) if last else None
    if channel.kind is ChannelKind.DIRECT:
        others = [user_id for user_id in channel.recipient_ids if user_id != viewer_id]
        return shape | {"recipients": [user_json(world.users[user_id]) for user_id in others]}
    shape |= {
        "name": channel.name,
        "guild_id": str(channel.guild_id),
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "rate_limit_per_user": 0,
    }
    if channel.is_thread:
        return shape | _thread_fields(world, channel)
    if channel.kind in WITH_VOICE:
        shape |= DEFAULTS["voice_channel"]
    if channel.kind in WITH_POSTS:
        shape |= DEFAULTS["forum"]
    overwrites = [
        {
            "id": str(one.target_id),
            "type": int(one.is_member),
            "allow": str(int(one.allow)),
            "deny": str(int(one.deny)),
        }
        for one in channel.overwrites
    ]
    place = {"position": channel.position, "permission_overwrites": overwrites}
    return shape | place | {"topic": None, "nsfw": False}


def _thread_fields(world: World, thread: Channel) -> Json:
    """Return what a thread has beyond a channel."""
    started_at = made_at(thread.id).isoformat()
    count = len(world.history(thread.id))
    metadata: Json = {
        "archived": thread.is_archived,
        "auto_archive_duration": 1440,
        "archive_timestamp": started_at,
        "create_timestamp": started_at,
        "locked": thread.is_locked,
    }
    if thread.kind is ChannelKind.PRIVATE_THREAD:
        metadata["invitable"] = True
    return {
        "owner_id": str(thread.owner_id),
        "message_count": count,
        "total_message_sent": count,
        "member_count": len(thread.member_ids),
        "thread_metadata": metadata,
    }


def thread_member_json(world: World, thread: Channel, user_id: int) -> Json:
    """Return the thread member object."""
    joined_at = made_at(thread.id).isoformat()
    return {"id": str(thread.id), "user_id": str(user_id), "join_timestamp": joined_at, "flags": 0}


def is_informed_of(world: World, user_id: int, channel: Channel) -> bool:
    """Return whether someone gets a channel's events; bots do of hidden channels, too, but not threads."""
    if world.users[user_id].is_bot and not channel.is_thread:
        return world.member_in(channel, user_id) is not None
    return may(world, user_id, channel, Permission.VIEW_CHANNEL)


def guild_json(world: World, guild: Guild, viewer_id: int) -> Json:
    """Return the guild object of GUILD_CREATE, with the channels and threads that concern `viewer_id`."""
    known = [one for one in world.channels_of(guild.id) if is_informed_of(world, viewer_id, one)]
    channels = [one for one in known if not one.is_thread]
    threads = [one for one in known if one.is_thread and not one.is_archived]
    members = world.members_of(guild.id)
    online_ids = [one.user_id for one in members if one.user_id in world.online_ids]
    return {
        **guild_summary_json(world, guild),
        **DEFAULTS["full_guild"],
        "joined_at": world.members[guild.id, viewer_id].joined_at.isoformat(),
        "member_count": len(members),
        "members": [member_json(world, one, with_user=True) for one in members],
        "channels": [channel_json(world, one, viewer_id) for one in channels],
        "threads": [channel_json(world, one, viewer_id) for one in threads],
        "presences": [presence_json(one, guild.id, is_online=True) for one in online_ids],
    }


def guild_summary_json(world: World, guild: Guild) -> Json:
    """Return the guild object of the REST API."""
    return DEFAULTS["guild"] | {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "roles": [role_json(one) for one in world.roles_of(guild.id)],
        "approximate_member_count": len(world.members_of(guild.id)),
        "approximate_presence_count": len(world.online_ids),
    }


def own_guild_json(world: World, guild: Guild, user_id: int) -> Json:
    """Return the short guild object of a member's own list."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "banner": None,
        "owner": guild.owner_id == user_id,
        "permissions": str(guild_permissions(world, user_id, guild.id)),
        "features": [],
    }


def presence_json(user_id: int, guild_id: int, *, is_online: bool) -> Json:
    """Return the presence object."""
    return {
        "user": {"id": str(user_id)},
        "guild_id": str(guild_id),
        "status": "online" if is_online else "offline",
        "activities": [],
        "client_status": {"web": "online"} if is_online else {},
    }
