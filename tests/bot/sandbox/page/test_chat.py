"""Reading and writing in the chat page, in a real Chromium with the real discord.py client behind it."""

from __future__ import annotations

import asyncio
import re

import discord
import pytest
from playwright.async_api import WebSocketRoute, expect
from support.stage import PHONE, Stage, say, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_an_empty_channel_offers_examples_that_go_into_the_box(stage: Stage) -> None:
    page = await stage.open()
    await expect(page.get_by_role("heading", name="Welcome to #support")).to_be_visible()
    await page.get_by_role("button", name="Nike shoes are very [MASK]", exact=True).click()
    await expect(page.locator("#box")).to_have_value("Nike shoes are very [MASK]")
    await expect(page.locator("#box")).to_be_focused()


async def test_where_a_sentence_needs_a_command_the_examples_have_it(stage: Stage) -> None:
    page = await stage.open(channel="reports")
    await page.get_by_role("button", name="Examples").click()
    await expect(page.get_by_role("group", name="Examples").get_by_role("button").first).to_have_text(
        "!fill Nike shoes are very [MASK]"
    )


async def test_the_examples_stay_within_reach_after_the_first_message(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "hello")
    await expect(page.locator(".message")).to_have_count(1)
    await expect(page.locator(".start").get_by_role("button", name="!help")).to_be_visible()
    await page.get_by_role("button", name="Examples").click()
    await page.get_by_role("group", name="Examples").get_by_role("button", name="!help").click()
    await expect(page.locator("#box")).to_have_value("!help")
    await expect(page.locator("#box")).to_be_focused()
    await expect(page.locator(".popup")).to_have_count(0)


