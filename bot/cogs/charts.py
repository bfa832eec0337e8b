"""`!scores`, `!report`, `!stats`: pictures of scores, of a run, and of the team's votes."""

import asyncio
import contextlib
from datetime import UTC, datetime

import discord
from discord import app_commands
from discord.ext import commands

from bot.announcements.verdicts import Verdicts
from bot.answering.champion_follower import BotChampionFollower
from bot.answering.queries import parse_query
from bot.client import FillBot, command
from bot.cogs.choices import offering
from bot.context import Context, send_reply
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, clipped, escape
from bot.embeds.run_figures import figures_of
from bot.embeds.run_report import report_embed, report_title
from bot.embeds.team_stats import TeamStats, first_day, stats_embed, stats_figures
from bot.errors import PictureError
from bot.runs.training_runs import version_of
from bot.settings import Settings
from bot.subprocesses.charts import ChartRenderer, attach
from bot.texts import say
from bot.texts.descriptions import described
from bot.visibility import open_channel_ids
from storage import runs
from storage.database import Database
from storage.runs import Run
from storage.votes import statistics
from training.errors import NoEarlierVersionError, RegistryError
from training.registry.card import Card
from training.registry.versions import Registry

ASKS, ASKS_WITHIN_S = 5, 30  # per person: a picture takes seconds of CPU time
SHOWN_VERSIONS, SHOWN_SENTENCES, SHOWN_HELPERS = 8, 5, 5


class Charts(commands.Cog):
    """The commands that draw pictures."""

    def __init__(
        self,
        bot: FillBot,
        *,
        settings: Settings,
        registry: Registry,
        database: Database,
        follower: BotChampionFollower,
        verdicts: Verdicts,
        pictures: ChartRenderer,
    ) -> None:
        self._bot, self._settings = bot, settings
        self._registry, self._database = registry, database
        self._follower, self._verdicts, self._pictures = follower, verdicts, pictures

    @command("scores", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(text=described("scores_text"))
    async def scores(self, context: Context, *, text: str) -> None:
        """Draw the best and worst words of the champion and of the version before it."""
        settings = self._settings
        query = parse_query(
            text, max_chars=settings.max_query_chars, max_masks=settings.max_masks, prefix=self._bot.prefix
        )
        champion = self._follower.predictor.version
        versions = [champion]
        with contextlib.suppress(NoEarlierVersionError):
            versions.append(self._registry.previous(champion))
        png = await self._pictures.draw("scores", text=query.text, versions=versions)
        embed = discord.Embed(colour=COLOUR)
        embed.description = clipped(escape(query.text), MAX_DESCRIPTION)
        file = attach(embed, png, name="scores", about=say("scores.picture", text=query.text))
        await send_reply(context, embed=embed, file=file)

    @command("report", cooldown=(ASKS, ASKS_WITHIN_S))
    @app_commands.describe(version=described("report_version"))
    async def report(self, context: Context, version: str | None = None) -> None:
        """Report what a version learnt, and why it was promoted or not."""
        card, run = await self._found(version.strip().lower() if version else None)
        shown = await self._verdicts.showable_changes(run, channel_id=context.channel.id) if run else set()
        title, notes = report_title(card, run), []
        if card is not None and card.version in self._registry.withdrawn():
            notes.append(say("report.withdrawn"))
        png = None
        if figures := figures_of(card, run, title=title):
            try:
                png = await self._pictures.draw("report", **figures)
            except PictureError as error:
                notes.append(str(error))
        embed = report_embed(card, run, shown=shown, notes=notes)
        file = attach(embed, png, name="report", about=title) if png else None
        await send_reply(context, embed=embed, file=file)

    @report.autocomplete("version")
    @offering
    async def _complete_version(self, interaction: discord.Interaction, typed: str) -> list[str]:
        if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
            return []
        return [name for name in reversed(self._registry.versions()) if typed.lower() in name]

    @command("stats", cooldown=(ASKS, ASKS_WITHIN_S))
    async def stats(self, context: Context) -> None:
        """Show how the team voted lately."""
        now, zone = datetime.now(UTC), self._settings.zone
        team = await self._team(context.channel.id, since=first_day(now, zone))
        embed, file = stats_embed(team), None
        if team.totals.votes:
            try:
                png = await self._pictures.draw("stats", **stats_figures(team, now=now, zone=zone))
                file = attach(embed, png, name="stats", about=embed.description or "")
            except PictureError as error:
                embed.add_field(name=say("model.note"), value=str(error), inline=False)
        await send_reply(context, embed=embed, file=file)

    async def _team(self, channel_id: int, *, since: datetime) -> TeamStats:
        database, channels = self._database, open_channel_ids(self._bot, channel_id)
        return TeamStats(
            *await asyncio.gather(
                statistics.totals(database, since=since),
                statistics.votes_by_hour(database, since=since),
                statistics.votes_by_version(database, since=since, most=SHOWN_VERSIONS),
                statistics.contested_words(database, since=since, channel_ids=channels, most=SHOWN_SENTENCES),
                statistics.top_voters(database, since=since, most=SHOWN_HELPERS),
            )
        )

    async def _found(self, version: str | None) -> tuple[Card | None, Run | None]:
        """Return a version and its run; by default the champion's, or the newest run if it has none."""
        if version is not None:
            card = self._registry.card(version)
            return card, await self._run_of(card)
        try:
            champion = self._registry.card(self._follower.predictor.version)
        except RegistryError:  # it was damaged after it was loaded
            champion = None
        if champion is not None and (run := await self._run_of(champion)) is not None:
            return champion, run
        newest = await runs.latest_training(self._database)
        if newest is None:
            return champion, None
        name = version_of(self._registry, newest)
        return (self._registry.card(name) if name else None), newest

    async def _run_of(self, card: Card) -> Run | None:
        run = await runs.get_run(self._database, card.run_id) if card.run_id is not None else None
        # If the database was replaced after the version was made, another run may have its id.
        return run if run is not None and run.started_at <= card.created_at else None
