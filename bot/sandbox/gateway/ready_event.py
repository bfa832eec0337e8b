"""READY with its guilds at the start of a session, and members on request."""

from typing import Any

from bot.sandbox.gateway.sessions import Session
from bot.sandbox.world.objects import channel_json, guild_json, member_json, presence_json, user_json
from bot.sandbox.world.state import Json, World


def send_ready(world: World, session: Session) -> None:
    """Send READY, then one GUILD_CREATE for each guild of the session's shard."""
    user_id, shard = session.user_id, session.shard
    guilds = [one for one in world.guilds_of(user_id) if shard.has(one.id)]
    ready: Json = {
        "v": 10,
        "user": user_json(world.users[user_id]) | {"email": None, "verified": True, "mfa_enabled": False},
        "guilds": [{"id": str(one.id), "unavailable": True} for one in guilds],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": world.gateway_url,
        "private_channels": [],
        "application": {"id": str(world.bot_user_id), "flags": 1 << 19},
        "shard": [shard.id, shard.count],
    }
    if user_id != world.bot_user_id:  # people also get their direct messages and the bot's presence
        own = world.direct_channels_of(user_id)
        ready["private_channels"] = [channel_json(world, one, user_id) for one in own]
        is_online = world.bot_user_id in world.online_ids
        ready["presences"] = [
            presence_json(world.bot_user_id, one.id, is_online=is_online)
            for one in world.guilds_of(world.bot_user_id)
        ]
    session.push("READY", ready)
    for guild in guilds:
        session.push("GUILD_CREATE", guild_json(world, guild, user_id))


def send_members(world: World, session: Session, body: Json) -> None:
    """Answer a request for members by id or by name prefix."""
    guild_id = int(body["guild_id"]) if str(body.get("guild_id")).isdecimal() else 0
    wanted: Any = body.get("user_ids")
    found = world.members_of(guild_id)
    if wanted:
        found = [one for one in found if str(one.user_id) in map(str, wanted)]
    else:
        query = str(body.get("query") or "")
        found = [one for one in found if world.users[one.user_id].name.startswith(query)]
    chunk: Json = {
        "guild_id": str(guild_id),
        "members": [member_json(world, one, with_user=True) for one in found],
        "chunk_index": 0,
        "chunk_count": 1,
        "not_found": [],
    }
    session.push("GUILD_MEMBERS_CHUNK", chunk | ({"nonce": body["nonce"]} if "nonce" in body else {}))
