"""`!report`: what a version learnt, and why it was promoted or not, in plain words and a picture."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command, offering
from bot.embeds.replies import (
    COLOUR,
    MAX_DESCRIPTION,
    MAX_FIELD,
    add_wrong_way,
    changes_text,
    clipped,
    escape,
    precision_note,
    verdict_lines,
    votes_line,
)
from bot.embeds.run_figures import BEFORE_THE_SETTING, figures_of, moved_words, origin, reasons_of, run_title
from bot.embeds.run_outcomes import outcome_of, tense_of_changes
from bot.errors import PictureError
from bot.runs.training_runs import version_of
from bot.subprocesses.charts import DRAWINGS, DRAWINGS_WITHIN_S, attach
from bot.texts import named, number, say, translated
from bot.wiring import Parts
from storage import runs
from storage.runs import Run
from storage.votes.menu_votes import count_reasons
from training.errors import RegistryError
from training.registry.card import Card

SHOWN_WORDS = 6


class Report(commands.Cog):
    """The command `!report`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._registry, self._follower = parts.storage.registry, parts.inference.follower
        self._proof = parts.scheduled.proof
        self._verdicts, self._pictures = parts.announcing.verdicts, parts.announcing.pictures

    @command("report", group="charts", cooldown=(DRAWINGS, DRAWINGS_WITHIN_S))
    async def report(self, context: Context, version: str | None = None) -> None:
        """Report what a version learnt, and why it was promoted or not."""
        card, run = await self._found(version.strip().lower() if version else None)
        shown = await self._verdicts.showable_changes(run, channel_id=context.channel.id) if run else set()
        title, notes = run_title(card, run), []
        if card is not None and card.version in self._registry.withdrawn():
            notes.append(say("report.withdrawn"))
        if card is not None and (preferred := await self._proof.figure(card.version)) is not None:
            notes.append(preferred)
        png = None
        if figures := figures_of(card, run, title=title):
            try:
                png = await self._pictures.draw("report", **figures)
            except PictureError as error:
                notes.append(str(error))
        until = run.as_of if run is not None else datetime.now(UTC)
        reasons = await count_reasons(self._database, until=until)
        embed = report_embed(card, run, shown=shown, notes=notes, reasons=reasons)
        file = attach(embed, png, name="report", about=title) if png else None
        await send_reply(context, embed=embed, file=file)

    @report.autocomplete("version")
    @offering
    async def _complete_version(self, interaction: discord.Interaction, typed: str) -> list[str]:
        if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
            return []
        return [name for name in reversed(self._registry.versions()) if typed.lower() in name]

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


def add(parts: Parts) -> None:
    """Add `!report`."""
    parts.discord.bot.add_cogs(Report(parts))


def report_embed(
    card: Card | None,
    run: Run | None,
    *,
    shown: Collection[str],
    notes: Collection[str] = (),
    reasons: Mapping[str, int] | None = None,
) -> discord.Embed:
    """Build the report on a version, a run, or both, with the changes of the queries in `shown`.

    `reasons` counts the votes up to the run in which people said why words were bad.
    """
    colour = outcome_of(run).colour if run is not None else COLOUR
    embed = discord.Embed(title=run_title(card, run), colour=colour)
    lines = [origin(card)] if card else []
    lines += [translated(run.reason)] if run is not None and run.reason else []
    embed.description = clipped(escape("\n".join(lines)), MAX_DESCRIPTION) or None
    findings = reasons_of(run, card)
    if findings:
        is_domain = card is not None and card.kind == "domain"
        value = verdict_lines(findings, is_domain=is_domain)
        embed.add_field(name=say("report.why"), value=value, inline=False)
    report = (run.report if run else None) or {}
    if "votes" in report:
        value = say("report.votes", n=report["judgements"], votes=votes_line(report))
        embed.add_field(name=say("report.learnt_from"), value=value, inline=False)
    if reasons:
        lines = [f"{named('rating.reasons', name)} · {number(n, ',')}" for name, n in reasons.items()]
        embed.add_field(name=say("report.bad_because"), value=clipped("\n".join(lines), MAX_FIELD))
    add_wrong_way(embed, report, shown)
    moved = moved_words(run)
    top = (report.get("metrics") or {}).get("shown_words", BEFORE_THE_SETTING)
    for name, words in ((say("report.came", top=top), moved.came), (say("report.went", top=top), moved.went)):
        if words:
            embed.add_field(name=name, value=_words_line(words))
    if note := precision_note(report):
        embed.add_field(name=say("model.precision"), value=note, inline=False)
    if changed := changes_text(report, shown):
        name = say(f"report.changes.{tense_of_changes(run)}")
        embed.add_field(name=name, value=changed, inline=False)
    for note in notes:
        embed.add_field(name=say("model.note"), value=clipped(note, MAX_FIELD), inline=False)
    if run is not None:
        embed.set_footer(text=say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger)))
    return embed


def _words_line(words: Mapping[str, int]) -> str:
    """List the words that moved most, with the number of sentences."""
    shown = list(words.items())[:SHOWN_WORDS]
    return clipped("\n".join(f"{escape(word)} · {count}" for word, count in shown), MAX_FIELD)
