"""`!scores`: draws the best and worst words of a sentence, from the champion and the version before it."""

import contextlib

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, clipped, escape
from bot.subprocesses.charts import DRAWINGS, DRAWINGS_WITHIN_S, attach
from bot.texts import say
from bot.wiring import Parts
from training.errors import NoEarlierVersionError


class Scores(commands.Cog):
    """The command `!scores`."""

    def __init__(self, parts: Parts) -> None:
        self._query_handler, self._registry = parts.voting.query_handler, parts.storage.registry
        self._follower, self._pictures = parts.inference.follower, parts.announcing.pictures

    @command("scores", group="charts", cooldown=(DRAWINGS, DRAWINGS_WITHIN_S))
    async def scores(self, context: Context, *, text: str) -> None:
        """Draw the best and worst words of the champion and of the version before it."""
        query = self._query_handler.parse(text)
        champion = self._follower.predictor.version
        versions = [champion]
        with contextlib.suppress(NoEarlierVersionError):
            versions.append(self._registry.previous(champion))
        rejected = sorted(await self._query_handler.rejected(query))
        png = await self._pictures.draw("scores", text=query.text, versions=versions, rejected=rejected)
        embed = discord.Embed(colour=COLOUR)
        embed.description = clipped(escape(query.text), MAX_DESCRIPTION)
        file = attach(embed, png, name="scores", about=say("scores.picture", text=query.text))
        await send_reply(context, embed=embed, file=file)


def add(parts: Parts) -> None:
    """Add `!scores`."""
    parts.discord.bot.add_cogs(Scores(parts))
