"""`!denied` and `!preferred`: admins deny and prefer words from chat, at once and in every later run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import discord
import structlog
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_CONTENT, MAX_DESCRIPTION, clipped, escape
from bot.errors import NotAWordError
from bot.texts import say
from bot.voting.menus import MAX_WORD
from bot.wiring import Parts
from storage.team_words import Kind, TeamWord, change_word, read_words
from training.inference.vocabulary import denied_words, is_word

log = structlog.stdlib.get_logger(__name__)
MAX_WORDS = 1000  # in a list; each answer is held against all of them
MAX_AT_ONCE = 8  # what is said of them fits in one message
USAGE = "[list|add|remove] [WORD …]"
Action = Literal["list", "add", "remove"]


class TeamWords(commands.Cog):
    """The commands `!denied` and `!preferred`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._predictor = parts.inference.predictor
        self._team_words, self._registry = parts.inference.team_words, parts.storage.registry

    @command("denied", group="models", is_for_admins=True, is_ephemeral=True, usage=USAGE)
    async def denied(self, context: Context, action: Action = "list", *, words: str = "") -> None:
        """List the words that are never offered, deny some, or allow them again."""
        await self._answer(context, "denied", action, words)

    @command("preferred", group="models", is_for_admins=True, is_ephemeral=True, usage=USAGE)
    async def preferred(self, context: Context, action: Action = "list", *, words: str = "") -> None:
        """List the words that the team prefers, prefer some, or end that."""
        await self._answer(context, "preferred", action, words)

    async def _answer(self, context: Context, kind: Kind, action: Action, typed: str) -> None:
        if action == "list":
            embed = words_embed(await read_words(self._database, kind), kind=kind)
            await send_reply(context, embed=embed, ephemeral=True)
            return
        words = list(dict.fromkeys(typed.lower().replace(",", " ").split()))
        if not 0 < len(words) <= MAX_AT_ONCE:
            text = say(
                "team_words.which", prefix=self._bot.prefix, command=kind, action=action, n=MAX_AT_ONCE
            )
            await send_reply(context, text, ephemeral=True)
            return
        for word in words:
            if len(word) > MAX_WORD or not is_word(word):
                raise NotAWordError(escape(word))
        lines = [
            await self._change(kind, word, is_added=action == "add", by=context.author.id) for word in words
        ]
        await send_reply(context, clipped("\n".join(lines), MAX_CONTENT), ephemeral=True)

    async def _change(self, kind: Kind, word: str, *, is_added: bool, by: int) -> str:
        """Change a list and apply it. Returns what happened."""
        shown = escape(word)
        if word in denied_words():
            return say("team_words.denied.shipped", word=shown)
        if is_added and len(await read_words(self._database, kind)) >= MAX_WORDS:
            return say("team_words.full", n=MAX_WORDS)
        was_preferred = word in self._predictor.preferred
        change = await change_word(
            self._database,
            kind,
            word,
            is_added=is_added,
            by=by,
            champion=self._registry.champion(),
            now=datetime.now(UTC),
        )
        await self._team_words.load()
        if change == "is denied":
            return say("team_words.preferred.is_denied", word=shown, prefix=self._bot.prefix)
        if change == "was so already":
            return (
                say(f"team_words.{kind}.already", word=shown)
                if is_added
                else say(f"team_words.{kind}.not_so", word=shown)
            )
        log.info("team_words.recorded", kind=kind, is_added=is_added)
        version, is_known = self._predictor.version, self._predictor.can_offer(word)
        if kind == "denied" and is_added:
            added = say("team_words.denied.added", word=shown)
            return f"{added} {say('team_words.denied.was_preferred')}" if was_preferred else added
        if is_added and is_known:
            return say("team_words.preferred.added", word=shown)
        if is_added:
            return say("team_words.preferred.added_unknown", word=shown, version=version)
        if kind == "denied" and not is_known:
            return say("team_words.denied.removed_unknown", word=shown, version=version)
        return say(f"team_words.{kind}.removed", word=shown)


def add(parts: Parts) -> None:
    """Add `!denied` and `!preferred`."""
    parts.discord.bot.add_cogs(TeamWords(parts))


def words_embed(words: Sequence[TeamWord], *, kind: Kind) -> discord.Embed:
    """List the words that the team denied or preferred, and say what else is denied."""
    embed = discord.Embed(title=say(f"team_words.{kind}.title"), colour=COLOUR)
    lines = [f"**{escape(one.word)}** · {discord.utils.format_dt(one.since, 'd')}" for one in words]
    text = ""
    while lines and len(text) + len(lines[0]) + 60 < MAX_DESCRIPTION:
        text += f"{lines.pop(0)}\n"
    embed.description = text + say("run.and_more", n=len(lines)) if lines else text
    if not words:
        embed.description = say(f"team_words.{kind}.none")
    embed.set_footer(text=say(f"team_words.{kind}.footer", n=len(denied_words())))
    return embed
