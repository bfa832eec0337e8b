"""The morning digest of a nightly run, as a message."""

from datetime import UTC, datetime

import discord
import structlog

from bot.embeds.digest import Fresh, digest
from bot.embeds.replies import COLOUR, COLOUR_BAD, notice_embed
from bot.embeds.run_figures import figures_of
from bot.embeds.run_report import report_title
from bot.errors import BotError
from bot.runs.training_runs import RunEnd, version_of
from bot.subprocesses.charts import ChartRenderer, attach
from bot.texts import named, say
from storage import runs
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Run
from storage.votes.statistics import totals
from training.errors import RegistryError
from training.registry.versions import Registry

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any vote
log = structlog.stdlib.get_logger(__name__)


class Digests:
    """Builds the digest messages."""

    def __init__(
        self, database: Database, registry: Registry, pictures: ChartRenderer, *, prefix: str
    ) -> None:
        self._database, self._registry = database, registry
        self._pictures, self._prefix = pictures, prefix

    async def message(self, end: RunEnd, *, figure: str) -> tuple[discord.Embed, discord.File | None]:
        """How a nightly run ended, with a chart if it trained; `figure` is the approval sentence."""
        if end.run is None:
            return notice_embed(f"{say('run.failed_because', sentence=end.sentence)} {figure}".rstrip()), None
        run, file = end.run, None
        version = run.challenger or version_of(self._registry, run)
        embed = discord.Embed(colour=COLOUR_BAD if run.status == "failed" else COLOUR)
        embed.description = digest(
            run, await self._fresh(run), version=version, sentence=end.sentence, figure=figure
        )
        if run.status in ("promoted", "rejected") and (png := await self._picture(run, version)):
            file = attach(embed, png, name="night", about=embed.description)
        notes = [say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger))]
        if version:
            notes.append(say("digest.hint", usage=f"{self._prefix}report {version}"))
        embed.set_footer(text=" · ".join(notes))
        return embed, file

    async def _fresh(self, run: Run) -> Fresh | None:
        """The votes since the previous nightly run; None if the database cannot be read."""
        try:
            before = await runs.latest(self._database, "nightly", before_id=run.id)
            since = before.as_of if before else None
            return Fresh(await totals(self._database, since=since or BEGINNING, until=run.as_of), since)
        except StorageError:
            log.warning("votes.not_counted", exc_info=True)
            return None

    async def _picture(self, run: Run, version: str | None) -> bytes | None:
        """The chart of the run; None if there is nothing to draw or drawing fails."""
        try:
            card = self._registry.card(version) if version else None
            figures = figures_of(card, run, title=report_title(card, run))
            return await self._pictures.draw("report", **figures) if figures else None
        except (BotError, RegistryError) as error:
            log.warning("digest.without_picture", reason=str(error))
            return None
