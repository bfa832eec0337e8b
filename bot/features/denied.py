"""`!denied`: admins deny words from chat, for the next answer and for every later run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import discord
import structlog
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, escape
from bot.errors import NotAWordError
from bot.texts import say
from bot.voting.menus import MAX_WORD
from bot.wiring import Parts
from storage.denied_words import DeniedWord, change_denied, read_denied
from training.inference.vocabulary import denied_words, is_word

log = structlog.stdlib.get_logger(__name__)
MAX_DENIED = 1000  # words; each answer is held against all of them


class Denied(commands.Cog):
    """The command `!denied`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._predictor = parts.inference.predictor
        self._denied, self._registry = parts.inference.denied, parts.storage.registry
        self._shipped = {word.lower() for word in denied_words()}

    @command(
        "denied", group="models", is_for_admins=True, is_ephemeral=True, usage="[list|add|remove] [WORD]"
    )
    async def denied(
        self, context: Context, action: Literal["list", "add", "remove"] = "list", word: str | None = None
    ) -> None:
        """List the words that are never offered, deny one, or allow one again."""
        if action == "list":
            embed = denied_embed(await read_denied(self._database), shipped=len(self._shipped))
            await send_reply(context, embed=embed, ephemeral=True)
            return
        word = (word or "").strip()
        if not word:
            text = say("denied.which", prefix=self._bot.prefix, action=action)
            await send_reply(context, text, ephemeral=True)
            return
        if len(word) > MAX_WORD or not is_word(word):
            raise NotAWordError(escape(word))
        text = await self._change(word.lower(), is_denied=action == "add", by=context.author.id)
        await send_reply(context, text, ephemeral=True)

    async def _change(self, word: str, *, is_denied: bool, by: int) -> str:
        """Change the list and apply it. Returns what happened."""
        shown = escape(word)
        if word in self._shipped:
            return say("denied.shipped", word=shown)
        if is_denied and len(await read_denied(self._database)) >= MAX_DENIED:
            return say("denied.full", n=MAX_DENIED)
        has_changed = await change_denied(
            self._database,
            word,
            is_denied=is_denied,
            by=by,
            champion=self._registry.champion(),
            now=datetime.now(UTC),
        )
        await self._denied.load()
        if not has_changed:
            return say("denied.already", word=shown) if is_denied else say("denied.not_denied", word=shown)
        log.info("denied_words.recorded", is_denied=is_denied)
        if is_denied:
            return say("denied.added", word=shown)
        if self._predictor.can_offer(word):
            return say("denied.removed", word=shown)
        return say("denied.removed_unknown", word=shown, version=self._predictor.version)


def add(parts: Parts) -> None:
    """Add `!denied`."""
    parts.discord.bot.add_cogs(Denied(parts))


def denied_embed(words: Sequence[DeniedWord], *, shipped: int) -> discord.Embed:
    """List the words that the team denied, and say how many are denied anyway."""
    embed = discord.Embed(title=say("denied.title"), colour=COLOUR)
    lines = [f"**{escape(one.word)}** · {discord.utils.format_dt(one.denied_at, 'd')}" for one in words]
    text = ""
    while lines and len(text) + len(lines[0]) + 60 < MAX_DESCRIPTION:
        text += f"{lines.pop(0)}\n"
    embed.description = text + say("run.and_more", n=len(lines)) if lines else text
    if not words:
        embed.description = say("denied.none")
    embed.set_footer(text=say("denied.footer", n=shipped))
    return embed
