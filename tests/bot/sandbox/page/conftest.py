"""A sandbox with a talkative bot in it, and one Chromium that shows its page to all tests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import discord
import pytest
import pytest_asyncio
import yarl
from playwright.async_api import Browser, async_playwright
from support.stage import Stage
from support.talker import Talker

from bot.sandbox.server import Sandbox

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """The problems that a browser tells of fail the test, in whichever way it ends."""
    async with Sandbox(port=0, interaction_timeout_s=1.5) as sandbox, Talker() as bot:
        monkeypatch.setattr(discord.http.Route, "BASE", sandbox.api_url)
        monkeypatch.setattr(
            discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url)
        )
        await bot.login(sandbox.bot_token)
        connection = asyncio.create_task(bot.connect())
        stage = Stage(sandbox, bot, browser)
        try:
            await asyncio.wait_for(bot.wait_until_ready(), 20)
            yield stage
        finally:
            for context in browser.contexts:
                await context.close()
            await bot.close()
            await asyncio.gather(connection, return_exceptions=True)
    assert stage.problems == []
