"""The buttons under a verdict: *Promote*, *Keep* and *Compare*, for admins."""

from dataclasses import replace

import discord
from discord.ext import commands

from bot.announcements.decision_buttons import ComparisonForm, DecisionButton, DecisionKind
from bot.embeds.comparison import compare_embed
from bot.embeds.replies import MAX_CONTENT, clipped
from bot.embeds.run_outcomes import outcome_of, tense_of_changes, title_of
from bot.errors import WordRanksError
from bot.texts import in_every_language, say
from bot.voting.menus import words_for_each
from bot.wiring import Parts
from storage.runs import Run, by_member


class Decide(commands.Cog):
    """Handlers of the buttons of a version that waits for a decision."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._decisions = parts.discord.bot, parts.scheduled.decisions
        self._query_handler, self._ranks = parts.voting.query_handler, parts.inference.word_ranks
        self._shown_words = parts.settings.shown_words

    async def cog_load(self) -> None:
        """Register the buttons, so that those of earlier verdicts work too."""
        self._bot.add_dynamic_items(DecisionButton)

    @commands.Cog.listener()
    async def on_run_decision(
        self, interaction: discord.Interaction, what: DecisionKind, run_id: int, version: str
    ) -> None:
        """Promote the version, keep the champion, or ask for a sentence to compare them in."""
        async with self._bot.replying_to_errors(interaction):
            if what == "compare":
                await self._bot.access.require_admin(interaction.user, interaction.guild_id)
                await self._decisions.waiting(run_id, version)
                await interaction.response.send_modal(ComparisonForm(run_id, version))
                return
            await interaction.response.defer()  # verifying and loading a version may take seconds
            await self._bot.access.require_admin(interaction.user, interaction.guild_id)
            person = interaction.user
            decide = self._decisions.promote if what == "promote" else self._decisions.keep
            run, _ = await decide(run_id, version, by=by_member(person.id))
            about = {"version": version, "champion": run.champion, "person": person.mention}
            ended = replace(run, status="promoted" if what == "promote" else "rejected")
            await _close(interaction, ended, say(f"decision.done.{what}", **about))

    @commands.Cog.listener()
    async def on_run_comparison(
        self, interaction: discord.Interaction, run_id: int, version: str, sentence: str
    ) -> None:
        """Show the best words of both versions for a sentence, to the admin alone."""
        async with self._bot.replying_to_errors(interaction):
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self._bot.access.require_admin(interaction.user, interaction.guild_id)
            run = await self._decisions.waiting(run_id, version)
            query, champion = self._query_handler.parse(sentence), str(run.champion)
            shown = words_for_each(query.text.count("[MASK]"), shown_words=self._shown_words)
            looks = await self._ranks.rank(query.text, [version, champion], top=shown)
            if not all(look.masks for look in looks):
                raise WordRanksError
            now, before = ([mask.best for mask in look.masks] for look in looks)
            embed = compare_embed(now, before, names=(version, champion), serves=champion)
            await interaction.followup.send(embed=embed, ephemeral=True)


async def _close(interaction: discord.Interaction, run: Run, sentence: str) -> None:
    """Take the buttons from the verdict, and say what was decided and by whom."""
    message = interaction.message
    if message is not None and message.embeds and message.embeds[0].title:
        embed = message.embeds[0].copy()
        embed.title, embed.description, embed.colour = title_of(run), sentence, outcome_of(run).colour
        for index, field in enumerate(embed.fields):
            if field.name in in_every_language("run.changes.future"):
                name = say(f"run.changes.{tense_of_changes(run)}")
                embed.set_field_at(index, name=name, value=field.value, inline=field.inline)
        await interaction.edit_original_response(embed=embed, view=None)
        return
    # A digest, whose embed has a picture, or a verdict as plain text: above or below what is there.
    content = f"{message.content if message is not None else ''}\n{sentence}".strip()
    await interaction.edit_original_response(content=clipped(content, MAX_CONTENT), view=None)
