"""Every way a run may end has a title, a colour that says what it means, and a next step."""

from typing import get_args

import pytest
from support.run_rows import promoted_run

from bot.embeds.replies import notice_embed, verdict_embed
from bot.embeds.run_outcomes import BETTER, FAILED, SET_BACK, UNCHANGED, next_step_of, outcome_of, title_of
from bot.texts import languages, speaking
from storage.runs import Status

TRIGGERS = (
    "nightly",
    "retrain",
    "cli",
    "domain",
    "forget",
    "rollback",
    "withdrawal",
    "promote",
    "resume",
    "keep",
    "denied",
    "preferred",
)
COLOURS = {"promoted": BETTER, "rejected": SET_BACK, "skipped": UNCHANGED, "failed": FAILED}
CHANGED = {  # what a run of this trigger and status does to the model that answers, where it is not the rule
    ("domain", "done"): UNCHANGED,
    ("forget", "skipped"): SET_BACK,
    ("rollback", "done"): SET_BACK,
    ("withdrawal", "done"): SET_BACK,
    ("promote", "done"): BETTER,
    ("resume", "done"): BETTER,
}


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("status", [status for status in get_args(Status) if status != "open"])
@pytest.mark.parametrize("language", languages())
def test_every_outcome_is_shown(trigger: str, status: Status, language: str) -> None:
    run = promoted_run(trigger=trigger, status=status)
    colour = CHANGED.get((trigger, status)) or COLOURS.get(status, UNCHANGED)
    assert outcome_of(run).colour == colour
    with speaking(language):
        step = next_step_of(run, champion="v0001", prefix="?")
        assert "{" not in title_of(run) + step
        embed = verdict_embed(run, "It ended.", next_step=step)
    assert (embed.colour, notice_embed("It ended.", run).colour) == (colour, colour)
    # Of a promotion the title and the next step say all that the run's own sentence does.
    is_said = status == "promoted" and trigger not in ("domain", "forget")
    assert str(embed.description).splitlines() == [*([] if is_said else ["It ended."]), *filter(None, [step])]


@pytest.mark.parametrize("trigger", ["nightly", "retrain", "cli"])
@pytest.mark.parametrize("status", ["promoted", "rejected", "skipped", "failed"])
def test_a_run_on_votes_says_what_serves_now(trigger: str, status: Status) -> None:
    step = next_step_of(promoted_run(trigger=trigger, status=status), champion="v0007", prefix="!")
    assert step.startswith("v0007 ")


def test_a_new_domain_model_is_not_said_to_serve() -> None:
    run = promoted_run(trigger="domain", challenger="v0004")
    assert title_of(run) == "v0004 is the new domain model"
    assert next_step_of(run, champion="v0002", prefix="!").startswith(
        "`!retrain` applies the votes to it now"
    )


def test_nothing_is_offered_that_a_withdrawn_champion_forbids() -> None:
    """After a request to be forgotten there is no version before the new one to go back to."""
    for status in ("promoted", "rejected", "skipped", "failed"):
        assert next_step_of(promoted_run(trigger="forget", status=status), champion="v0003", prefix="!") == ""


def test_a_notice_without_a_run_is_about_a_problem() -> None:
    assert notice_embed("The disk is full.").colour == FAILED
