"""`!why` and `!compare`: explain a word's rank, and compare the champion with the version before it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from discord import app_commands
from discord.ext import commands

from bot.answering.predictor import CANDIDATES, Predictor
from bot.answering.queries import Query
from bot.answering.query_handler import QueryHandler
from bot.answering.vote_adjustment import adjust, weigh_votes
from bot.client import FillBot, command
from bot.context import Context, send_reply
from bot.embeds.insights import Reasons, compare_embed, why_embed
from bot.embeds.replies import clipped
from bot.settings import Settings
from bot.subprocesses.word_ranks import VersionRanks, WordRanks, earlier_versions
from bot.texts.descriptions import described
from bot.voting.menus import words_for_each
from storage import runs
from storage.database import Database
from storage.runs import Run
from storage.votes.consensus import votes_on_query
from training.errors import RegistryError
from training.registry.versions import Registry

LOOKS, LOOKS_WITHIN_S = 6, 60  # per person: each loads models
MAX_WORD = 60


class Insight(commands.Cog):
    """Commands that explain the model."""

    def __init__(
        self,
        bot: FillBot,
        database: Database,
        query_handler: QueryHandler,
        *,
        predictor: Predictor,
        registry: Registry,
        settings: Settings,
    ) -> None:
        self._bot, self._database, self._query_handler = bot, database, query_handler
        self._predictor, self._registry, self._settings = predictor, registry, settings
        self._ranks = WordRanks(settings)

    @command("why", is_ephemeral=True, cooldown=(LOOKS, LOOKS_WITHIN_S), usage="WORD in TEXT")
    @app_commands.describe(word=described("why_word"), text=described("why_text"))
    async def why(self, context: Context, word: str, *, text: str) -> None:
        """Explain why a word is ranked where it is in a sentence."""
        if context.interaction is None:
            text = text.removeprefix("in ")
        query, word = self._query_handler.parse(text), clipped(word.strip(), MAX_WORD)
        reasons = await self._reasons(query, word)
        embed = why_embed(
            query.text,
            word,
            reasons,
            asker_id=context.author.id,
            min_voters=self._settings.needed_voters,
            prefix=self._bot.prefix,
        )
        await send_reply(context, embed=embed, ephemeral=True)

    @command("compare", cooldown=(LOOKS, LOOKS_WITHIN_S))
    @app_commands.describe(text=described("compare_text"))
    async def compare(self, context: Context, *, text: str) -> None:
        """Compare the current model's best words with those of the one before."""
        query = self._query_handler.parse(text)
        prediction = await self._predictor.predict(query.text)
        shown = words_for_each(len(prediction.masks), shown_words=self._settings.shown_words)
        before = await self._look_before(query, prediction.model_version, shown=shown)
        now = [[(c.word, c.score) for c in mask[:shown]] for mask in prediction.masks]
        embed = compare_embed(
            now,
            None if before is None else [mask.best for mask in before.masks],
            names=(prediction.model_version, before.version if before else ""),
        )
        await send_reply(context, embed=embed)

    async def _reasons(self, query: Query, word: str) -> Reasons:
        """Collect everything that explains a word's rank in a query."""
        prediction = await self._predictor.predict(query.text)
        version = prediction.model_version
        versions = [version, *await asyncio.to_thread(earlier_versions, self._registry, version)]
        is_private = query.text != query.stored
        votes = [] if is_private else await votes_on_query(self._database, query.hash)
        looks = await self._ranks.rank(query.text, versions, words=[word])
        min_voters, half_life_days = self._settings.needed_voters, self._settings.vote_half_life_days
        now = datetime.now(UTC)
        return Reasons(
            looks=looks,
            shown=adjust(
                prediction,
                votes,
                min_voters=min_voters,
                half_life_days=half_life_days,
                now=now,
                shown=CANDIDATES,
            ),
            votes=votes,
            word_votes=weigh_votes(votes, min_voters=min_voters, half_life_days=half_life_days, now=now),
            runs=await self._runs(looks),
            is_private=is_private,
        )

    async def _look_before(self, query: Query, version: str, *, shown: int) -> VersionRanks | None:
        """Ask the previous version; return None if the champion has no predecessor."""
        before = None
        with suppress(RegistryError):
            before = await asyncio.to_thread(self._registry.previous, version)
        if before is None:
            return None
        (look,) = await self._ranks.rank(query.text, [before], top=shown)
        return look if look.masks else None

    async def _runs(self, looks: list[VersionRanks]) -> dict[int, Run]:
        ids = {look.run_id for look in looks if look.run_id is not None}
        found = [await runs.get_run(self._database, run_id) for run_id in sorted(ids)]
        return {run.id: run for run in found if run is not None}
