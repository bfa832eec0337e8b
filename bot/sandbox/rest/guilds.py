"""Routes for the guild, its members and roles, users, and the application itself."""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import GATEWAY, PREFIX, WORLD, answer, caller_id, path_id, query_int
from bot.sandbox.world.objects import (
    channel_json,
    guild_summary_json,
    knows_of,
    member_json,
    own_guild_json,
    role_json,
    self_json,
    thread_member_json,
    user_json,
)
from bot.sandbox.world.state import Channel, Guild, Json, World

GUILDS_A_SHARD = 1000  # Discord's recommendation; the maximum is 2,500
MESSAGE_CONTENT_LIMITED = 1 << 19  # the application's flag: the intent is on, as for any bot in few servers


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    guild = PREFIX + "/guilds/{guild_id}"
    app.router.add_get(guild, read_guild)
    app.router.add_get(guild + "/channels", list_channels)
    app.router.add_get(guild + "/roles", list_roles)
    app.router.add_get(guild + "/members", list_members)
    app.router.add_get(guild + "/members/{user_id}", read_member)
    app.router.add_get(guild + "/threads/active", list_threads)
    app.router.add_get(PREFIX + "/users/@me", read_self)
    app.router.add_get(PREFIX + "/users/@me/guilds", list_own_guilds)
    app.router.add_get(PREFIX + "/users/{user_id}", read_user)
    app.router.add_get(PREFIX + "/oauth2/applications/@me", read_application)
    app.router.add_get(PREFIX + "/applications/@me", read_application)
    app.router.add_get(PREFIX + "/gateway", read_gateway)
    app.router.add_get(PREFIX + "/gateway/bot", read_gateway_for_bot)


async def read_guild(request: web.Request) -> web.Response:
    """Return a guild."""
    _, guild = own_guild(request)
    return answer(guild_summary_json(request.app[WORLD], guild))


async def list_channels(request: web.Request) -> web.Response:
    """Return the guild's channels that the caller knows of, without threads."""
    user_id, world, known = _known_channels(request)
    return answer([channel_json(world, one, user_id) for one in known if not one.is_thread])


async def list_threads(request: web.Request) -> web.Response:
    """Return the guild's active threads that the caller sees, and the caller's memberships."""
    user_id, world, known = _known_channels(request)
    active = [one for one in known if one.is_thread and not one.is_archived]
    joined = [thread_member_json(world, one, user_id) for one in active if user_id in one.member_ids]
    threads = [channel_json(world, one, user_id) for one in active]
    return answer({"threads": threads, "members": joined, "has_more": False})


def _known_channels(request: web.Request) -> tuple[int, World, list[Channel]]:
    user_id, guild = own_guild(request)
    world = request.app[WORLD]
    return user_id, world, [one for one in world.channels_of(guild.id) if knows_of(world, user_id, one)]


async def list_roles(request: web.Request) -> web.Response:
    """Return the guild's roles."""
    _, guild = own_guild(request)
    return answer([role_json(one) for one in request.app[WORLD].roles_of(guild.id)])


async def list_members(request: web.Request) -> web.Response:
    """Return up to 1000 members after an id, ordered by id."""
    _, guild = own_guild(request)
    world = request.app[WORLD]
    limit = query_int(request, "limit", 1, at_most=1000)
    after = query_int(request, "after", 0, at_most=(1 << 64) - 1, at_least=0)
    page = [one for one in world.members_of(guild.id) if one.user_id > after][:limit]
    return answer([member_json(world, one, with_user=True) for one in page])


async def read_member(request: web.Request) -> web.Response:
    """Return one member."""
    caller, guild = own_guild(request)
    world = request.app[WORLD]
    user_id = caller if request.match_info["user_id"] == "@me" else path_id(request, "user_id")
    member = world.members.get((guild.id, user_id))
    if member is None:
        raise ApiError(Refusal.UNKNOWN_MEMBER)
    return answer(member_json(world, member, with_user=True))


async def read_self(request: web.Request) -> web.Response:
    """Return the caller."""
    return answer(self_json(request.app[WORLD].users[caller_id(request)]))


async def list_own_guilds(request: web.Request) -> web.Response:
    """Return the caller's guilds."""
    user_id = caller_id(request)
    world = request.app[WORLD]
    own = [one for one in world.guilds.values() if (one.id, user_id) in world.members]
    return answer([own_guild_json(world, one, user_id) for one in own])


async def read_user(request: web.Request) -> web.Response:
    """Return any user."""
    caller_id(request)
    user = request.app[WORLD].users.get(path_id(request, "user_id"))
    if user is None:
        raise ApiError(Refusal.UNKNOWN_USER)
    return answer(user_json(user))


async def read_application(request: web.Request) -> web.Response:
    """Return the bot's application with its owner; people have none."""
    world = request.app[WORLD]
    if caller_id(request) != world.bot_user_id:
        raise ApiError(Refusal.UNKNOWN_APPLICATION)
    flags = MESSAGE_CONTENT_LIMITED if request.app[GATEWAY].message_content_allowed else 0
    application: Json = {
        "id": str(world.bot_user_id),
        "name": world.users[world.bot_user_id].name,
        "description": "",
        "icon": None,
        "type": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "owner": user_json(world.users[world.owner_id]),
        "team": None,
        "approximate_guild_count": len(world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "integration_types_config": {"0": {}},
    }
    return answer(application)


async def read_gateway(request: web.Request) -> web.Response:
    """Return the gateway's URL."""
    return answer({"url": _gateway_url(request)})


async def read_gateway_for_bot(request: web.Request) -> web.Response:
    """Return the gateway's URL and the session start limits."""
    at_once = request.app[GATEWAY].identify_limit.max_concurrency
    limits = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": at_once}
    shards = 1 + len(request.app[WORLD].guilds) // GUILDS_A_SHARD
    return answer({"url": _gateway_url(request), "shards": shards, "session_start_limit": limits})


def _gateway_url(request: web.Request) -> str:
    return f"{request.app[WORLD].url.replace('http', 'ws', 1)}/gateway"


def own_guild(request: web.Request) -> tuple[int, Guild]:
    """Return the caller and the guild of the path, of which the caller must be a member."""
    user_id = caller_id(request)
    world = request.app[WORLD]
    guild = world.guilds.get(path_id(request, "guild_id"))
    if guild is None:
        raise ApiError(Refusal.UNKNOWN_GUILD)
    if (guild.id, user_id) not in world.members:
        raise ApiError(Refusal.MISSING_ACCESS)
    return user_id, guild
