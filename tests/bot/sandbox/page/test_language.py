"""The page in another language than English."""

import pytest
from playwright.async_api import Browser, expect

from bot.sandbox.server import Sandbox
from bot.texts import texts_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
GERMAN = texts_of("de")["page"]


async def test_a_german_page_shows_nothing_in_english(browser: Browser) -> None:
    async with Sandbox(language="de", page_texts=GERMAN) as sandbox:
        context = await browser.new_context(locale="en-US")
        page = await context.new_page()
        await page.goto(f"{sandbox.url}/#ada/support")
        await expect(page.locator("#presence")).to_have_text("fillbot ist offline")
        await page.locator("#box").fill("/")
        await expect(page.locator(".start")).to_contain_text("Zum Ausprobieren:")
        labels = await page.locator("[aria-label]").evaluate_all("all => all.map(one => one.ariaLabel)")
        shown = {*(await page.locator("body").inner_text()).splitlines(), *labels}
        assert await page.locator("html").get_attribute("lang") == "de"
        assert shown & {english for english, german in GERMAN.items() if english != german} == set()
        assert {"Kanäle", "Nachricht senden"} <= shown
        await context.close()
