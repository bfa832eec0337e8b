"""Answers a query again with the next words, after somebody rejected some of those shown."""

import discord
from discord.ext import commands

from bot.answering.query_handler import QueryOrigin
from bot.cogs.fill import ASKS, ASKS_WITHIN_S
from bot.errors import AuthorOptedOutError, StaleMenuError
from bot.permissions import can_react
from bot.wiring import Parts
from storage.people.privacy import is_opted_out
from storage.votes.predictions import shown_query


class Again(commands.Cog):
    """The button “Try again” of the line that confirms a 👎 in the menu."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._query_handler, self._metrics = parts.voting.query_handler, parts.operations.metrics
        self._limit = commands.CooldownMapping[discord.Interaction].from_cooldown(
            ASKS, ASKS_WITHIN_S, lambda interaction: interaction.user.id
        )

    @commands.Cog.listener()
    async def on_words_again(self, interaction: discord.Interaction, prediction_id: int) -> None:
        """Reply to the query of a prediction with the words that follow those shown."""
        async with self._bot.replying_to_errors(interaction):
            self._check_cooldown(interaction)
            person_id, channel_id = interaction.user.id, interaction.channel_id or 0
            if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
                raise StaleMenuError
            shown = await shown_query(self._database, prediction_id=prediction_id)
            if shown is None or shown.channel_id != channel_id or shown.is_of_quiz:
                raise StaleMenuError
            author_id = None if shown.author_id == person_id else shown.author_id
            if author_id is not None and await is_opted_out(self._database, author_id):
                raise AuthorOptedOutError
            origin = QueryOrigin(
                person_id,
                channel_id,
                interaction.guild_id,
                may_react=interaction.guild_id is None or can_react(interaction.app_permissions),
                is_interaction=True,
                author_id=author_id,
            )
            await interaction.response.defer()  # the button's own line stays as it is

            async def send(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
                return await interaction.followup.send(embed=embed, view=view, wait=True)

            with self._metrics.query():
                await self._query_handler.reply(shown.query, origin, send, shown_before=shown.words)

    def _check_cooldown(self, interaction: discord.Interaction) -> None:
        """Check that a person does not ask too often, by the limit of `!fill`."""
        bucket = self._limit.get_bucket(interaction)
        retry_after = None if bucket is None else bucket.update_rate_limit()
        if bucket is not None and retry_after is not None:
            raise commands.CommandOnCooldown(bucket, retry_after, commands.BucketType.user)
