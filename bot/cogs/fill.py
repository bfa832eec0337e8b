"""`!fill`: fill the masks of a sentence."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.answering.load_shedding import LoadShedding
from bot.answering.query_handler import QueryHandler, QueryOrigin
from bot.client import command
from bot.context import Context, may_react, send_reply
from bot.errors import BusyError
from bot.operations.metrics import Metrics
from bot.texts.descriptions import described

ASKS, ASKS_WITHIN_S = 30, 10  # per person: more than people type, less than a script sends


class Fill(commands.Cog):
    """The command `!fill`."""

    def __init__(self, query_handler: QueryHandler, shedding: LoadShedding, *, metrics: Metrics) -> None:
        self._query_handler, self._shedding, self._metrics = query_handler, shedding, metrics

    @command("fill", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(text=described("fill_text"))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer a query; under load, refuse it."""

        async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            return await send_reply(context, embed=embed, view=view)

        origin = QueryOrigin(
            context.author.id,
            context.channel.id,
            context.guild.id if context.guild else None,
            may_react=may_react(context),
            is_interaction=context.interaction is not None,
        )
        try:
            with self._metrics.query():
                await self._query_handler.reply(text, origin, send)
        except BusyError:
            if context.interaction:  # needs a reply of its own, which no rate limit delays
                raise
            self._shedding.refuse(context.channel, context.channel.id)
