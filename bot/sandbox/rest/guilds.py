"""Routes for the guild, its members and roles, users, and the application itself."""

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.objects import (
    DEFAULTS,
    channel_json,
    guild_summary_json,
    is_informed_of,
    member_json,
    own_guild_json,
    role_json,
    self_json,
    thread_member_json,
    user_json,
)
from bot.sandbox.world.state import Channel, Json

GUILDS_A_SHARD = 1000  # Discord's recommendation; the maximum is 2,500
MESSAGE_CONTENT_LIMITED = 1 << 19  # the application's flag: the intent is on, as for any bot in few servers

routes = Routes()


@routes.api("GET", "/guilds/{guild_id}")
async def read_guild(call: Call) -> Json:
    """Return a guild."""
    return guild_summary_json(call.world, call.guild())


@routes.api("GET", "/guilds/{guild_id}/channels")
async def list_channels(call: Call) -> list[Json]:
    """Return the guild's channels whose events the caller gets, without threads."""
    return [channel_json(call.world, one, call.user_id) for one in _known_channels(call) if not one.is_thread]


@routes.api("GET", "/guilds/{guild_id}/threads/active")
async def list_threads(call: Call) -> Json:
    """Return the guild's active threads that the caller sees, and the caller's memberships."""
    user_id, world = call.user_id, call.world
    active = [one for one in _known_channels(call) if one.is_thread and not one.is_archived]
    joined = [thread_member_json(world, one, user_id) for one in active if user_id in one.member_ids]
    threads = [channel_json(world, one, user_id) for one in active]
    return {"threads": threads, "members": joined, "has_more": False}


def _known_channels(call: Call) -> list[Channel]:
    channels = call.world.channels_of(call.guild().id)
    return [one for one in channels if is_informed_of(call.world, call.user_id, one)]


@routes.api("GET", "/guilds/{guild_id}/roles")
async def list_roles(call: Call) -> list[Json]:
    """Return the guild's roles."""
    return [role_json(one) for one in call.world.roles_of(call.guild().id)]


@routes.api("GET", "/guilds/{guild_id}/members")
async def list_members(call: Call) -> list[Json]:
    """Return up to 1000 members after an id, ordered by id."""
    guild = call.guild()
    limit = call.query_int("limit", 1, at_most=1000)
    after = call.query_id("after")
    page = [one for one in call.world.members_of(guild.id) if one.user_id > after][:limit]
    return [member_json(call.world, one, with_user=True) for one in page]


@routes.api("GET", "/guilds/{guild_id}/members/{user_id}")
async def read_member(call: Call) -> Json:
    """Return one member."""
    guild = call.guild()
    member = call.world.members.get((guild.id, call.path_user_id()))
    if member is None:
        raise ApiError(Refusal.UNKNOWN_MEMBER)
    return member_json(call.world, member, with_user=True)


@routes.api("GET", "/users/@me")
async def read_self(call: Call) -> Json:
    """Return the caller."""
    return self_json(call.user)


@routes.api("GET", "/users/@me/guilds")
async def list_own_guilds(call: Call) -> list[Json]:
    """Return the caller's guilds."""
    return [own_guild_json(call.world, one, call.user_id) for one in call.world.guilds_of(call.user_id)]


@routes.api("GET", "/users/{user_id}")
async def read_user(call: Call) -> Json:
    """Return any user."""
    _ = call.user_id  # refuses requests without a token
    user = call.world.users.get(call.path_id("user_id"))
    if user is None:
        raise ApiError(Refusal.UNKNOWN_USER)
    return user_json(user)


@routes.api("GET", "/oauth2/applications/@me", "/applications/@me")
async def read_application(call: Call) -> Json:
    """Return the bot's application with its owner; people have none."""
    world = call.world
    if call.user_id != world.bot_user_id:
        raise ApiError(Refusal.UNKNOWN_APPLICATION)
    flags = MESSAGE_CONTENT_LIMITED if call.gateway.message_content_allowed else 0
    return DEFAULTS["application"] | {
        "id": str(world.bot_user_id),
        "name": world.users[world.bot_user_id].name,
        "flags": flags,
        "flags_new": str(flags),
        "owner": user_json(world.users[world.owner_id]),
        "approximate_guild_count": len(world.guilds),
    }


@routes.api("GET", "/gateway")
async def read_gateway(call: Call) -> Json:
    """Return the gateway's URL."""
    return {"url": call.world.gateway_url}


@routes.api("GET", "/gateway/bot")
async def read_gateway_for_bot(call: Call) -> Json:
    """Return the gateway's URL and the session start limits."""
    at_once = call.gateway.identify_limit.max_concurrency
    limits = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": at_once}
    shards = 1 + len(call.world.guilds) // GUILDS_A_SHARD
    return {"url": call.world.gateway_url, "shards": shards, "session_start_limit": limits}
