"""The sandbox: a Discord-compatible server on 127.0.0.1 with a chat page, all in memory."""

import errno
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.sandbox.errors import PortInUseError
from bot.sandbox.gateway.server import Gateway
from bot.sandbox.gateway.sharding import IdentifyLimit
from bot.sandbox.rate_limits import Limits, RateLimits
from bot.sandbox.rest import (
    channels,
    commands,
    files,
    guilds,
    interactions,
    messages,
    reactions,
    threads,
    webhooks,
)
from bot.sandbox.rest.api import GATEWAY, PREFIX, WORLD
from bot.sandbox.rest.middlewares import guard, refusals
from bot.sandbox.world import seed
from bot.sandbox.world.state import User, World

LOOPBACK = "127.0.0.1"
ROUTES_OF = (messages, reactions, channels, threads, guilds, commands, interactions, webhooks, files)
MAX_BODY_BYTES = 32 * 1024 * 1024


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Sandbox:
    """The server, as an async context manager that can be entered once.

    Args:
        port: Where to listen on 127.0.0.1; 0 picks a free port.
        bot_token: The bot's token; random by default.
        message_content_allowed: Whether the bot may request message content; otherwise close code 4014.
        interaction_timeout_s: How long the bot has to answer an interaction.
        heartbeat_interval_ms: The interval in HELLO.
        now: The clock, for ids and timestamps.
        max_concurrency: How many shards may identify concurrently.
        identify_every_s: Seconds between IDENTIFYs of a bucket; Discord requires 5.
        limits: Rate limits of the bot's requests; `Limits()` are Discord's, None switches them off.
        language: The language of the page.
        page_texts: The page's texts in that language, by the English ones.
    """

    guild_id = seed.GUILD_ID
    channel_id = seed.SUPPORT_CHANNEL_ID
    reports_channel_id = seed.REPORTS_CHANNEL_ID
    admin_role_id = seed.ADMIN_ROLE_ID
    bot_user_id = seed.BOT_USER_ID
    application_id = seed.BOT_USER_ID
    owner_id = seed.OWNER_ID
    # Around all others, and next to the routes; tests set them to record traffic and to inject faults.
    middlewares: ClassVar[tuple[Middleware, ...]] = ()
    inner_middlewares: ClassVar[tuple[Middleware, ...]] = ()

    def __init__(
        self,
        *,
        port: int = 0,
        bot_token: str | None = None,
        message_content_allowed: bool = True,
        interaction_timeout_s: float = 3.0,
        heartbeat_interval_ms: int = 41_250,
        now: Callable[[], datetime] = utc_now,
        max_concurrency: int = 1,
        identify_every_s: float = 0.0,
        limits: Limits | None = None,
        language: str = "en",
        page_texts: Mapping[str, str] | None = None,
    ) -> None:
        self._port = port
        self.bot_token = bot_token or secrets.token_urlsafe(32)
        self.world: World = seed.seed_world(now, self.bot_token)
        self.gateway = Gateway(
            self.world,
            message_content_allowed=message_content_allowed,
            heartbeat_interval_ms=heartbeat_interval_ms,
            identify_limit=IdentifyLimit(max_concurrency=max_concurrency, every_s=identify_every_s),
        )
        self.rate_limits = RateLimits(limits)
        own = (guard, self.rate_limits.middleware, refusals)
        middlewares = [*self.middlewares, *own, *self.inner_middlewares]
        app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
        app[WORLD], app[GATEWAY] = self.world, self.gateway
        app[interactions.TIMEOUT_S] = interaction_timeout_s
        for module in ROUTES_OF:
            app.add_routes(module.routes)
        app[files.PAGE_TEXTS] = {"language": language, "texts": dict(page_texts or {})}
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        """The URL of the page, without a trailing slash; empty before the start."""
        return self.world.url

    @property
    def api_url(self) -> str:
        """The URL of the REST API."""
        return f"{self.url}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway."""
        return self.world.gateway_url

    @property
    def people(self) -> dict[str, User]:
        """The people by name, including the owner; a person's token is their name."""
        return {user.name: user for user in self.world.users.values() if not user.is_bot}

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            PortInUseError: Another program has the port.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self._port)
        try:
            await site.start()
        except OSError as failed:
            await self._runner.cleanup()
            if failed.errno == errno.EADDRINUSE:
                raise PortInUseError(self._port) from failed
            raise
        port = self._runner.addresses[0][1]
        self.world.url = f"http://{LOOPBACK}:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every socket and stop listening."""
        await self.gateway.close()
        await self._runner.cleanup()
