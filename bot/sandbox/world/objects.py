"""Users, members, roles, channels and guilds in the JSON shapes of Discord's API."""

from __future__ import annotations

from bot.sandbox.world.permissions import Permission, guild_permissions, may, permissions_in
from bot.sandbox.world.snowflakes import made_at
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
)

NO_COLORS: Json = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}


def user_json(user: User) -> Json:
    """Return the user object."""
    return {
        "id": str(user.id),
        "username": user.name,
        "discriminator": "0",
        "global_name": None if user.is_bot else user.name.capitalize(),
        "avatar": None,
        "bot": user.is_bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def self_json(user: User) -> Json:
    """Return the user object as the user themselves sees it."""
    return {**user_json(user), "mfa_enabled": False, "locale": "en-US"}


def member_json(world: World, member: Member, *, with_user: bool) -> Json:
    """Return the member object; events that carry the user elsewhere leave it out."""
    shape: Json = {
        "roles": [str(role_id) for role_id in member.role_ids],
        "nick": None,
        "avatar": None,
        "banner": None,
        "communication_disabled_until": None,
        "joined_at": member.joined_at.isoformat(),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }
    if with_user:
        shape["user"] = user_json(world.users[member.user_id])
    return shape


def role_json(role: Role) -> Json:
    """Return the role object."""
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": 0,
        "colors": NO_COLORS,
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "managed": role.is_managed,
        "mentionable": False,
        "flags": 0,
    }


def channel_json(world: World, channel: Channel, viewer_id: int) -> Json:
    """Return the channel object as `viewer_id` sees it: a direct-message channel lists the other one only."""
    last = next(reversed(world.messages.get(channel.id, {})), None)
    shape: Json = {"id": str(channel.id), "type": int(channel.kind)}
    if channel.kind is not ChannelKind.CATEGORY:
        shape["last_message_id"] = str(last) if last else None
    if channel.kind is ChannelKind.DIRECT:
        others = [user_id for user_id in channel.recipient_ids if user_id != viewer_id]
        return {**shape, "flags": 0, "recipients": [user_json(world.users[user_id]) for user_id in others]}
    shape |= {
        "name": channel.name,
        "guild_id": str(channel.guild_id),
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "rate_limit_per_user": 0,
        "flags": 0,
    }
    if channel.is_thread:
        return shape | _thread_fields(world, channel)
    if channel.kind in WITH_VOICE:
        shape |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
    if channel.kind in WITH_POSTS:
        shape |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
        shape["default_forum_layout"] = 0
    return shape | {
        "position": channel.position,
        "topic": None,
        "nsfw": False,
        "permission_overwrites": [
            {
                "id": str(one.target_id),
                "type": int(one.is_member),
                "allow": str(int(one.allow)),
                "deny": str(int(one.deny)),
            }
            for one in channel.overwrites
        ],
    }


def _thread_fields(world: World, thread: Channel) -> Json:
    """Return what a thread has beyond a channel."""
    started_at = made_at(thread.id).isoformat()
    count = len(world.messages.get(thread.id, {}))
    return {
        "owner_id": str(thread.owner_id),
        "message_count": count,
        "total_message_sent": count,
        "member_count": len(thread.member_ids),
        "thread_metadata": {
            "archived": thread.is_archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": started_at,
            "create_timestamp": started_at,
            "locked": thread.is_locked,
            **({"invitable": True} if thread.kind is ChannelKind.PRIVATE_THREAD else {}),
        },
    }


def thread_member_json(world: World, thread: Channel, user_id: int) -> Json:
    """Return the object that says that someone has joined a thread."""
    joined_at = made_at(thread.id).isoformat()
    return {"id": str(thread.id), "user_id": str(user_id), "join_timestamp": joined_at, "flags": 0}


def interaction_channel_json(world: World, channel: Channel, viewer_id: int) -> Json:
    """Return the partial channel of an interaction, with the person's permissions in it."""
    return {
        **channel_json(world, channel, world.bot_user_id),
        "permissions": str(permissions_in(world, viewer_id, channel)),
    }


def knows_of(world: World, user_id: int, channel: Channel) -> bool:
    """Say whether someone is told of a channel: bots of every one, but only of threads they see."""
    if world.users[user_id].is_bot and not channel.is_thread:
        return (channel.guild_id or 0, user_id) in world.members
    return may(world, user_id, channel, Permission.VIEW_CHANNEL)


def guild_json(world: World, guild: Guild, viewer_id: int) -> Json:
    """Return the guild object of GUILD_CREATE, with the channels and threads that `viewer_id` is told of."""
    known = [one for one in world.channels_of(guild.id) if knows_of(world, viewer_id, one)]
    members = world.members_of(guild.id)
    return {
        **guild_summary_json(world, guild),
        "joined_at": world.members[guild.id, viewer_id].joined_at.isoformat(),
        "large": False,
        "unavailable": False,
        "member_count": len(members),
        "members": [member_json(world, one, with_user=True) for one in members],
        "channels": [channel_json(world, one, viewer_id) for one in known if not one.is_thread],
        "threads": [
            channel_json(world, one, viewer_id) for one in known if one.is_thread and not one.is_archived
        ],
        "presences": [
            presence_json(one.user_id, guild.id, is_online=True)
            for one in members
            if one.user_id in world.online_ids
        ],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def guild_summary_json(world: World, guild: Guild) -> Json:
    """Return the guild object of the REST API."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "description": None,
        "banner": None,
        "owner_id": str(guild.owner_id),
        "region": "deprecated",
        "widget_enabled": False,
        "widget_channel_id": None,
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw": False,
        "nsfw_level": 0,
        "max_presences": None,
        "max_members": 25_000_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "incidents_data": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "vanity_url_code": None,
        "application_id": None,
        "features": [],
        "emojis": [],
        "stickers": [],
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
