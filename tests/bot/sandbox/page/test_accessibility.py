"""The chat page for those who see little, use no mouse, or have it read aloud."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Page, expect
from support.stage import ZOOMED, Stage, rate, say

pytestmark = [pytest.mark.long, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")

# Contrast by WCAG 2.1: of every text that is seen, against what is behind it.
FAINT_TEXTS = """() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => part * a + below[i] * (1 - a));
  const line = (element) => element ? [element, ...line(element.parentElement)] : [];
  const behind = (element) => line(element).reverse()
    .reduce((below, one) => over(parse(getComputedStyle(one).backgroundColor), below), [255, 255, 255]);
  const light = (colour) => colour.map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, two) => {
    const [dark, bright] = [light(one), light(two)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const words = node.textContent.trim().replace(/[\\p{Extended_Pictographic}\\s]/gu, "");
    if (!words || element.closest(":disabled, .hidden, noscript") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const opacity = line(element).reduce((product, one) => product * getComputedStyle(one).opacity, 1);
    if (style.visibility === "hidden" || opacity === 0) continue;
    const ground = behind(element);
    const [r, g, b, a] = parse(style.color);
    const ratio = contrast(over([r, g, b, a * opacity], ground), ground);
    if (ratio < 4.5) found.push(`${node.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""

NAMELESS_OR_OUT_OF_ORDER = """() => {
  const texts = (ids) => ids.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  const nameOf = (one) => one.getAttribute("aria-label")
    || texts(one.getAttribute("aria-labelledby") ?? "").trim()
    || [...(one.labels ?? [])].map((label) => label.textContent).join("").trim() || one.textContent.trim()
    || one.querySelector("img")?.alt;
  const controls = "button, a, input, textarea, select, dialog[open], "
    + "[role=option], [role=listbox], [role=group]";
  const seen = [...document.querySelectorAll(controls)].filter((one) => one.checkVisibility());
  return [
    ...seen.filter((one) => !nameOf(one)).map((one) => `no name: ${one.outerHTML.slice(0, 120)}`),
    ...[...document.querySelectorAll("[tabindex]")].filter((one) => one.tabIndex > 0)
      .map((one) => one.outerHTML),
  ];
}"""

FOCUS = """() => {
  const one = document.activeElement;
  const shows = (element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
  };
  const frames = [one, one.closest("label"), one.closest(".composer")].filter(Boolean);
  return { what: one.outerHTML.slice(0, 100), isPage: one === document.body, isShown: frames.some(shows) };
}"""


async def expect_legible(page: Page) -> None:
    """Check what is on the page now, in both colour schemes."""
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate(FAINT_TEXTS) == []
    assert await page.evaluate(NAMELESS_OR_OUT_OF_ORDER) == []


async def test_every_text_stands_out_and_every_control_has_a_name(stage: Stage) -> None:
    page = await stage.open(reduced_motion="reduce")
    await expect_legible(page)  # an empty channel
    await say(
        page, "**bold** `code` [link](https://example.org) ||spoiler|| @ada #reports\n> quote\n-# small"
    )
    for text in ("!thread", "!chart", "!album", "!picture", "!progress"):
        await say(page, text)
    await expect(page.locator(".edited")).to_be_visible()
    await rate(page)
    await page.get_by_role("button", name="👍 Words that fit").click()
    await page.keyboard.press("Space")
    await expect_legible(page)  # a menu
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.private")).to_be_visible()
    await page.locator(".message.private").hover()
    await expect_legible(page)  # an answer for one person
    await page.get_by_role("button", name="Suggest a word").click()
    await expect(page.get_by_label("Your word")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Please fill this in.")).to_be_visible()
    await expect_legible(page)  # a form with a complaint
    await page.keyboard.press("Escape")
    await page.locator("#box").press_sequentially("/fill version: ")
    await expect(page.get_by_role("option", name="v0001")).to_be_visible()
    await expect_legible(page)  # suggestions
    await page.locator("#box").fill("a" * 2001)
    await page.locator("#box").press("Enter")
    await expect(page.locator(".toast")).to_be_visible()
    await expect_legible(page)  # a complaint
    await page.locator("#box").fill("")
    await page.locator("#box").press("ArrowUp")
    await expect(page.locator(".editor")).to_be_visible()
    await expect_legible(page)  # a message that is edited


async def test_the_focus_is_seen_wherever_tab_leads(stage: Stage) -> None:
    page = await stage.open(reduced_motion="reduce")
    await rate(page)
    stops = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            stops.append(await page.evaluate(FOCUS))
    reached = [stop for stop in stops if not stop["isPage"]]
    assert [stop["what"] for stop in reached if not stop["isShown"]] == []
    assert len({stop["what"] for stop in reached}) > 15


async def test_tab_stays_in_a_menu_and_escape_leads_back(stage: Stage) -> None:
    page = await stage.open()
    await rate(page)
    menu = page.get_by_role("button", name="👍 Words that fit")
    await menu.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Done")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("listbox")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_be_focused()


async def test_a_message_is_read_aloud_once_and_an_edit_or_a_reaction_is_not(stage: Stage) -> None:
    page = await stage.open()
    stage.bot.may_finish.clear()
    await say(page, "!progress")
    await expect(page.locator("#announcer p")).to_have_text("fillbot: Training: 10 %")
    stage.bot.may_finish.set()
    await expect(page.locator(".edited")).to_be_visible()
    await rate(page)
    await expect(page.locator("#announcer p")).to_have_text(
        ["fillbot: Training: 10 %", "fillbot: Nike shoes are very comfortable.. 1. comfortable 2. popular"]
    )
    live = await page.evaluate("[...document.querySelectorAll('[aria-live]')].map((one) => one.id)")
    assert live == ["announcer"]


async def test_at_200_percent_nothing_is_cut_and_the_channels_stay_in_reach(stage: Stage) -> None:
    page = await stage.open(viewport=ZOOMED)
    await rate(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == ZOOMED["width"]
    await page.get_by_role("button", name="Channels and people").press("Enter")
    assert await page.locator("#main").evaluate("main => main.inert")
    await expect(page.locator(".channel[aria-current]")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Channels and people")).to_be_focused()
    await page.get_by_role("button", name="Suggest a word").click()
    await expect(page.get_by_role("button", name="Submit")).to_be_in_viewport()


async def test_nothing_moves_for_those_who_asked_for_it(stage: Stage) -> None:
    page = await stage.open(reduced_motion="reduce")
    stage.bot.may_finish.clear()
    await say(page, "!slowly")
    await expect(page.locator("#typing")).to_have_text("fillbot is typing…")
    assert await page.evaluate("document.getAnimations().length") == 0
    stage.bot.may_finish.set()
