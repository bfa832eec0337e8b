"""`!fill`: fill the blanks of a sentence."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import command
from bot.context import Context, answer
from bot.errors import BusyError
from bot.fill.answering import Answering, Asked
from bot.fill.crowd import Crowd
from bot.fill.pending import Pending
from bot.operations.metrics import Metrics
from bot.texts import say

ASKS, ASKS_WITHIN_S = 30, 10  # of one person: a keen one is never stopped, a script is


class Fill(commands.Cog):
    """Asking."""

    def __init__(self, answering: Answering, pending: Pending, crowd: Crowd, *, metrics: Metrics) -> None:
        """Take who answers, and who counts those that ask."""
        self._answering, self._pending, self._crowd = answering, pending, crowd
        self._metrics = metrics

    @command("fill", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(text=say("commands.fill_text"))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer; who is turned away is told."""

        async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            return await answer(context, embed=embed, view=view)

        guild_id = context.guild.id if context.guild else None
        asked = Asked(context.author.id, context.channel.id, guild_id)
        try:
            with self._metrics.query(), self._crowd.answering():
                async with self._pending.handling():
                    await self._answering.reply(self._answering.parse(text), asked, send)
        except BusyError:
            if context.interaction or self._crowd.may_reply():  # an interaction must be answered
                raise
            self._crowd.tell_later(context.channel)
