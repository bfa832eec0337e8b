"""Logging in to a sandbox that stands for Discord."""

import asyncio
import logging
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import discord
import pytest
from faults.hosted import settings_on
from structlog.testing import capture_logs
from support.sandbox_faults import faults_of
from support.wire import until_met, untouched_discord

from bot.client import FillBot
from bot.connection import session
from bot.connection.session import (
    MAX_BACKOFF_S,
    IdentifyLimiter,
    ShortBackoff,
    check_token,
    connected,
    set_discord_urls,
)
from bot.errors import EX_UNAVAILABLE, StartError
from bot.operations.checks.discord_checks import discord_findings
from bot.sandbox.server import Sandbox
from bot.settings import Settings
from storage.settings import EX_CONFIG


def make_bot() -> FillBot:
    return FillBot(prefix="!", guild_ids=(Sandbox.guild_id,), admin_role_ids=())


async def refused(token: str) -> StartError:
    with pytest.raises(StartError) as caught:
        async with connected(make_bot(), token):
            pass
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        with untouched_discord():
            set_discord_urls(running.api_url, running.gateway_url)
            yield running


class LateServers(discord.Client):
    """Ready at once, with a server that becomes available after some looks."""

    def __init__(self, *, looks: float) -> None:
        super().__init__(intents=discord.Intents.none())
        self.looks = looks

    async def wait_until_ready(self) -> None:
        pass

    @property
    def guilds(self) -> list[discord.Guild]:  # type: ignore[override]  # as many as are needed here
        self.looks -= 1
        return [cast(discord.Guild, SimpleNamespace(unavailable=self.looks > 0))]


@pytest.mark.parametrize("looks", [1, 5])
async def test_the_start_waits_for_servers_that_are_not_there_yet(looks: int) -> None:
    client = LateServers(looks=looks)
    await session._wait_until_ready(client)
    assert client.looks == 0


async def test_an_outage_of_a_server_holds_the_start_up_for_a_short_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "SERVERS_WITHIN_S", 0.05)
    client = LateServers(looks=math.inf)
    await session._wait_until_ready(client)


async def test_the_block_begins_when_the_bot_is_ready_and_ends_disconnected(sandbox: Sandbox) -> None:
    bot = make_bot()
    async with connected(bot, sandbox.bot_token) as connection:
        assert bot.is_ready()
        assert bot.get_guild(sandbox.guild_id) is not None
    assert bot.is_closed()
    assert connection.done()


async def test_slash_commands_that_cannot_be_registered_stop_nothing(sandbox: Sandbox) -> None:
    faults_of(sandbox).fail("PUT", "/commands$", status=403)
    with capture_logs() as logs:
        async with connected(make_bot(), sandbox.bot_token):
            pass
    assert [line["event"] for line in logs] == ["commands.not_synced", "discord.ready"]


@pytest.mark.parametrize("first", ["a first start", "a check"])
async def test_nothing_is_warned_of_before_the_connection(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, first: str, tmp_path: Path
) -> None:
    with caplog.at_level(logging.WARNING, logger="discord"):
        if first == "a check":
            settings = Settings(**settings_on(sandbox, home=tmp_path))
            findings = [one async for one in discord_findings(settings, now=datetime.now(UTC))]
            assert [one.mark for one in findings if one.name == "token"] == ["✓"]
        else:
            await check_token(sandbox.bot_token)
    assert [record.message for record in caplog.records] == []


def test_no_client_warns_of_voice_libraries() -> None:
    """A check imports no more than this of the bot."""
    script = "import bot.connection.session, discord; print(discord.VoiceClient.warn_nacl)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n"


async def test_a_wrong_token_is_said(sandbox: Sandbox) -> None:
    error = await refused("wrong")
    assert str(error).startswith("Discord refused the token.")
    assert "DISCORD_TOKEN" in str(error)
    assert error.exit_code == EX_CONFIG


async def test_without_the_intent_the_client_connects_without_message_content() -> None:
    client = discord.Client(intents=discord.Intents(guilds=True, messages=True, message_content=True))
    async with Sandbox(message_content_allowed=False) as sandbox:
        with untouched_discord(), capture_logs() as logs:
            set_discord_urls(sandbox.api_url, sandbox.gateway_url)
            async with connected(client, sandbox.bot_token):
                assert client.is_ready()
                assert not client.intents.message_content
    assert [one["event"] for one in logs] == ["message_content.missing"]
    assert "Message Content Intent" in logs[0]["fix"]


async def test_a_sharded_client_connects_without_it_too() -> None:
    intents = discord.Intents(guilds=True, messages=True, message_content=True)
    client = discord.AutoShardedClient(intents=intents, shard_count=2)
    async with Sandbox(message_content_allowed=False) as sandbox:
        with untouched_discord():
            set_discord_urls(sandbox.api_url, sandbox.gateway_url)
            async with connected(client, sandbox.bot_token):
                assert not client.intents.message_content


async def test_nobody_answering_is_said(sandbox: Sandbox, unused_tcp_port: int) -> None:
    discord.http.Route.BASE = f"http://127.0.0.1:{unused_tcp_port}/api/v10"
    error = await refused(sandbox.bot_token)
    assert str(error).startswith("Discord cannot be reached (")
    assert error.exit_code == EX_UNAVAILABLE


async def test_a_connection_cut_while_logging_in_is_said(sandbox: Sandbox) -> None:
    faults_of(sandbox).cut("GET", "/users/@me", times=None)
    error = await refused(sandbox.bot_token)
    assert str(error).startswith("Discord cannot be reached (")


async def test_a_gateway_that_closes_for_good_is_said(sandbox: Sandbox) -> None:
    async def drop_soon() -> None:
        while not sandbox.world.online_ids:  # noqa: ASYNC110  before the bot itself knows that it is ready
            await asyncio.sleep(0)
        faults_of(sandbox).drop_gateway(4004)

    dropping = asyncio.create_task(drop_soon())
    error = await refused(sandbox.bot_token)
    await dropping
    assert str(error) == "Discord closed the connection (code 4004)."
    assert error.exit_code == EX_UNAVAILABLE


async def test_a_gateway_that_was_never_reached_is_said(sandbox: Sandbox) -> None:
    """discord.py would resume the session that it never had, and fail over that."""
    set_discord_urls(None, sandbox.url.replace("http", "ws"))  # where no gateway answers
    error = await refused(sandbox.bot_token)
    assert str(error).startswith("Discord cannot be reached (")
    assert error.exit_code == EX_UNAVAILABLE


async def test_being_stopped_while_connecting_leaves_nothing_behind(sandbox: Sandbox) -> None:
    faults_of(sandbox).delay("GET", "/users/@me", delay_s=30)
    bot = make_bot()

    async def run() -> None:
        async with connected(bot, sandbox.bot_token):
            raise AssertionError

    task = asyncio.create_task(run())
    await until_met(sandbox)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert bot.is_closed()


def test_a_new_session_waits_for_its_turn() -> None:
    identifies = IdentifyLimiter()
    assert [identifies.reserve_s(at) for at in (1000.0, 1001.0, 1002.0, 1030.0)] == [0.0, 4.0, 8.0, 0.0]


def test_new_sessions_stay_within_what_discord_takes_in_a_day() -> None:
    identifies, at, count = IdentifyLimiter(), 1000.0, 0
    while at < 1000.0 + 86_400:
        at += identifies.reserve_s(at)
        count += 1
    assert 900 < count < 1000


def test_after_a_long_time_away_the_next_try_is_seconds_later() -> None:
    backoff = ShortBackoff()
    assert max(backoff.delay() for _ in range(200)) == MAX_BACKOFF_S
