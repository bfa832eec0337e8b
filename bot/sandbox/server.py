"""The sandbox: a Discord-compatible server on 127.0.0.1 with a chat page, all in memory."""

import errno
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.sandbox.errors import NameTakenError, PortInUseError
from bot.sandbox.faults import Faults
from bot.sandbox.gateway.server import Gateway
from bot.sandbox.gateway.sharding import IdentifyLimit
from bot.sandbox.messages.threads import change_members, change_thread, open_thread
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
from bot.sandbox.rest.middlewares import guard, inject_faults, refusals
from bot.sandbox.world import seed
from bot.sandbox.world.channels import change_overwrite, created, delete_channel
from bot.sandbox.world.objects import guild_json
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import Channel, ChannelKind, Event, Guild, Json, Overwrite, User, World

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
    middlewares: ClassVar[tuple[Middleware, ...]] = ()  # around all others; tests set it to record traffic

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
        self._gateway = Gateway(
            self.world,
            message_content_allowed=message_content_allowed,
            heartbeat_interval_ms=heartbeat_interval_ms,
            identify_limit=IdentifyLimit(max_concurrency=max_concurrency, every_s=identify_every_s),
        )
        self.rate_limits = RateLimits(limits)
        around_all = (guard, self.rate_limits.middleware, refusals, inject_faults)
        app = web.Application(middlewares=[*self.middlewares, *around_all], client_max_size=MAX_BODY_BYTES)
        app[WORLD], app[GATEWAY] = self.world, self._gateway
        app[interactions.TIMEOUT_S] = interaction_timeout_s
        for module in ROUTES_OF:
            app.add_routes(module.routes)
        app[files.PAGE_TEXTS] = {"language": language, "texts": dict(page_texts or {})}
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    @property
    def faults(self) -> Faults:
        """The faults that tests can inject."""
        return self._gateway.faults

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

    def add_person(self, name: str, *, guild_id: int | None = None, is_bot: bool = False) -> User:
        """Add a person or bot, optionally as a member of a guild; no event is sent.

        Raises:
            NameTakenError: The name, which is a person's token, is taken.
        """
        if any(user.name == name for user in self.world.users.values()):
            raise NameTakenError(name)
        user = User(self.world.new_id(), name, is_bot)
        self.world.users[user.id] = user
        if guild_id is not None:
            seed.join(self.world, guild_id, user.id)
        return user

    def add_guild(self, name: str, *, member_ids: Iterable[int], guild_id: int | None = None) -> Guild:
        """Add a guild without channels, owned by its first member, and announce it to its members.

        `guild_id` determines its shard.
        """
        ids = tuple(member_ids)
        guild = seed.create_guild(self.world, guild_id or self.world.new_id(), name=name, owner_id=ids[0])
        for user_id in ids:
            seed.join(self.world, guild.id, user_id)

        def seen_by(user_id: int) -> Json:
            body = guild_json(self.world, guild, user_id)
            del body["unavailable"]  # with it, discord.py takes the guild for one that is available again
            return body

        self._gateway.dispatch(Event.for_each("GUILD_CREATE", ids, seen_by))
        return guild

    def add_channel(
        self,
        name: str,
        *,
        guild_id: int = seed.GUILD_ID,
        kind: ChannelKind = ChannelKind.TEXT,
        only_for: Iterable[int] | None = None,
    ) -> Channel:
        """Add a channel for a whole guild or for some members, and announce it to them."""
        overwrites: tuple[Overwrite, ...] = ()
        if only_for is not None:
            view = int(Permission.VIEW_CHANNEL)
            hidden = Overwrite(guild_id, is_member=False, allow=0, deny=view)
            overwrites = (hidden, *(Overwrite(one, is_member=True, allow=view, deny=0) for one in only_for))
        position = len(self.world.channels_of(guild_id))
        channel = Channel(self.world.new_id(), kind, name, guild_id, position, overwrites=overwrites)
        self.world.channels[channel.id] = channel
        self._gateway.dispatch(created(self.world, channel))
        return channel

    def allow(self, channel_id: int, target_id: int, permissions: int) -> None:
        """Allow a role or a member permissions in a channel; a guild's id means all its members."""
        channel = self.world.find_channel(channel_id)
        self._gateway.dispatch(change_overwrite(self.world, channel, target_id, allow=permissions))

    def deny(self, channel_id: int, target_id: int, permissions: int) -> None:
        """Deny a role or a member permissions in a channel; a guild's id means all its members."""
        channel = self.world.find_channel(channel_id)
        self._gateway.dispatch(change_overwrite(self.world, channel, target_id, deny=permissions))

    def delete_channel(self, channel_id: int) -> None:
        """Delete a channel with its threads, or a thread."""
        self._gateway.dispatch(delete_channel(self.world, self.world.find_channel(channel_id)))

    def add_thread(
        self,
        name: str,
        *,
        parent_id: int = seed.SUPPORT_CHANNEL_ID,
        kind: ChannelKind | None = None,
        member_ids: Iterable[int] = (),
    ) -> Channel:
        """Open a thread as the guild's owner; `member_ids` join it. A private one is visible only to them."""
        parent = self.world.find_channel(parent_id)
        owner_id = self.world.guilds[parent.guild_id or 0].owner_id
        thread, events = open_thread(
            self.world, parent, name=name, owner_id=owner_id, kind=kind, member_ids=member_ids
        )
        self._gateway.dispatch(events)
        return thread

    def archive_thread(self, thread_id: int, *, is_locked: bool = False) -> None:
        """Archive a thread; only those who manage threads can reopen a locked one."""
        thread = self.world.find_channel(thread_id)
        self._gateway.dispatch(change_thread(self.world, thread, is_archived=True, is_locked=is_locked)[1])

    def reopen_thread(self, thread_id: int) -> None:
        """Unarchive and unlock a thread."""
        thread = self.world.find_channel(thread_id)
        self._gateway.dispatch(change_thread(self.world, thread, is_archived=False, is_locked=False)[1])

    def change_thread_members(
        self, thread_id: int, *, added: Iterable[int] = (), removed: Iterable[int] = ()
    ) -> None:
        """Add people to a thread, or remove them."""
        thread = self.world.find_channel(thread_id)
        self._gateway.dispatch(change_members(self.world, thread, added=added, removed=removed))

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
        await self._gateway.close()
        await self._runner.cleanup()
