"""`!compare`: shows the champion's best words next to those of the version before it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import discord
from discord.ext import commands

from bot.answering.queries import Query
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_FIELD, clipped, escape, small_percent
from bot.subprocesses.word_ranks import RANKINGS, RANKINGS_WITHIN_S, VersionRanks
from bot.texts import say
from bot.voting.menus import words_for_each
from bot.wiring import Parts
from training.errors import RegistryError

BLANK = "\u200b"
Words = Sequence[tuple[str, float]]


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


def compare_embed(
    now: Sequence[Words], before: Sequence[Words] | None, *, names: tuple[str, str]
) -> discord.Embed:
    """Compare the best words of the current version and the one before, mask by mask.

    Args:
        now: For each mask, words with their probabilities, best first.
        before: The same for the previous version; None if the champion has no predecessor.
        names: The names of both versions.
    """
    title = say("compare.title", now=names[0], before=names[1])
    if before is None:
        title = say("compare.one_title", version=names[0])
    embed = discord.Embed(title=title, colour=COLOUR)
    several = len(now) > 1
    summary = []
    for mask, words in enumerate(now):
        old = before[mask] if before is not None else None
        ours = "\n".join(
            f"{_mark(word, rank, old)}{_line(word, share, rank)}" for rank, (word, share) in enumerate(words)
        )
        _add(embed, say("compare.now", version=names[0]), ours, mask=mask if several else None)
        if old is None:
            continue
        kept = {word for word, _ in words}
        theirs = "\n".join(
            f"{'' if word in kept else '✖ '}{_line(word, share, rank)}"
            for rank, (word, share) in enumerate(old)
        )
        _add(embed, names[1], theirs, mask=mask if several else None)
        if several:
            # Fills the row of three, so that the next blank starts a new row.
            embed.add_field(name=BLANK, value=BLANK)
        line = _summary(words, old)
        summary.append(say("compare.best_of", number=mask + 1, line=line) if several else line)
    embed.description = "\n".join(summary) or say("compare.no_previous", version=names[0])
    if before is not None:
        embed.set_footer(text=say("compare.legend"))
    return embed


def _add(embed: discord.Embed, name: str, value: str, *, mask: int | None) -> None:
    title = name if mask is None else say("compare.for_blank", name=name, number=mask + 1)
    embed.add_field(name=title, value=clipped(value, MAX_FIELD))


def _summary(now: Words, before: Words) -> str:
    """Summarise in one line: the best word, and how many words are new or moved."""
    if [word for word, _ in now] == [word for word, _ in before]:
        return say("compare.same")
    marks = [_mark(word, rank, before) for rank, (word, _) in enumerate(now)]
    best, was = escape(now[0][0]), escape(before[0][0])
    first = say("compare.best_stays", now=best) if best == was else say("compare.best", before=was, now=best)
    moves = say("compare.moves", new=marks.count("✚ "), up=marks.count("▲ "), down=marks.count("▼ "))
    return f"{first} {moves}"


def _mark(word: str, rank: int, before: Words | None) -> str:
    """Return the symbol that shows how a word's rank changed."""
    if before is None:
        return ""
    was = next((at for at, (old, _) in enumerate(before) if old == word), None)
    if was is None:
        return "✚ "
    return "▲ " if rank < was else "▼ " if rank > was else ""


def _line(word: str, share: float, rank: int) -> str:
    bold = "**" if rank == 0 else ""
    return f"{bold}{escape(word)}{bold} · {small_percent(share)}"
