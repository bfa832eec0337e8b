"""`!fill`: fill the blanks of a sentence."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.answering.in_flight import InFlight
from bot.answering.load_shedding import LoadShedding
from bot.answering.query_handler import QueryHandler, QueryOrigin
from bot.client import command
from bot.context import Context, may_react, send_reply
from bot.errors import BusyError
from bot.operations.metrics import Metrics
from bot.texts import say

ASKS, ASKS_WITHIN_S = 30, 10  # of one person: a keen one is never stopped, a script is


class Fill(commands.Cog):
    """Asking."""

    def __init__(
        self, query_handler: QueryHandler, in_flight: InFlight, shedding: LoadShedding, *, metrics: Metrics
    ) -> None:
        """Take who answers, and who counts those that ask."""
        self._query_handler, self._in_flight, self._shedding = query_handler, in_flight, shedding
        self._metrics = metrics

    @command("fill", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(text=say("commands.fill_text"))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer; who is turned away is told."""
        guild_id = context.guild.id if context.guild else None
        origin = QueryOrigin(context.author.id, context.channel.id, guild_id, may_react=may_react(context))
        try:
            with self._metrics.query(), self._shedding.answering() as give_back:

                async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
                    if not context.interaction:  # it may wait for its turn in the channel
                        give_back()
                    return await send_reply(context, embed=embed, view=view)

                async with self._in_flight.handling():
                    await self._query_handler.reply(self._query_handler.parse(text), origin, send)
        except BusyError:
            if context.interaction:  # it must be answered, and no other message waits for that
                raise
            self._shedding.turn_away(context.channel, context.channel.id)
