"""The best words of two model versions next to each other. Pure."""

from collections.abc import Sequence

import discord

from bot.embeds.replies import COLOUR, MAX_FIELD, clipped, escape, small_percent
from bot.texts import say

BLANK = "\u200b"
Words = Sequence[tuple[str, float]]


def compare_embed(
    now: Sequence[Words], before: Sequence[Words] | None, *, names: tuple[str, str], serves: str | None = None
) -> discord.Embed:
    """Compare the best words of a version and of an earlier one, mask by mask.

    Args:
        now: For each mask, words with their probabilities, best first.
        before: The same for the earlier version; None without one.
        names: The names of both versions.
        serves: The version that answers now; None for the first.
    """
    title = say("compare.title", now=names[0], before=names[1])
    if before is None:
        title = say("compare.one_title", version=names[0])
    embed = discord.Embed(title=title, colour=COLOUR)
    several = len(now) > 1
    columns = [say("compare.now", version=name) if name == (serves or names[0]) else name for name in names]
    summary = []
    for mask, words in enumerate(now):
        old = before[mask] if before is not None else None
        ours = "\n".join(
            f"{_mark(word, rank, old)}{_line(word, share, rank)}" for rank, (word, share) in enumerate(words)
        )
        _add(embed, columns[0], ours, mask=mask if several else None)
        if old is None:
            continue
        kept = {word for word, _ in words}
        theirs = "\n".join(
            f"{'' if word in kept else '✖ '}{_line(word, share, rank)}"
            for rank, (word, share) in enumerate(old)
        )
        _add(embed, columns[1], theirs, mask=mask if several else None)
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
