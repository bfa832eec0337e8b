"""Routes for application commands: the bot registers them, people list them."""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.interactions.commands import commands_of, register_command, register_commands
from bot.sandbox.rest.api import PREFIX, WORLD, answer, caller_id, nothing, path_id, read_json, read_object


def add_routes(app: web.Application) -> None:
    """Register these routes, for global commands and for those of a guild."""
    application = PREFIX + "/applications/{application_id}"
    for commands in (application + "/commands", application + "/guilds/{guild_id}/commands"):
        app.router.add_get(commands, list_commands)
        app.router.add_put(commands, replace_commands)
        app.router.add_post(commands, add_command)
        app.router.add_get(commands + "/{command_id}", read_command)
        app.router.add_delete(commands + "/{command_id}", delete_command)


async def list_commands(request: web.Request) -> web.Response:
    """Return the commands; people get them too, for the page."""
    return answer(commands_of(request.app[WORLD], _scope(request, is_reading=True)))


async def replace_commands(request: web.Request) -> web.Response:
    """Replace all commands."""
    scope = _scope(request)
    return answer(register_commands(request.app[WORLD], scope, await read_json(request)))


async def add_command(request: web.Request) -> web.Response:
    """Add or replace one command."""
    scope = _scope(request)
    return answer(register_command(request.app[WORLD], scope, await read_object(request)), status=201)


async def read_command(request: web.Request) -> web.Response:
    """Return one command."""
    key = _key(request, is_reading=True)
    return answer(request.app[WORLD].commands[key])


async def delete_command(request: web.Request) -> web.Response:
    """Remove one command."""
    del request.app[WORLD].commands[_key(request)]
    return nothing()


def _key(request: web.Request, *, is_reading: bool = False) -> tuple[int | None, str, int]:
    scope = _scope(request, is_reading=is_reading)
    wanted = request.match_info["command_id"]
    for key, command in request.app[WORLD].commands.items():
        if key[0] == scope and command["id"] == wanted:
            return key
    raise ApiError(Refusal.UNKNOWN_COMMAND)


def _scope(request: web.Request, *, is_reading: bool = False) -> int | None:
    """Return the guild of the path, or None for global commands; only the bot may change commands."""
    user_id = caller_id(request)
    world = request.app[WORLD]
    if path_id(request, "application_id") != world.bot_user_id:
        raise ApiError(Refusal.UNKNOWN_APPLICATION)
    if user_id != world.bot_user_id and not is_reading:
        raise ApiError(Refusal.MISSING_ACCESS)
    if "guild_id" not in request.match_info:
        return None
    guild_id = path_id(request, "guild_id")
    if (guild_id, user_id) not in world.members or (guild_id, world.bot_user_id) not in world.members:
        raise ApiError(Refusal.MISSING_ACCESS)
    return guild_id
