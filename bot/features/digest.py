"""The digest of a nightly run: one sentence and a picture, in place of the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import discord
import structlog

from bot.embeds.replies import MAX_DESCRIPTION, clipped, escape, notice_embed
from bot.embeds.run_figures import figures_of, moved_words, plain_reason, reasons_of, run_title
from bot.embeds.run_outcomes import outcome_of
from bot.errors import BotError
from bot.runs.training_runs import RunEnd, version_of
from bot.subprocesses.charts import attach
from bot.texts import named, say, translated
from bot.wiring import Parts
from storage import runs
from storage.errors import StorageError
from storage.runs import JUDGED, UNDECIDED, Run
from storage.votes.approval import Totals, totals
from training.errors import RegistryError

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any vote
# Up to this age the previous night is "yesterday"; an older one is named by its day.
A_NIGHT = timedelta(hours=36)
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fresh:
    """The votes since the previous night, which read them up to `since`; None if it was the first."""

    totals: Totals
    since: datetime | None


class Digests:
    """Builds the digest messages."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._registry, self._pictures = parts.storage.registry, parts.announcing.pictures

    async def message(self, end: RunEnd, figure: str) -> tuple[discord.Embed, discord.File | None]:
        """How a nightly run ended, with a chart if it trained; `figure` is the approval sentence."""
        if end.run is None:
            return notice_embed(f"{say('run.failed_because', sentence=end.sentence)} {figure}".rstrip()), None
        run, file = end.run, None
        version = run.challenger or version_of(self._registry, run)
        embed = discord.Embed(colour=outcome_of(run).colour)
        embed.description = digest(
            run, await self._fresh(run), version=version, sentence=end.sentence, figure=figure
        )
        if run.status in JUDGED and (png := await self._picture(run, version)):
            file = attach(embed, png, name="night", about=embed.description)
        notes = [say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger))]
        if version and self._bot.get_command("report") is not None:
            notes.append(say("digest.hint", usage=f"{self._bot.prefix}report {version}"))
        embed.set_footer(text=" · ".join(notes))
        return embed, file

    async def _fresh(self, run: Run) -> Fresh | None:
        """Return the votes since the previous nightly run; None if the database cannot be read."""
        try:
            before = await runs.latest(self._database, "nightly", before_id=run.id)
            since = before.as_of if before else None
            return Fresh(await totals(self._database, since=since or BEGINNING, until=run.as_of), since)
        except StorageError:
            log.warning("votes.not_counted", exc_info=True)
            return None

    async def _picture(self, run: Run, version: str | None) -> bytes | None:
        """Return the chart of the run; None if there is nothing to draw or drawing fails."""
        try:
            card = self._registry.card(version) if version else None
            figures = figures_of(card, run, title=run_title(card, run))
            return await self._pictures.draw("report", **figures) if figures else None
        except (BotError, RegistryError) as error:
            log.warning("digest.without_picture", reason=str(error))
            return None


def add(parts: Parts) -> None:
    """Announce nightly runs by their digest."""
    parts.announcing.delivery.nightly_message = Digests(parts).message


def digest(run: Run, fresh: Fresh | None, *, version: str | None, sentence: str, figure: str = "") -> str:
    """Say how people voted, which words moved, and how the run ended; then how people like the champion.

    Args:
        run: The finished run.
        fresh: The new votes; None if they could not be counted.
        version: The version that the run made, if any.
        sentence: The run's own sentence on how it ended.
        figure: A sentence on how people like the champion; may be empty.
    """
    parts = [_votes(fresh.totals, _since(run, fresh.since))] if fresh else []
    if run.status == "promoted":
        parts += [moved] if (moved := _moved(run)) else []
        parts.append(say("digest.promoted", version=version or say("run.a_new_version")))
    elif run.status in UNDECIDED:
        parts.append(say(f"digest.undecided.{run.status}", version=run.challenger, champion=run.champion))
    elif run.status == "rejected":
        reasons = [plain_reason(reason) for reason in reasons_of(run, None) if not reason["passed"]]
        why = say("digest.and").join(reasons) or sentence.rstrip(".")
        name = version or say("digest.the_new_version")
        parts.append(say("digest.rejected", version=name, why=why, champion=run.champion))
    else:
        why = sentence or translated(run.reason)
        what = say("digest.skipped") if run.status == "skipped" else say("digest.failed")
        parts = [". ".join([*parts, f"{what} {why}".rstrip(". ")])]
    text = f"{'; '.join(parts)}."
    return clipped(escape("\n\n".join([text, figure] if figure else [text])), MAX_DESCRIPTION)


def _votes(fresh: Totals, since: str) -> str:
    if not fresh.votes:
        return say("digest.no_votes", since=since)
    people = say("people", n=fresh.voters)
    return say("digest.votes", n=fresh.votes, people=people, since=since)


def _since(run: Run, since: datetime | None) -> str:
    if since is None:
        return say("digest.so_far")
    if run.as_of - since <= A_NIGHT:
        return say("digest.since_yesterday")
    return say("digest.since", day=since.day, month=say(f"digest.months.{since.month}"))


def _moved(run: Run) -> str:
    """Name the word that left most sentences, and the word that entered most."""
    moved = moved_words(run)
    said = []
    if went := _first(moved.went):
        said.append(say("digest.left", n=went[1], word=went[0], count=went[1]))
    if came := _first(moved.came):
        key = {"n": came[1], "word": came[0], "count": came[1]}
        said.append(say("digest.entered_too", **key) if went else say("digest.entered", **key))
    return ", ".join(said)


def _first(words: Mapping[str, int]) -> tuple[str, int] | None:
    return next(iter(words.items()), None)
