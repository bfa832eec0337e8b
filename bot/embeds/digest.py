"""Summarises a night in one sentence. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.embeds.replies import MAX_DESCRIPTION, clipped, escape
from bot.embeds.run_figures import moved_words, plain_reason, reasons_of
from bot.texts import say, translated
from storage.runs import Run
from storage.votes.statistics import Totals

A_NIGHT = timedelta(
    hours=36
)  # up to this age the previous night is "yesterday"; an older one is named by its day


@dataclass(frozen=True, slots=True)
class Fresh:
    """The votes since the previous night, which read them up to `since`; None if it was the first."""

    totals: Totals
    since: datetime | None


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
