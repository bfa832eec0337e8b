"""`!fill` and the message command “Fill the blank”: fill the masks of a sentence."""

import discord
from discord.ext import commands

from bot.answering.query_handler import QueryOrigin
from bot.commands.context import Context, send_reply
from bot.commands.message_commands import message_command
from bot.commands.registration import MAX_CHOICE, command, offering
from bot.errors import AuthorOptedOutError, BusyError
from bot.wiring import Parts
from storage.people.privacy import is_opted_out
from storage.votes.predictions import recent_queries

ASKS, ASKS_WITHIN_S = 30, 10  # per person: more than people type, less than a script sends


class Fill(commands.Cog):
    """The command `!fill`, and the same on a message."""

    def __init__(self, parts: Parts) -> None:
        self._query_handler, self._metrics = parts.voting.query_handler, parts.operations.metrics
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._shedding = parts.discord.bot.shedding

    async def cog_load(self) -> None:
        """Register the message command."""
        self._bot.tree.add_command(message_command("fill", self.fill_message, cooldown=(ASKS, ASKS_WITHIN_S)))

    @command("fill", group="fill", cooldown=(ASKS, ASKS_WITHIN_S))
    async def fill(self, context: Context, *, text: str) -> None:
        """Answer a query; under load, refuse it."""
        await self._answer(context, text)

    @fill.autocomplete("text")
    @offering
    async def _complete_text(self, interaction: discord.Interaction, typed: str) -> list[str]:
        """Offer the person's own latest questions; Discord takes values of at most 100 characters."""
        asked = await recent_queries(self._database, interaction.user.id)
        return [text for text in asked if typed.casefold() in text.casefold() and len(text) <= MAX_CHOICE]

    async def fill_message(self, context: Context, message: discord.Message) -> None:
        """Answer the sentence of a message, of which both the author and the asker are stored.

        Raises:
            AuthorOptedOutError: Its author is somebody else who opted out.
        """
        author = message.author
        is_of_other = not author.bot and message.webhook_id is None and author.id != context.author.id
        if is_of_other and await is_opted_out(self._database, author.id):
            raise AuthorOptedOutError
        await self._answer(context, message.content, author_id=author.id if is_of_other else None)

    async def _answer(self, context: Context, text: str, *, author_id: int | None = None) -> None:
        async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            return await send_reply(context, embed=embed, view=view)

        try:
            with self._metrics.query():
                await self._query_handler.reply(text, QueryOrigin.of(context, author_id=author_id), send)
        except BusyError:
            if context.interaction:  # needs a reply of its own, which no rate limit delays
                raise
            self._shedding.refuse(context.channel, context.channel.id)
