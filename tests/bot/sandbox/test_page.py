"""The chat page in a real Chromium, with the real discord.py client behind it."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import discord
import pytest
import pytest_asyncio
import yarl
from discord import app_commands
from discord.ext import commands
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    WebSocketRoute,
    async_playwright,
    expect,
)

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
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WORDS = ("comfortable", "popular", "expensive", "durable", "light")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.asyncio(
        loop_scope="module"
    ),  # one browser serves all tests, since it takes a second to start
]


def make_png(width: int, height: int) -> bytes:
    """Return a plain PNG of one colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    pixels = (b"\0" + b"\x40\x70\xc0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


class SuggestWord(discord.ui.Modal, title="Suggest a word"):
    """Asks for one word."""

    word: discord.ui.TextInput[SuggestWord] = discord.ui.TextInput(label="Your word", max_length=30)
    reason: discord.ui.TextInput[SuggestWord] = discord.ui.TextInput(
        label="Why?", style=discord.TextStyle.paragraph, required=False
    )

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard

    async def on_submit(self, interaction: discord.Interaction) -> None:
        self.heard.words.append(self.word.value)
        await interaction.response.send_message(f"Thanks, **{self.word.value}** is noted.", ephemeral=True)


class Rating(discord.ui.View):
    """Menus and buttons under a reply."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(timeout=None)
        self.heard = heard

    @discord.ui.select(
        placeholder="👍 Words that fit",
        min_values=0,
        max_values=len(WORDS),
        options=[discord.SelectOption(label=word) for word in WORDS],
    )
    async def fit(self, interaction: discord.Interaction, menu: discord.ui.Select[Rating]) -> None:
        self.heard.chosen.append((interaction.user.name, sorted(menu.values)))
        await interaction.response.send_message(f"These fit: {', '.join(menu.values)}", ephemeral=True)

    @discord.ui.button(label="Suggest a word")
    async def suggest(self, interaction: discord.Interaction, _: discord.ui.Button[Rating]) -> None:
        await interaction.response.send_modal(SuggestWord(self.heard))

    @discord.ui.button(label="Break", style=discord.ButtonStyle.danger)
    async def fall_silent(self, interaction: discord.Interaction, _: discord.ui.Button[Rating]) -> None:
        """Never answers."""


@dataclass
class Heard:
    """What reached the bot."""

    reactions: list[tuple[str, str, int]] = field(default_factory=list)
    chosen: list[tuple[str, list[str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    slashed: list[tuple[str, str, str | None]] = field(default_factory=list)


class Talker(commands.Bot):
    """A small bot that says one of everything."""

    def __init__(self) -> None:
        intents = discord.Intents.none()
        intents.guilds = intents.messages = intents.message_content = intents.reactions = True
        super().__init__(command_prefix="!", intents=intents, help_command=None, guild_ready_timeout=0.1)
        self.heard = Heard()

    async def setup_hook(self) -> None:
        self.tree.add_command(self.slash_fill())
        await self.tree.sync()

    def slash_fill(self) -> app_commands.Command[Any, ..., Any]:
        @app_commands.command(name="fill", description="Fill the blanks in a sentence")
        @app_commands.describe(text="A sentence with [MASK] in it", version="Which model version to ask")
        async def fill(interaction: discord.Interaction, text: str, version: str | None = None) -> None:
            self.heard.slashed.append((interaction.user.name, text, version))
            await interaction.response.send_message(f"Slash said: {text}")

        @fill.autocomplete("version")
        async def versions(_: discord.Interaction, start: str) -> list[app_commands.Choice[str]]:
            known = ("v0001", "v0002", "v0010")
            return [app_commands.Choice(name=one, value=one) for one in known if start in one]

        return fill

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        if self.user is not None and event.user_id != self.user.id and event.member is not None:
            self.heard.reactions.append((event.member.name, str(event.emoji), +1))

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        self.heard.reactions.append(("", str(event.emoji), -1))

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        if message.content.startswith("!fill"):
            embed = discord.Embed(
                title="Nike shoes are very **comfortable**.",
                description="1. comfortable\n2. popular",
                color=0x3BC274,
            )
            embed.add_field(name="Model", value="v0001", inline=True)
            embed.set_footer(text="vote with 👍 or 👎")
            reply = await message.reply(embed=embed, view=Rating(self.heard))
            await reply.add_reaction("👍")
        elif message.content == "!progress":
            progress = await message.channel.send("Training: 10 %")
            await asyncio.sleep(0.3)
            await progress.edit(content="Training: done")
        elif message.content == "!picture":
            picture = discord.File(io.BytesIO(make_png(600, 300)), "loss.png", description="Loss over time")
            table = discord.File(io.BytesIO(b"word,votes\n"), "votes.csv")
            await message.channel.send("Here:", files=[picture, table])
        elif message.content == "!slowly":
            async with message.channel.typing():
                await asyncio.sleep(1.5)
            await message.channel.send("That took a while.")


@dataclass
class Stage:
    """A sandbox, the bot in it, and a browser; `problems` must stay empty."""

    sandbox: Sandbox
    bot: Talker
    browser: Browser
    problems: list[str] = field(default_factory=list)

    async def open(
        self, person: str = "ada", *, channel: str = "support", viewport: dict[str, int] = DESKTOP
    ) -> Page:
        """Open the page as a person, in a browser profile of its own, and wait until it is connected."""
        context = await self.browser.new_context(viewport=cast("Any", viewport))
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with Sandbox(port=0) as sandbox, Talker() as bot:
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


async def say(page: Page, text: str) -> None:
    """Type a message and send it with Enter."""
    box = page.locator("#box")
    await box.fill(text)
    await box.press("Enter")


async def until(is_so: Any, what: str) -> None:
    """Wait until something holds in this process."""
    for _ in range(200):
        if is_so():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"waited in vain for: {what}")


async def test_an_empty_channel_offers_examples_that_go_into_the_box(stage: Stage) -> None:
    page = await stage.open()
    await expect(page.get_by_role("heading", name="Welcome to #support")).to_be_visible()
    await page.get_by_role("button", name="!fill Nike shoes are very [MASK]").click()
    await expect(page.locator("#box")).to_have_value("!fill Nike shoes are very [MASK]")
    await expect(page.locator("#box")).to_be_focused()


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


async def test_an_edit_shows_at_once_and_is_marked(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!progress")
    progress = page.locator(".message").nth(1)
    await expect(progress.locator(".text")).to_contain_text("Training: 10 %")
    await expect(progress.locator(".text")).to_have_text("Training: done (edited)")


async def test_a_deleted_message_disappears_for_everyone(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben")
    await say(page, "oops")
    await expect(other.locator(".message")).to_have_count(1)
    await page.locator(".message").hover()
    await page.get_by_role("button", name="Delete your message").click()
    await expect(other.locator(".message")).to_have_count(0)
    await expect(other.get_by_role("button", name="!help")).to_be_visible()


async def test_a_click_on_a_reaction_gives_it_and_a_second_takes_it_back(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    thumb = page.locator('.reaction[data-emoji="👍"]')
    await expect(thumb.locator(".count")).to_have_text("1")
    await expect(thumb).to_have_attribute("aria-pressed", "false")
    await thumb.click()
    await expect(thumb.locator(".count")).to_have_text("2")
    await expect(thumb).to_have_attribute("aria-pressed", "true")
    await until(lambda: ("ada", "👍", 1) in stage.bot.heard.reactions, "ada's thumb")
    await thumb.click()
    await expect(thumb.locator(".count")).to_have_text("1")
    await until(lambda: ("", "👍", -1) in stage.bot.heard.reactions, "the thumb taken back")


async def test_a_reaction_can_be_added_with_the_keyboard(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.locator(".reaction.add").press("Enter")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.locator('.reaction[data-emoji="👎"]')).to_have_attribute("aria-pressed", "true")
    await until(lambda: ("ada", "👎", 1) in stage.bot.heard.reactions, "ada's thumb down")


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
    await say(other, "from cleo")
    await expect(page.locator(".message .name")).to_have_text("Cleo")
    await expect(page.get_by_role("radio", name="Ada")).to_be_checked()


async def test_a_menu_sends_the_chosen_values_and_the_answer_is_for_one_person_only(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben")
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="👍 Words that fit").click()
    await page.get_by_role("option", name="popular").click()
    await page.keyboard.press("Home")
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await until(lambda: stage.bot.heard.chosen == [("ada", ["comfortable", "popular"])], "ada's choice")
    private = page.locator(".message.private")
    await expect(private).to_contain_text("These fit: comfortable, popular")
    await expect(private).to_contain_text("Only you can see this")
    await expect(page.locator(".select .chip")).to_have_text(["comfortable", "popular"])
    await expect(other.locator(".message")).to_have_count(2)
    await private.get_by_role("button", name="Dismiss").click()
    await expect(private).to_have_count(0)


async def test_escape_closes_a_menu_without_sending(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    menu = page.get_by_role("button", name="👍 Words that fit")
    await menu.click()
    await page.keyboard.press("Space")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox", name="👍 Words that fit")).to_have_count(0)
    await expect(menu).to_be_focused()
    assert stage.bot.heard.chosen == []


async def test_a_modal_opens_and_its_answer_reaches_the_bot(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="Suggest a word").click()
    dialog = page.get_by_role("dialog", name="Suggest a word")
    await expect(dialog.get_by_label("Your word")).to_be_focused()
    await page.keyboard.type("breathable")
    await dialog.get_by_role("button", name="Submit").click()
    await until(lambda: stage.bot.heard.words == ["breathable"], "the word")
    await expect(dialog).to_be_hidden()
    await expect(page.locator(".message.private strong")).to_have_text("breathable")


async def test_an_unanswered_button_says_that_the_interaction_failed(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="Break").click()
    await expect(page.get_by_text("This interaction failed")).to_be_visible(timeout=10_000)


async def test_a_picture_can_be_enlarged_and_a_file_downloaded(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!picture")
    picture = page.get_by_role("button", name="Enlarge Loss over time")
    await picture.click()
    enlarged = page.locator("#lightbox img")
    await expect(enlarged).to_be_visible()
    assert await enlarged.evaluate("image => image.decode().then(() => image.naturalWidth)") == 600
    await page.keyboard.press("Escape")
    await expect(enlarged).to_be_hidden()
    await expect(picture).to_be_focused()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="votes.csv").click()
    assert (await (await download.value).path()).read_bytes() == b"word,votes\n"


async def test_typing_is_shown_while_the_bot_works(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!slowly")
    await expect(page.locator("#typing")).to_have_text("fillbot is typing…")
    await expect(page.locator(".message")).to_have_count(2)
    await expect(page.locator("#typing")).to_be_empty()


async def test_slash_suggestions_complete_a_command_with_its_options(stage: Stage) -> None:
    page = await stage.open()
    box = page.locator("#box")
    await box.press_sequentially("/fi")
    await expect(page.get_by_role("option", name="/fill")).to_contain_text("Fill the blanks in a sentence")
    await box.press("Enter")
    await expect(box).to_have_value("/fill text: ")
    await box.press_sequentially("Socks are [MASK] version: v000")
    await expect(page.get_by_role("option")).to_have_text(["v0001", "v0002"])
    await box.press("ArrowDown")
    await box.press("ArrowDown")
    await box.press("Tab")
    await expect(box).to_have_value("/fill text: Socks are [MASK] version: v0002 ")
    await box.press("Enter")
    await until(
        lambda: stage.bot.heard.slashed == [("ada", "Socks are [MASK]", "v0002")], "the slash command"
    )
    await expect(page.locator(".message .reference")).to_contain_text("Ada used /fill")


async def test_a_slash_command_without_its_required_option_is_explained_and_kept(stage: Stage) -> None:
    page = await stage.open()
    await page.locator("#box").press_sequentially("/fill")
    await expect(page.get_by_role("option", name="/fill")).to_be_visible()
    await say(page, "/fill version: v0001")
    await expect(page.locator("#toasts")).to_contain_text("/fill needs “text”")
    await expect(page.locator("#box")).to_have_value("/fill version: v0001")


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
    await expect(page.get_by_text("said in between")).to_be_visible(timeout=15_000)
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


async def test_drafts_are_kept_per_channel_and_the_last_message_is_recalled(stage: Stage) -> None:
    page = await stage.open()
    box = page.locator("#box")
    await say(page, "sent before")
    await box.fill("half a thought")
    await page.get_by_role("button", name="reports").click()
    await expect(box).to_have_value("")
    await page.get_by_role("button", name="support").click()
    await expect(box).to_have_value("half a thought")
    await box.fill("")
    await box.press("ArrowUp")
    await expect(box).to_have_value("sent before")


async def test_a_direct_message_reaches_the_bot_and_nobody_else(stage: Stage) -> None:
    page, other = await stage.open("ben"), await stage.open("cleo")
    await page.get_by_role("button", name="fillbot", exact=True).click()
    await say(page, "!progress")
    await expect(page.get_by_text("Training: done")).to_be_visible()
    await other.get_by_role("button", name="fillbot", exact=True).click()
    await expect(other.locator(".start")).to_contain_text("Nobody else reads along")
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
