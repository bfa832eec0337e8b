"""The connection to Discord, or to a server that looks like it: log in, wait until ready, close."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import aiohttp
import discord
import discord.gateway
import discord.http
import yarl

from bot.errors import EX_UNAVAILABLE, StartError

UNREACHABLE = (OSError, aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound)


def point_discord_at(api_url: str | None, gateway_url: str | None) -> None:
    """Let discord.py talk to another server; process-global, so once and before `connected`."""
    if api_url is not None:
        discord.http.Route.BASE = api_url.rstrip("/")
    if gateway_url is not None:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


@contextlib.asynccontextmanager
async def connected(client: discord.Client, token: str) -> AsyncIterator["asyncio.Task[None]"]:
    """The task that holds the connection, from when the client is ready; closed at the end of the block.

    Raises:
        StartError: Discord cannot be reached, or refuses the token or an intent.
    """
    connection = asyncio.create_task(client.start(token), name="discord")
    try:
        await _until_ready(client, connection)
        yield connection
    finally:
        await client.close()
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def log_in_once(token: str) -> None:
    """See that Discord takes the token, before anything that takes long.

    Raises:
        StartError: Discord cannot be reached, or refuses the token.
    """
    async with discord.Client(intents=discord.Intents.none()) as client:
        with _told():
            await client.login(token)


async def _until_ready(client: discord.Client, connection: "asyncio.Task[None]") -> None:
    ready = asyncio.create_task(client.wait_until_ready(), name="ready")
    try:
        await asyncio.wait((connection, ready), return_when=asyncio.FIRST_COMPLETED)
        if connection.done():
            with _told():
                connection.result()
            raise StartError("Discord closed the connection.", exit_code=EX_UNAVAILABLE)
    finally:
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with the connection, in a sentence."""
    try:
        yield
    except discord.LoginFailure as error:
        raise StartError(
            "Discord refused the token. Copy it anew from the developer portal (Bot → Reset Token) to "
            "DISCORD_TOKEN."
        ) from error
    except discord.PrivilegedIntentsRequired as error:
        raise StartError(
            "The bot needs the Message Content intent. Switch it on in the developer portal (Bot → "
            "Privileged Gateway Intents → Message Content Intent), then start again."
        ) from error
    except discord.ConnectionClosed as error:
        raise StartError(
            f"Discord closed the connection (code {error.code}).", exit_code=EX_UNAVAILABLE
        ) from error
    except UNREACHABLE as error:
        raise StartError(
            f"Discord cannot be reached ({error}). Check the network of this machine, then start again.",
            exit_code=EX_UNAVAILABLE,
        ) from error
