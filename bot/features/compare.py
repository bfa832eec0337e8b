"""`!compare`: shows the champion's best words next to those of the version before it."""

import asyncio
from contextlib import suppress

from discord.ext import commands

from bot.answering.queries import Query
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.comparison import compare_embed
from bot.subprocesses.word_ranks import RANKINGS, RANKINGS_WITHIN_S, VersionRanks
from bot.voting.menus import words_for_each
from bot.wiring import Parts
from training.errors import RegistryError


class Compare(commands.Cog):
    """The command `!compare`."""

    def __init__(self, parts: Parts) -> None:
        self._query_handler, self._registry = parts.voting.query_handler, parts.storage.registry
        self._predictor, self._ranks = parts.inference.predictor, parts.inference.word_ranks
        self._shown_words = parts.settings.shown_words

    @command(
        "compare",
        group="insight",
        cooldown=(RANKINGS, RANKINGS_WITHIN_S),
        lookalikes=("compared", "compares", "compere"),
    )
    async def compare(self, context: Context, *, text: str) -> None:
        """Compare the current model's best words with those of the one before."""
        query = self._query_handler.parse(text)
        prediction = await self._predictor.predict(query.text)
        shown = words_for_each(len(prediction.masks), shown_words=self._shown_words)
        before = await self._look_before(query, prediction.model_version, shown=shown)
        now = [[(c.word, c.score) for c in mask[:shown]] for mask in prediction.masks]
        embed = compare_embed(
            now,
            None if before is None else [mask.best for mask in before.masks],
            names=(prediction.model_version, before.version if before else ""),
        )
        await send_reply(context, embed=embed)

    async def _look_before(self, query: Query, version: str, *, shown: int) -> VersionRanks | None:
        """Ask the previous version; return None if the champion has no predecessor."""
        before = None
        with suppress(RegistryError):
            before = await asyncio.to_thread(self._registry.previous, version)
        if before is None:
            return None
        (look,) = await self._ranks.rank(query.text, [before], top=shown)
        return look if look.masks else None


def add(parts: Parts) -> None:
    """Add `!compare`."""
    parts.discord.bot.add_cogs(Compare(parts))
