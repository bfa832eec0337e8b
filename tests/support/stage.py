"""The chat page of the sandbox, opened in a browser as one of the people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect
from support.talker import Talker

from bot.sandbox.server import Sandbox

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
ZOOMED = {"width": 640, "height": 400}  # what a window of 1280 by 800 has left at 200 %


@dataclass
class Stage:
    """A sandbox, the bot in it, and a browser; `problems` must stay empty."""

    sandbox: Sandbox
    bot: Talker
    browser: Browser
    problems: list[str] = field(default_factory=list)

    async def open(
        self,
        person: str = "ada",
        *,
        channel: str = "support",
        viewport: dict[str, int] = DESKTOP,
        **options: Any,
    ) -> Page:
        """Open the page as a person, in a browser profile of its own, and wait until it is connected."""
        context = await self.browser.new_context(viewport=cast("Any", viewport), **options)
        page = await context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._watch)
        await page.goto(f"{self.sandbox.url}/#{person}/{channel}")
        await expect(page.locator("#presence")).to_have_text("fillbot is online")
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.sandbox.url, "data:")):
            self.problems.append(f"request: {request.url}")


async def say(page: Page, text: str) -> None:
    """Type a message and send it with Enter."""
    box = page.locator("#box")
    await box.fill(text)
    await box.press("Enter")


async def rate(page: Page) -> None:
    """Ask for a prediction and wait until its rating menus are there."""
    await say(page, "!fill Nike shoes are very [MASK]")
    await expect(page.locator('.reaction[data-emoji="👍"]')).to_be_visible()


async def until(is_so: Any, what: str) -> None:
    """Wait until something holds in this process."""
    for _ in range(200):
        if is_so():
            return
        await asyncio.sleep(0.05)  # polled: what is waited for has no event
    pytest.fail(f"waited in vain for: {what}")
