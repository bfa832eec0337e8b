"""The connection to Discord, or to a server that looks like it: log in, wait until ready, return, close."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import discord
import discord.client
import discord.gateway
import discord.http
import discord.shard
import yarl
from discord.backoff import ExponentialBackoff

from bot.connection.proxies import redact_proxy_secrets, use_proxy
from bot.errors import EX_UNAVAILABLE, StartError

MAX_WAIT_S = 4.0  # between two tries to come back
IDENTIFY_EVERY_S = 5.0  # by Discord's rules
IDENTIFIES, ONE_MORE_AFTER_S = 100, 100.0  # Discord takes a thousand a day, then it resets the token
# Nothing is spoken here: no word about missing voice libraries, by whichever client comes first.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
AT_REST = discord.Intents(guilds=True)  # no gateway is opened; without this one discord.py warns
UNREACHABLE = (OSError, aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound)


class ShortBackoff(ExponentialBackoff[Any]):
    """Tries again within seconds, however long Discord was away; discord.py itself waits up to 17 minutes.

    Trying costs nothing: an address that does not answer counts no IDENTIFY.
    """

    def delay(self) -> float:  # type: ignore[override]  # it has overloads for whole seconds
        """Seconds until the next try."""
        return min(super().delay(), MAX_WAIT_S)


class IdentifyLimiter:
    """Keeps within what Discord takes: new sessions have a budget that fills up again slowly."""

    def __init__(self) -> None:
        """Start with all of it."""
        self._left, self._counted_at = float(IDENTIFIES), 0.0
        self._free_at: dict[int, float] = {}

    def wait_s(self, now: float, *, bucket: int = 0) -> float:
        """Count one more, at a time of `time.monotonic`. Returns how many seconds to wait before it.

        Sessions of different buckets (of shards) may begin together.
        """
        self._left = min(self._left + (now - self._counted_at) / ONE_MORE_AFTER_S, IDENTIFIES) - 1
        self._counted_at = now
        begin_at = max(now, self._free_at.get(bucket, 0.0), now - self._left * ONE_MORE_AFTER_S)
        self._free_at[bucket] = begin_at + IDENTIFY_EVERY_S
        return begin_at - now


def set_discord_urls(api_url: str | None, gateway_url: str | None) -> None:
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
    discord.client.ExponentialBackoff = ShortBackoff  # type: ignore[attr-defined]  # there is no option
    discord.shard.ExponentialBackoff = ShortBackoff  # type: ignore[attr-defined]
    use_proxy(client)
    connection = asyncio.create_task(client.start(token), name="discord")
    try:
        await _until_ready(client, connection)
        yield connection
    finally:
        await client.close()
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def check_token(token: str) -> None:
    """See that Discord takes the token, before anything that takes long.

    Raises:
        StartError: Discord cannot be reached, or refuses the token.
    """
    async with discord.Client(intents=AT_REST) as client:
        use_proxy(client)
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
