"""`!fill`: fill the masks of a sentence."""

import discord
from discord.ext import commands

from bot.answering.query_handler import QueryOrigin
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.errors import BusyError
from bot.wiring import Parts

ASKS, ASKS_WITHIN_S = 30, 10  # per person: more than people type, less than a script sends


class Fill(commands.Cog):
    """The command `!fill`."""

    def __init__(self, parts: Parts) -> None:
        self._query_handler, self._metrics = parts.voting.query_handler, parts.operations.metrics
        self._shedding = parts.discord.bot.shedding

    @command("fill", group="fill", cooldown=(ASKS, ASKS_WITHIN_S))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer a query; under load, refuse it."""

        async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            return await send_reply(context, embed=embed, view=view)

        try:
            with self._metrics.query():
                await self._query_handler.reply(text, QueryOrigin.of(context), send)
        except BusyError:
            if context.interaction:  # needs a reply of its own, which no rate limit delays
                raise
            self._shedding.refuse(context.channel, context.channel.id)
