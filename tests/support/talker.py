"""A small bot that says one of everything, for the tests of the chat page."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

WORDS = ("comfortable", "popular", "expensive", "durable", "light")
WORTH_KNOWING = {
    "comfortable": "adjusted by 3 votes",
    "popular": None,
    "expensive": "often said of prices",
    "durable": None,
    "light": None,
}


def make_png(width: int, height: int, colour: bytes = b"\x40\x70\xc0") -> bytes:
    """Return a plain PNG of one colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def picture(name: str, description: str, *, colour: bytes = b"\x40\x70\xc0") -> discord.File:
    """Return a picture of 600 by 300 pixels to attach."""
    return discord.File(io.BytesIO(make_png(600, 300, colour)), name, description=description)


@dataclass
class Heard:
    """What reached the bot."""

    reactions: list[tuple[str, str, int]] = field(default_factory=list)
    chosen: list[tuple[str, list[str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    slashed: list[tuple[str, str, str | None]] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)


class SuggestWord(discord.ui.Modal, title="Suggest a word"):
    """Asks for one word."""

    word: discord.ui.TextInput[SuggestWord] = discord.ui.TextInput(
        label="Your word", min_length=3, max_length=30, placeholder="breathable"
    )
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
    """Two menus of words and a row of buttons, as under a prediction."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(timeout=None)
        self.heard = heard
        self.fit.required = self.unfit.required = False
        self.add_item(discord.ui.Button(label="Not yet", disabled=True, row=2))
        self.add_item(discord.ui.Button(label="How it works", url="https://example.org/", row=2))

    @discord.ui.select(
        placeholder="👍 Words that fit",
        min_values=0,
        max_values=len(WORDS),
        options=[
            discord.SelectOption(label=word, description=more, emoji="👟" if word == "popular" else None)
            for word, more in WORTH_KNOWING.items()
        ],
    )
    async def fit(self, interaction: discord.Interaction, menu: discord.ui.Select[Rating]) -> None:
        self.heard.chosen.append((interaction.user.name, sorted(menu.values)))
        text = f"These fit: {', '.join(menu.values)}" if menu.values else "Taken back."
        await interaction.response.send_message(text, ephemeral=True)

    @discord.ui.select(
        placeholder="👎 Words that don't",
        min_values=0,
        max_values=len(WORDS),
        options=[discord.SelectOption(label=word, default=word == "expensive") for word in WORDS],
    )
    async def unfit(self, interaction: discord.Interaction, menu: discord.ui.Select[Rating]) -> None:
        self.heard.chosen.append((interaction.user.name, sorted(menu.values)))
        for option in menu.options:
            option.default = option.value == "light"
        await interaction.response.edit_message(view=self)

    @discord.ui.button(label="Suggest a word", emoji="💡", row=2)
    async def suggest(self, interaction: discord.Interaction, _: discord.ui.Button[Rating]) -> None:
        await interaction.response.send_modal(SuggestWord(self.heard))

    @discord.ui.button(label="Break", style=discord.ButtonStyle.danger, row=2)
    async def fall_silent(self, interaction: discord.Interaction, _: discord.ui.Button[Rating]) -> None:
        """Never answers."""


class Talker(commands.Bot):
    """Answers a few words that start with `!`, and /fill."""

    def __init__(self) -> None:
        intents = discord.Intents.none()
        intents.guilds = intents.messages = intents.message_content = intents.reactions = True
        super().__init__(command_prefix="!", intents=intents, help_command=None, guild_ready_timeout=0.1)
        self.heard = Heard()
        self.may_finish = asyncio.Event()  # cleared by tests of what is shown before long work has ended
        self.may_finish.set()

    async def setup_hook(self) -> None:
        self.tree.add_command(self.slash_fill())
        self.tree.add_command(app_commands.ContextMenu(name="Shout", callback=self.shout))
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

    async def shout(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(message.content.upper())

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        if self.user is not None and event.user_id != self.user.id and event.member is not None:
            self.heard.reactions.append((event.member.name, str(event.emoji), +1))

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        self.heard.reactions.append(("", str(event.emoji), -1))

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        self.heard.mentions.extend(user.name for user in message.mentions)
        answers = {
            "!fill": self.predict,
            "!progress": self.report_progress,
            "!picture": self.attach,
            "!chart": self.embed_picture,
            "!album": self.attach_album,
            "!slowly": self.type_slowly,
            "!thread": self.open_thread,
            "!file": self.send_file_privately,
        }
        answer = answers.get(message.content.partition(" ")[0])
        if answer is not None:
            await answer(message)

    async def predict(self, message: discord.Message) -> None:
        embed = discord.Embed(
            title="Nike shoes are very **comfortable**.",
            description="1. comfortable\n2. popular",
            color=0x3BC274,
        )
        embed.add_field(name="Model", value="v0001", inline=True)
        embed.set_footer(text="vote with 👍 or 👎")
        reply = await message.reply(embed=embed, view=Rating(self.heard))
        await reply.add_reaction("👍")

    async def report_progress(self, message: discord.Message) -> None:
        progress = await message.channel.send("Training: 10 %")
        await self.may_finish.wait()
        await progress.edit(content="Training: done")

    async def attach(self, message: discord.Message) -> None:
        table = discord.File(io.BytesIO(b"word,votes\n"), "votes.csv")
        await message.channel.send("Here:", files=[picture("loss.png", "Loss over time"), table])

    async def embed_picture(self, message: discord.Message) -> None:
        embed = discord.Embed(title="v0002 was promoted", description="It answers better.", color=0x5865F2)
        for name in ("Votes", "Judged words", "Suite", "Held-out", "Gate", "Took"):
            embed.add_field(name=name, value="12 by 3 people", inline=name != "Took")
        embed.set_image(url="attachment://chart.png")
        embed.set_footer(text="Run 7 · nightly")
        await message.channel.send(embed=embed, file=picture("chart.png", "Votes over time"))

    async def attach_album(self, message: discord.Message) -> None:
        colours = {"red": b"\xc0\x30\x30", "green": b"\x30\xa0\x50", "blue": b"\x30\x50\xc0"}
        files = [picture(f"{name}.png", name.title(), colour=rgb) for name, rgb in colours.items()]
        await message.channel.send(files=files)

    async def type_slowly(self, message: discord.Message) -> None:
        async with message.channel.typing():
            await self.may_finish.wait()
        await message.channel.send("That took a while.")

    async def open_thread(self, message: discord.Message) -> None:
        thread = await message.create_thread(name="About shoes")
        await thread.send("Let us talk here.")

    async def send_file_privately(self, message: discord.Message) -> None:
        table = discord.File(io.BytesIO(b"word,votes\n"), "my-votes.csv")
        await message.author.send("Your votes:", file=table)
