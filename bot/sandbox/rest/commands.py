"""Routes for application commands: the bot registers them, people list them."""

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.interactions.commands import commands_of, register_command, register_commands
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.world.state import Json

GLOBAL = "/applications/{application_id}/commands"
OF_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"

routes = Routes()


@routes.api("GET", GLOBAL, OF_GUILD)
async def list_commands(call: Call) -> list[Json]:
    """Return the commands; people get them too, for the page."""
    return commands_of(call.world, _scope(call, is_reading=True))


@routes.api("PUT", GLOBAL, OF_GUILD)
async def replace_commands(call: Call) -> list[Json]:
    """Replace all commands."""
    scope = _scope(call)
    return register_commands(call.world, scope, await call.read_json())


@routes.api("POST", GLOBAL, OF_GUILD, status=201)
async def add_command(call: Call) -> Json:
    """Add or replace one command."""
    scope = _scope(call)
    return register_command(call.world, scope, await call.read_object())


@routes.api("GET", GLOBAL + "/{command_id}", OF_GUILD + "/{command_id}")
async def read_command(call: Call) -> Json:
    """Return one command."""
    return call.world.commands[_key(call, is_reading=True)]


@routes.api("DELETE", GLOBAL + "/{command_id}", OF_GUILD + "/{command_id}")
async def delete_command(call: Call) -> None:
    """Remove one command."""
    del call.world.commands[_key(call)]


def _key(call: Call, *, is_reading: bool = False) -> tuple[int | None, str, int]:
    scope = _scope(call, is_reading=is_reading)
    for key, command in call.world.commands.items():
        if key[0] == scope and command["id"] == call.path["command_id"]:
            return key
    raise ApiError(Refusal.UNKNOWN_COMMAND)


def _scope(call: Call, *, is_reading: bool = False) -> int | None:
    """Return the guild of the path, or None for global commands; only the bot may change commands."""
    user_id, world = call.user_id, call.world
    if call.path_id("application_id") != world.bot_user_id:
        raise ApiError(Refusal.UNKNOWN_APPLICATION)
    if user_id != world.bot_user_id and not is_reading:
        raise ApiError(Refusal.MISSING_ACCESS)
    if "guild_id" not in call.path:
        return None
    guild_id = call.path_id("guild_id")
    if (guild_id, user_id) not in world.members or (guild_id, world.bot_user_id) not in world.members:
        raise ApiError(Refusal.MISSING_ACCESS)
    return guild_id
