"""READY with its guilds at the start of a session, and members on request."""

from __future__ import annotations

from typing import Any

from bot.sandbox.gateway.sessions import Session
from bot.sandbox.world.objects import channel_json, guild_json, member_json, presence_json, user_json
from bot.sandbox.world.state import ChannelKind, Json, World


def send_ready(world: World, session: Session) -> None:
    """Send READY, then one GUILD_CREATE for each guild of the session's shard."""
    session.push("READY", _ready(world, session))
    for guild in world.guilds.values():
        if (guild.id, session.user_id) in world.members and session.shard.has(guild.id):
            session.push("GUILD_CREATE", guild_json(world, guild, session.user_id))


def _ready(world: World, session: Session) -> Json:
    """Return READY. People also get their direct-message channels and the bot's presence."""
    user_id, shard = session.user_id, session.shard
    ready: Json = {
        "v": 10,
        "user": user_json(world.users[user_id]) | {"email": None, "verified": True, "mfa_enabled": False},
        "guilds": [
            {"id": str(guild_id), "unavailable": True}
            for guild_id, one in world.members
            if one == user_id and shard.has(guild_id)
        ],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": f"{world.url.replace('http', 'ws', 1)}/gateway",
        "private_channels": [],
        "application": {"id": str(world.bot_user_id), "flags": 1 << 19},
        "shard": [shard.id, shard.count],
    }
    if user_id != world.bot_user_id:
        ready["private_channels"] = [
            channel_json(world, one, user_id)
            for one in world.channels.values()
            if one.kind is ChannelKind.DIRECT and user_id in one.recipient_ids
        ]
        is_online = world.bot_user_id in world.online_ids
        ready["presences"] = [
            presence_json(world.bot_user_id, guild_id, is_online=is_online)
            for guild_id, one in world.members
            if one == world.bot_user_id
        ]
    return ready


def send_members(world: World, session: Session, body: Json) -> None:
    """Answer a request for members by id or by name prefix."""
    guild_id = int(body["guild_id"]) if str(body.get("guild_id")).isdecimal() else 0
    wanted: Any = body.get("user_ids")
    query = str(body.get("query") or "")
    found = [
        one
        for one in world.members_of(guild_id)
        if (
            str(one.user_id) in map(str, wanted)
            if wanted
            else world.users[one.user_id].name.startswith(query)
        )
    ]
    chunk: Json = {
        "guild_id": str(guild_id),
        "members": [member_json(world, one, with_user=True) for one in found],
        "chunk_index": 0,
        "chunk_count": 1,
        "not_found": [],
    }
    session.push("GUILD_MEMBERS_CHUNK", chunk | ({"nonce": body["nonce"]} if "nonce" in body else {}))
