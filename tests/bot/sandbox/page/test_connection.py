"""The chat page when its connection drops."""

from __future__ import annotations

import re
from typing import Any, cast

import discord
import pytest
import yarl
from playwright.async_api import Browser, WebSocketRoute, expect
from support.stage import DESKTOP, Stage, say

from bot.sandbox.server import Sandbox

pytestmark = [pytest.mark.long, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_the_page_comes_back_after_its_connection_drops(stage: Stage) -> None:
    context = await stage.browser.new_context(viewport=cast("Any", DESKTOP))
    page = await context.new_page()
    page.on("pageerror", lambda error: stage.problems.append(str(error)))
    lines: list[WebSocketRoute] = []
    is_cut = False

    async def answer(line: WebSocketRoute) -> None:
        if is_cut:
            await line.close(code=4000)
            return
        lines.append(line)
        line.connect_to_server()

    await page.route_web_socket(re.compile("/gateway"), answer)
    await page.goto(f"{stage.sandbox.url}/#ada/support")
    await expect(page.locator("#presence")).to_have_text("fillbot is online")
    is_cut = True
    await lines[0].close(code=4000)
    await expect(page.locator("#banner")).to_have_text("Connection lost. Trying again…")
    channel = discord.utils.get(stage.bot.get_all_channels(), name="support")
    assert isinstance(channel, discord.TextChannel)
    await channel.send("said in between")
    is_cut = False
    await expect(page.locator("#log").get_by_text("said in between")).to_be_visible(timeout=15_000)
    await expect(page.locator("#banner")).to_be_hidden()
    await say(page, "back again")
    await expect(page.get_by_text("back again")).to_be_visible()


async def test_after_a_server_restart_all_is_read_again_and_the_draft_kept(browser: Browser) -> None:
    page = await browser.new_page()
    async with Sandbox(port=0) as before:
        await page.goto(f"{before.url}/#ben/support")
        await expect(page.locator("#presence")).to_have_text("fillbot is offline")
        await say(page, "said before")
        await expect(page.locator(".message")).to_have_count(1)
        await page.locator("#box").fill("half a thought")
        port = yarl.URL(before.url).port
    await expect(page.locator("#banner")).to_have_text("Connection lost. Trying again…")
    async with Sandbox(port=port or 0):
        await expect(page.locator("#banner")).to_be_hidden(timeout=15_000)
        await expect(page.locator(".message")).to_have_count(0)
        await expect(page.locator("#box")).to_have_value("half a thought")
        await say(page, "said after")
        await expect(page.locator(".message")).to_have_count(1)
        await page.context.close()
