"""The verdict of a run for one channel, without queries from channels that its members cannot read."""

from collections.abc import Collection

import discord
import structlog
from sqlalchemy import select

from bot.client import FillBot
from bot.embeds.replies import notice_embed, verdict_embed
from bot.embeds.run_outcomes import next_step_of
from bot.runs.training_runs import RunEnd
from bot.texts import say
from bot.visibility import open_channel_ids
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Run
from storage.schema import predictions
from training.errors import RegistryError
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


class Verdicts:
    """Builds the embeds that end a run."""

    def __init__(self, client: FillBot, database: Database, registry: Registry) -> None:
        self._client, self._database, self._registry = client, database, registry

    async def embed(self, end: RunEnd, *, channel_id: int) -> discord.Embed:
        """Return the verdict for one channel; without any query if the database cannot be read."""
        if end.run is None:
            return notice_embed(say("run.failed_because", sentence=end.sentence))
        shown = await self.showable_changes(end.run, channel_id=channel_id)
        return verdict_embed(end.run, end.sentence, next_step=self._next_step(end.run), shown=shown)

    def _next_step(self, run: Run) -> str:
        try:
            champion = self._registry.champion()
        except RegistryError:
            return ""  # it is unknown what serves
        return next_step_of(run, champion=champion, prefix=self._client.prefix) if champion else ""

    async def showable_changes(self, run: Run, *, channel_id: int) -> set[str]:
        """Return the queries of a run's changes that this channel may see."""
        queries = {change["query"] for change in (run.report or {}).get("changes", ())}
        try:
            return await self._showable(queries, channel_id) if queries else set()
        except StorageError:
            log.warning("queries.not_shown", exc_info=True)
            return set()

    async def _showable(self, queries: Collection[str], channel_id: int) -> set[str]:
        """Return queries asked where everyone in this channel may read; never those of direct messages."""
        statement = select(predictions.c.query).where(
            predictions.c.query.in_(queries),
            predictions.c.guild_id.is_not(None),
            predictions.c.channel_id.in_(open_channel_ids(self._client, channel_id)),
        )
        async with self._database.read() as connection:
            return set((await connection.execute(statement.distinct())).scalars())
