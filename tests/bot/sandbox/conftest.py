"""A running sandbox, people in it, and the real discord.py client pointed at it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import discord
import pytest
import yarl
from discord.ext import commands
from support.people import Person

from bot.sandbox.server import Sandbox

INTENTS = discord.Intents(guilds=True, messages=True, message_content=True, reactions=True, typing=True)


class RecordingBot(commands.Bot):
    """The real client; `heard` holds the names and arguments of the events it dispatches."""

    def __init__(self, *, intents: discord.Intents = INTENTS) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self._news = asyncio.Event()
        super().__init__("!", intents=intents, guild_ready_timeout=0.05, max_ratelimit_timeout=30.0)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once; the real one waits five seconds."""

    def dispatch(self, event_name: str, /, *args: Any, **kwargs: Any) -> None:
        self.heard.append((event_name, args))
        self._news.set()
        super().dispatch(event_name, *args, **kwargs)

    def count(self, name: str) -> int:
        """Return how often an event has come."""
        return sum(heard == name for heard, _ in self.heard)

    async def until(self, name: str, *, times: int = 1, timeout_s: float = 20.0) -> Any:
        """Wait until an event has come so many times; return the first argument of that one."""
        async with asyncio.timeout(timeout_s):
            while self.count(name) < times:
                self._news.clear()
                await self._news.wait()
        args = [args for heard, args in self.heard if heard == name][times - 1]
        return args[0] if args else None


@pytest.fixture
def make_bot() -> type[RecordingBot]:
    return RecordingBot


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(interaction_timeout_s=0.5) as running:
        yield running


@pytest.fixture
def point_discord() -> Iterator[Callable[[Sandbox], None]]:
    """Point discord.py at a sandbox, and back at Discord afterwards."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    before = route.BASE, socket.DEFAULT_GATEWAY

    def point(sandbox: Sandbox) -> None:
        route.BASE, socket.DEFAULT_GATEWAY = sandbox.api_url, yarl.URL(sandbox.gateway_url)

    yield point
    route.BASE, socket.DEFAULT_GATEWAY = before


@pytest.fixture
async def start(
    sandbox: Sandbox, point_discord: Callable[[Sandbox], None]
) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Start clients against the sandbox and close them afterwards; raise what ends one before it is ready."""
    point_discord(sandbox)
    running: list[tuple[RecordingBot, asyncio.Task[None]]] = []

    async def start_bot(bot: RecordingBot, *, token: str | None = None) -> None:
        task = asyncio.create_task(bot.start(token or sandbox.bot_token))
        running.append((bot, task))
        ready = asyncio.create_task(bot.until("ready"))
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            ready.cancel()
            await task
        await ready

    yield start_bot
    for bot, task in running:
        await bot.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException):
            await task


@pytest.fixture
async def ada(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with Person(sandbox.url, "ada") as person:
        yield person


@pytest.fixture
async def ben(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with Person(sandbox.url, "ben") as person:
        yield person
