"""Connects discord.py to Discord or the sandbox: login, ready, reconnect, close."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import discord
import discord.client
import discord.gateway
import discord.http
import discord.shard
import structlog
import yarl
from discord.backoff import ExponentialBackoff

from bot.connection.proxies import redact_proxy_secrets, use_proxy
from bot.errors import EX_UNAVAILABLE, StartError

log = structlog.stdlib.get_logger(__name__)
MAX_BACKOFF_S = 4.0
# discord.py is ready when no server has come for READY_AFTER_S (bot/client.py); an outage may hold one back.
SERVERS_WITHIN_S, LOOK_EVERY_S = 0.5, 0.01
IDENTIFY_EVERY_S = 5.0  # Discord's limit
# 100 and one more every 100 s make 964 a day. At 1000 a day, Discord resets the token.
MAX_IDENTIFIES, REFILL_AFTER_S = 100, 100.0
# The bot uses no voice: silence the warnings about missing voice libraries.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
# For a client that opens no gateway. discord.py warns without `guilds`.
MINIMAL_INTENTS = discord.Intents(guilds=True)
UNREACHABLE = (OSError, aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound)


class ShortBackoff(ExponentialBackoff[Any]):
    """Reconnect within seconds; discord.py's own backoff grows to 17 minutes.

    Retrying is free: an attempt without a connection uses up no IDENTIFY.
    """

    def delay(self) -> float:  # type: ignore[override]  # it has overloads for whole seconds
        """Return the seconds until the next attempt."""
        return min(super().delay(), MAX_BACKOFF_S)


class IdentifyLimiter:
    """Limits IDENTIFYs to Discord's rate: a budget that refills slowly, and a pause between two."""

    def __init__(self) -> None:
        self._left, self._counted_at = float(MAX_IDENTIFIES), 0.0
        self._free_at: dict[int, float] = {}

    def reserve_s(self, now: float, *, bucket: int = 0) -> float:
        """Reserve one IDENTIFY at time `now` of `time.monotonic`; return how many seconds to wait before it.

        Shards of different buckets may identify at the same time.
        """
        self._left = min(self._left + (now - self._counted_at) / REFILL_AFTER_S, MAX_IDENTIFIES) - 1
        self._counted_at = now
        begin_at = max(now, self._free_at.get(bucket, 0.0), now - self._left * REFILL_AFTER_S)
        self._free_at[bucket] = begin_at + IDENTIFY_EVERY_S
        return begin_at - now


def set_discord_urls(api_url: str | None, gateway_url: str | None) -> None:
    """Point discord.py at another server. Process-global: call it once, before `connected`."""
    if api_url is not None:
        discord.http.Route.BASE = api_url.rstrip("/")
    if gateway_url is not None:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


@contextlib.asynccontextmanager
async def connected(client: discord.Client, token: str) -> AsyncIterator["asyncio.Task[None]"]:
    """Yield the task that holds the connection once the client is ready; close both after the block.

    Where Discord does not grant the Message Content intent, the client connects without it.

    Raises:
        StartError: Discord cannot be reached, or rejects the token or another intent.
    """
    discord.client.ExponentialBackoff = ShortBackoff  # type: ignore[attr-defined]  # discord.py has no option for it
    discord.shard.ExponentialBackoff = ShortBackoff  # type: ignore[attr-defined]
    use_proxy(client)
    connection = asyncio.create_task(_start(client, token), name="discord")
    try:
        await _until_ready(client, connection)
        yield connection
    finally:
        await client.close()
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def check_token(token: str) -> None:
    """Validate the token before the slow part of the start.

    Raises:
        StartError: Discord cannot be reached, or rejects the token.
    """
    async with discord.Client(intents=MINIMAL_INTENTS) as client:
        use_proxy(client)
        with _start_errors():
            await client.login(token)


def has_message_content(client: discord.Client) -> bool:
    """Whether the Message Content intent is switched on for the application; the client is logged in."""
    flags = client.application_flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def _start(client: discord.Client, token: str) -> None:
    """Log in and hold the connection, without message content if that intent is not granted."""
    await client.login(token)
    # After close code 4014 a sharded client has closed itself and cannot connect again.
    if isinstance(client, discord.AutoShardedClient) and not has_message_content(client):
        _drop_message_content(client)
    try:
        await client.connect()
    except discord.PrivilegedIntentsRequired:
        if client.is_closed() or not client.intents.message_content:
            raise
        _drop_message_content(client)
        await client.connect()


def _drop_message_content(client: discord.Client) -> None:
    """Request no message content from now on, and log what that changes."""
    client._connection._intents.message_content = False  # discord.py takes intents only when it is built
    log.warning(
        "message_content.missing",
        works="slash commands, message commands, mentions, replies with a mention, direct messages",
        fix="Switch it on in the developer portal (Bot → Privileged Gateway Intents → Message Content "
        "Intent), then restart.",
    )


async def _until_ready(client: discord.Client, connection: "asyncio.Task[None]") -> None:
    ready = asyncio.create_task(_wait_until_ready(client), name="ready")
    try:
        await asyncio.wait((connection, ready), return_when=asyncio.FIRST_COMPLETED)
        if connection.done():
            with _start_errors():
                connection.result()
            raise StartError("Discord closed the connection.", exit_code=EX_UNAVAILABLE)
    finally:
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)


async def _wait_until_ready(client: discord.Client) -> None:
    """Wait until the client is ready and, for a short time, until it knows all of its servers."""
    await client.wait_until_ready()
    ends_at = time.monotonic() + SERVERS_WITHIN_S
    while time.monotonic() < ends_at:
        if not any(guild.unavailable for guild in client.guilds):
            return
        await asyncio.sleep(LOOK_EVERY_S)  # discord.py has no event for a server that was there before


@contextlib.contextmanager
def _start_errors() -> Iterator[None]:
    """Translate connection errors into a `StartError` with a sentence for the operator."""
    try:
        yield
    except discord.LoginFailure as error:
        raise StartError(
            "Discord refused the token. Copy a new one from the developer portal (Bot → Reset Token) to "
            "DISCORD_TOKEN."
        ) from error
    except discord.PrivilegedIntentsRequired as error:
        raise StartError(
            "Discord refused an intent. Switch Message Content on in the developer portal (Bot → "
            "Privileged Gateway Intents → Message Content Intent), then start again."
        ) from error
    except discord.ConnectionClosed as error:
        raise StartError(
            f"Discord closed the connection (code {error.code}).", exit_code=EX_UNAVAILABLE
        ) from error
    except UNREACHABLE as error:
        raise _unreachable(error) from error
    except AttributeError as error:
        # discord.py 2.7.1 resumes after any failure, also of the first session, which it has not got yet.
        cause = error.__context__
        if not isinstance(cause, UNREACHABLE):
            raise
        raise _unreachable(cause) from cause


def _unreachable(error: BaseException) -> StartError:
    reason = redact_proxy_secrets(str(error) or type(error).__name__)
    return StartError(
        f"Discord cannot be reached ({reason}). Check the network of this machine, then start again.",
        exit_code=EX_UNAVAILABLE,
    )