async def test_a_typed_message_and_the_reply_with_its_embed_appear(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    mine, reply = page.locator(".message").nth(0), page.locator(".message").nth(1)
    await expect(mine.locator(".text")).to_have_text("!fill Nike shoes are very [MASK]")
    await expect(mine.locator(".byline")).to_contain_text("AdaADMIN")
    await expect(reply.locator(".byline")).to_contain_text("fillbotBOT")
    await expect(reply.locator(".reference")).to_contain_text("!fill Nike shoes are very [MASK]")
    await expect(reply.locator(".embed-title strong")).to_have_text("comfortable")
    await expect(reply.locator(".field.inline")).to_have_text("Modelv0001")
    await expect(reply.locator(".embed")).to_have_css("border-inline-start-color", "rgb(59, 194, 116)")
    await expect(page.locator("#box")).to_have_value("")


async def test_inline_fields_share_the_width_of_their_row(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!chart")
    fields = page.locator(".field.inline")
    await expect(fields).to_have_count(5)  # three in the first row, two in the second
    widths = [box["width"] for one in await fields.all() if (box := await one.bounding_box())]
    assert widths[:3] == pytest.approx([widths[0]] * 3, abs=1)
    assert widths[3:] == pytest.approx([widths[0] * 1.5] * 2, abs=8)  # the gaps are 8 pixels wide


async def test_an_edit_shows_at_once_and_is_marked(stage: Stage) -> None:
    page = await stage.open()
    stage.bot.may_finish.clear()
    await say(page, "!progress")
    progress = page.locator(".message").nth(1)
    await expect(progress.locator(".text")).to_contain_text("Training: 10 %")
    stage.bot.may_finish.set()
    await expect(progress.locator(".text")).to_have_text("Training: done (edited)")


async def test_a_deleted_message_disappears_for_everyone(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben")
    await say(page, "oops")
    await expect(other.locator(".message")).to_have_count(1)
    await page.locator(".message").hover()
    await page.get_by_role("button", name="Delete your message").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(other.locator(".message")).to_have_count(0)
    await expect(other.get_by_role("button", name="!help")).to_be_visible()


async def test_switching_the_person_changes_who_speaks_and_is_remembered(stage: Stage) -> None:
    page = await stage.open("ada")
    await say(page, "from ada")
    await page.get_by_text("Ben", exact=True).click()
    await expect(page.locator("#box")).to_have_attribute("placeholder", "Message #support as Ben")
    await expect(page.locator(".message")).to_have_count(1)
    await say(page, "from ben")
    await expect(page.locator(".message").nth(1).locator(".name")).to_have_text("Ben")
    await page.reload()
    await expect(page.get_by_role("radio", name="Ben")).to_be_checked()


async def test_two_tabs_can_be_two_people(stage: Stage) -> None:
    page = await stage.open("ada")
    other = await page.context.new_page()
    await other.goto(f"{stage.sandbox.url}/#cleo/support")
    await expect(other.get_by_role("radio", name="Cleo")).to_be_checked()
    await expect(other.locator("#presence")).to_have_text("fillbot is online")
    await say(other, "from cleo")
    await expect(page.locator(".message .name")).to_have_text("Cleo")
    await expect(page.get_by_role("radio", name="Ada")).to_be_checked()


async def test_what_is_typed_before_the_page_is_connected_stays_in_the_box(stage: Stage) -> None:
    page = await stage.open()
    held: asyncio.Queue[WebSocketRoute] = asyncio.Queue()
    await page.route_web_socket("**/gateway*", lambda route: held.put_nowait(route))
    await page.reload()
    await say(page, "too early")
    await expect(page.locator("#toasts")).to_contain_text("Not connected yet")
    (await held.get()).connect_to_server()
    await expect(page.locator("#presence")).to_have_text("fillbot is online")
    await expect(page.locator("#box")).to_have_value("too early")
    await page.locator("#box").press("Enter")
    await expect(page.locator(".message .text")).to_have_text("too early")


async def test_typing_is_shown_while_the_bot_works(stage: Stage) -> None:
    page = await stage.open()
    stage.bot.may_finish.clear()
    await say(page, "!slowly")
    await expect(page.locator("#typing")).to_have_text("fillbot is typing…")
    stage.bot.may_finish.set()
    await expect(page.locator(".message")).to_have_count(2)
    await expect(page.locator("#typing")).to_be_empty()


async def test_markdown_is_rendered_and_markup_stays_text(stage: Stage) -> None:
    page = await stage.open()
    lines = [
        "**bold** *italic* _too_ __under__ ~~gone~~ `code **raw**` \\*plain\\* snake_case_word",
        "> quoted",
        "```py\nprint('<b>')\n```",
        "<img src=x onerror=alert(1)> [here](https://example.org/a) [there](javascript:alert(1))",
    ]
    await say(page, "\n".join(lines))
    text = page.locator(".message .text")
    for tag, words in {
        "strong": "bold",
        "u": "under",
        "s": "gone",
        "blockquote": "quoted",
        "pre": "print('<b>')",
        "a": "here",
    }.items():
        await expect(text.locator(tag)).to_have_text(words)
    await expect(text.locator("em")).to_have_text(["italic", "too"])
    await expect(text.locator("code").first).to_have_text("code **raw**")
    await expect(text).to_contain_text("*plain* snake_case_word")
    await expect(text).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(text).to_contain_text("[there](javascript:alert(1))")
    assert await text.locator("img").count() == 0
    assert await text.locator("a").get_attribute("href") == "https://example.org/a"


async def test_scrolling_up_loads_older_messages_and_a_button_leads_back(stage: Stage) -> None:
    channel = discord.utils.get(stage.bot.get_all_channels(), name="reports")
    assert isinstance(channel, discord.TextChannel)
    for number in range(130):
        await channel.send(f"line {number}")
    page = await stage.open(channel="reports")
    await expect(page.get_by_text("line 129", exact=True)).to_be_in_viewport()
    assert await page.locator(".message").count() == 100
    reading = page.get_by_text("line 30", exact=True)
    await page.locator("#scroller").evaluate("scroller => { scroller.scrollTop = 0; }")
    await expect(page.locator(".message")).to_have_count(130)
    await expect(reading).to_be_in_viewport()
    await channel.send("news")
    await page.get_by_role("button", name=re.compile("1 new message")).click()
    await expect(page.get_by_text("news", exact=True)).to_be_in_viewport()
    await expect(page.locator("#newest")).to_be_hidden()


async def test_drafts_are_kept_per_channel(stage: Stage) -> None:
    page = await stage.open()
    box = page.locator("#box")
    await box.fill("half a thought")
    await page.get_by_role("button", name="reports").click()
    await expect(box).to_have_value("")
    await page.get_by_role("button", name="support").click()
    await expect(box).to_have_value("half a thought")


async def test_the_up_arrow_edits_the_last_message_in_its_place(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben")
    box, editor = page.locator("#box"), page.get_by_role("textbox", name="Edit your message")
    await say(page, "shoos for @cleo")
    await expect(page.locator(".mention")).to_have_text("@Cleo")
    await box.press("ArrowUp")
    await expect(editor).to_be_focused()
    await expect(editor).to_have_value("shoos for @cleo")
    await editor.press("Escape")
    await expect(editor).to_have_count(0)
    await expect(box).to_be_focused()
    await box.press("ArrowUp")
    await editor.fill("shoes")
    await editor.press("Enter")
    await expect(other.locator(".message .text")).to_have_text("shoes (edited)")
    await expect(box).to_be_focused()


async def test_names_are_completed_and_sent_as_mentions(stage: Stage) -> None:
    page = await stage.open()
    box = page.locator("#box")
    await box.press_sequentially("hello @fi")
    await expect(page.get_by_role("option")).to_have_text(["@fillbotfillbot"])
    await box.press("Enter")
    await expect(box).to_have_value("hello @fillbot ")
    await box.press_sequentially("see #reports, not `@ada`")
    await box.press("Enter")
    await until(lambda: stage.bot.heard.mentions == ["fillbot"], "the mention")
    await expect(page.locator(".message .text")).to_have_text("hello @fillbot see #reports, not @ada")
    await page.locator(".message").get_by_role("button", name="#reports").click()
    await expect(page.get_by_role("heading", name="# reports")).to_be_visible()


async def test_unread_messages_are_counted_and_a_line_shows_where_they_begin(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben", channel="reports")
    await say(page, "read")
    await page.get_by_role("button", name="reports").click()
    await other.get_by_role("button", name="support").click()
    await expect(other.locator(".message")).to_have_count(1)
    await say(other, "unread")
    await page.get_by_role("button", name="support 1 unread").click()
    line = page.get_by_role("separator", name="New")
    await expect(line).to_be_visible()
    await expect(line.locator("xpath=following-sibling::article")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(line).to_have_count(0)


async def test_the_keys_of_the_chat_work_everywhere(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "one")
    await page.locator(".message").get_by_role("button", name="Reply").focus()
    await page.keyboard.type("/fi")
    await expect(page.get_by_role("option", name="/fill")).to_be_visible()
    await expect(page.locator("#box")).to_have_value("/fi")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("option")).to_have_count(0)
    await page.keyboard.press("Alt+ArrowDown")
    await expect(page.get_by_role("heading", name="# reports")).to_be_visible()


async def test_a_reply_leads_to_its_message_however_far_up(stage: Stage) -> None:
    channel = discord.utils.get(stage.bot.get_all_channels(), name="reports")
    assert isinstance(channel, discord.TextChannel)
    first = await channel.send("the first line")
    for number in range(105):
        await channel.send(f"line {number}")
    await first.reply("as said above")
    page = await stage.open(channel="reports")
    await page.get_by_role("button", name="Replying to fillbot").click()
    await expect(page.locator(".text", has_text="the first line")).to_be_in_viewport()


async def test_a_thread_opens_from_its_message(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!thread")
    await page.get_by_role("button", name="About shoes · See the thread").click()
    await expect(page.get_by_role("heading", name="# About shoes")).to_be_visible()
    await expect(page.locator(".message .text")).to_have_text("Let us talk here.")


async def test_a_file_arrives_by_direct_message(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!file")
    await page.get_by_role("button", name="fillbot 1 unread").click()
    await expect(page.get_by_role("link", name="my-votes.csv 11 bytes")).to_be_visible()


async def test_a_direct_message_reaches_the_bot_and_nobody_else(stage: Stage) -> None:
    page, other = await stage.open("ben"), await stage.open("cleo")
    await page.get_by_role("button", name="fillbot", exact=True).click()
    await say(page, "!progress")
    await expect(page.get_by_text("Training: done")).to_be_visible()
    await other.get_by_role("button", name="fillbot", exact=True).click()
    await expect(other.locator(".start")).to_contain_text("Only you can read it")
    await expect(other.locator(".message")).to_have_count(0)


async def test_too_long_a_message_is_counted_and_not_sent(stage: Stage) -> None:
    page = await stage.open()
    await page.locator("#box").fill("a" * 2003)
    await expect(page.locator("#counter")).to_have_text("-3")
    await page.locator("#box").press("Enter")
    await expect(page.locator("#toasts")).to_contain_text("2000 characters")
    await expect(page.locator(".message")).to_have_count(0)


async def test_shift_enter_makes_a_new_line(stage: Stage) -> None:
    page = await stage.open()
    await page.locator("#box").press_sequentially("one")
    await page.locator("#box").press("Shift+Enter")
    await page.locator("#box").press_sequentially("two")
    await page.locator("#box").press("Enter")
    await expect(page.locator(".message .text")).to_have_text("one\ntwo")


async def test_on_a_phone_the_channels_fold_behind_a_button_and_nothing_is_cut(stage: Stage) -> None:
    page = await stage.open(viewport=PHONE)
    await say(page, "!fill Nike shoes are very [MASK]")
    await expect(page.locator(".embed")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert await page.locator("#scroller").evaluate("one => one.scrollWidth <= one.clientWidth")
    await expect(page.locator("#sidebar")).not_to_be_in_viewport()
    await page.get_by_role("button", name="Channels and people").click()
    await page.get_by_role("button", name="reports").click()
    await expect(page.get_by_role("heading", name="Welcome to #reports")).to_be_visible()
    await expect(page.locator("#sidebar")).not_to_be_in_viewport()
