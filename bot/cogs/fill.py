"""`!fill`: fill the blanks of a sentence."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.answering.answers import Answering, Asked
from bot.answering.in_flight import Pending
from bot.answering.load_shedding import LoadShedding
from bot.client import command
from bot.context import Context, answer, may_react
from bot.errors import BusyError
from bot.operations.metrics import Metrics
from bot.texts import say

ASKS, ASKS_WITHIN_S = 30, 10  # of one person: a keen one is never stopped, a script is


class Fill(commands.Cog):
    """Asking."""

    def __init__(
        self, answering: Answering, pending: Pending, shedding: LoadShedding, *, metrics: Metrics
    ) -> None:
        """Take who answers, and who counts those that ask."""
        self._answering, self._pending, self._shedding = answering, pending, shedding
        self._metrics = metrics

    @command("fill", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(text=say("commands.fill_text"))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer; who is turned away is told."""
        guild_id = context.guild.id if context.guild else None
        asked = Asked(context.author.id, context.channel.id, guild_id, may_react=may_react(context))
        try:
            with self._metrics.query(), self._shedding.answering() as give_back:

                async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
                    if not context.interaction:  # it may wait for its turn in the channel
                        give_back()
                    return await answer(context, embed=embed, view=view)

                async with self._pending.handling():
                    await self._answering.reply(self._answering.parse(text), asked, send)
        except BusyError:
            if context.interaction:  # it must be answered, and no other message waits for that
                raise
            self._shedding.turn_away(context.channel, context.channel.id)
