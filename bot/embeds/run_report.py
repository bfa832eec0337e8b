"""The report on a run or a version as one embed, in plain words. Pure."""

from collections.abc import Collection, Mapping

import discord

from bot.embeds.replies import (
    COLOUR,
    COLOUR_BAD,
    MAX_DESCRIPTION,
    MAX_FIELD,
    change_line,
    clipped,
    escape,
    verdict_lines,
    votes_line,
)
from bot.embeds.run_figures import moved_words, reasons_of, shown_words
from bot.texts import named, say, translated
from storage.runs import Run
from training.registry.card import Card

SHOWN_WORDS, SHOWN_SENTENCES = 6, 4


def report_title(card: Card | None, run: Run | None) -> str:
    """Return the version and how its run ended, in one line."""
    version = card.version if card else (run.challenger if run else None)
    if run is None or run.status not in ("promoted", "rejected", "skipped", "failed"):
        return say("report.titles.made", version=version or "")
    if version is None and run.status in ("promoted", "rejected"):
        return say("report.titles.nameless")
    return say(f"report.titles.{run.status}", version=version or "")


def report_embed(
    card: Card | None, run: Run | None, *, shown: Collection[str], notes: Collection[str] = ()
) -> discord.Embed:
    """Build the report on a version, a run, or both, with the changes of the queries in `shown`."""
    colour = COLOUR_BAD if run is not None and run.status in ("failed", "rejected") else COLOUR
    embed = discord.Embed(title=report_title(card, run), colour=colour)
    lines = [say(f"model.kinds.{card.kind}", base=card.base, parent=card.parent)] if card else []
    lines += [translated(run.reason)] if run is not None and run.reason else []
    embed.description = clipped(escape("\n".join(lines)), MAX_DESCRIPTION) or None
    reasons = reasons_of(run, card)
    if reasons:
        is_domain = card is not None and card.kind == "domain"
        value = verdict_lines(reasons, is_domain=is_domain)
        embed.add_field(name=say("report.why"), value=value, inline=False)
    report = (run.report if run else None) or {}
    if "votes" in report:
        value = say("report.votes", n=report["judgements"], votes=votes_line(report))
        embed.add_field(name=say("report.learnt_from"), value=value, inline=False)
    moved = moved_words(run)
    top = shown_words(run)
    for name, words in ((say("report.came", top=top), moved.came), (say("report.went", top=top), moved.went)):
        if words:
            embed.add_field(name=name, value=_words_line(words))
    changes = [c for c in report.get("changes", ()) if c["query"] in shown and c["before"] != c["after"]]
    if changes:
        text = "\n".join(change_line(change) for change in changes[:SHOWN_SENTENCES])
        embed.add_field(name=say("report.sentences"), value=clipped(text, MAX_FIELD), inline=False)
    for note in notes:
        embed.add_field(name=say("model.note"), value=clipped(note, MAX_FIELD), inline=False)
    if run is not None:
        embed.set_footer(text=say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger)))
    return embed


def _words_line(words: Mapping[str, int]) -> str:
    """List the words that moved most, with the number of sentences."""
    shown = list(words.items())[:SHOWN_WORDS]
    return clipped("\n".join(f"{escape(word)} · {count}" for word, count in shown), MAX_FIELD)
