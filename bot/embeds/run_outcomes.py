"""How runs may end: the title, the colour and the next step of each outcome, in one table. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import discord

from bot.texts import say
from storage.runs import UNDECIDED, Run

# A colour says what an outcome means for the model that answers.
BETTER = discord.Colour.from_rgb(0x2E, 0x9E, 0x6B)  # green: a new model is in use, as intended
UNCHANGED = discord.Colour.from_rgb(0x7A, 0x82, 0x8C)  # grey: nothing changed, and nothing has to be done
SET_BACK = discord.Colour.from_rgb(0xD9, 0x9A, 0x2B)  # amber: a model was refused or taken back; see why
FAILED = discord.Colour.from_rgb(0xC4, 0x4D, 0x4D)  # red: something is broken


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How one outcome is shown.

    Attributes:
        title: name of the title in the texts.
        colour: one of the four above.
        next_step: name of the sentence on what serves now and what can be done; empty if the run's own
            sentence says it.
        is_said_by_title: whether the run's own sentence adds nothing to the title and the next step.
    """

    title: str
    colour: discord.Colour
    next_step: str = ""
    is_said_by_title: bool = False


OUTCOMES: Mapping[str, RunOutcome] = {  # by status
    "promoted": RunOutcome("promoted", BETTER, "promoted", is_said_by_title=True),
    "rejected": RunOutcome("night_rejected", SET_BACK, "rejected"),
    "waiting": RunOutcome("waiting", UNCHANGED, "waiting"),
    "proving": RunOutcome("proving", UNCHANGED, "proving"),
    "skipped": RunOutcome("skipped", UNCHANGED, "skipped"),
    "failed": RunOutcome("failed", FAILED, "failed"),
    "done": RunOutcome("done", UNCHANGED),
}
OUTCOMES_OF_TRIGGER: Mapping[tuple[str, str], RunOutcome] = {  # where the trigger makes a difference
    ("domain", "promoted"): RunOutcome("domain_promoted", BETTER, "domain_promoted"),
    ("domain", "rejected"): RunOutcome("domain_rejected", SET_BACK, "domain_rejected"),
    ("domain", "done"): RunOutcome("domain_done", UNCHANGED),
    ("domain", "failed"): RunOutcome("failed", FAILED, "domain_failed"),
    # The champion was withdrawn: where no version replaces it, the sentence says that the domain model does.
    ("forget", "promoted"): RunOutcome("promoted", BETTER),
    ("forget", "rejected"): RunOutcome("night_rejected", SET_BACK),
    ("forget", "skipped"): RunOutcome("skipped", SET_BACK),
    ("forget", "failed"): RunOutcome("failed", FAILED),
    ("rollback", "done"): RunOutcome("done", SET_BACK),
    ("withdrawal", "done"): RunOutcome("done", SET_BACK),
    ("promote", "done"): RunOutcome("promoted", BETTER),
    ("resume", "done"): RunOutcome("done", BETTER),
}


def outcome_of(run: Run) -> RunOutcome:
    """Look up how a finished run is shown."""
    return OUTCOMES_OF_TRIGGER.get((run.trigger, run.status)) or OUTCOMES.get(run.status, OUTCOMES["done"])


def title_of(run: Run) -> str:
    """Say how a run ended, as the title of a message."""
    return say(f"run.titles.{outcome_of(run).title}", version=run.challenger or say("run.a_new_version"))


def next_step_of(run: Run, *, champion: str, prefix: str) -> str:
    """Say that the champion serves, and what can be done; empty if the run's own sentence says it."""
    step = outcome_of(run).next_step
    return say(f"run.next.{step}", champion=champion, prefix=prefix) if step else ""


def tense_of_changes(run: Run | None) -> Literal["past", "future", "unreal"]:
    """Return whether what a version changes did change, may yet change, or never will."""
    if run is not None and run.status in UNDECIDED:
        return "future"
    return "unreal" if run is not None and run.status in ("rejected", "failed") else "past"
