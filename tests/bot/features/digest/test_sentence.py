"""The night in one sentence: every way a run may end, with and without votes and moved words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.embeds.run_figures import plain_reason
from bot.features.digest import Fresh, digest
from storage.runs import Run
from storage.votes.approval import Totals
from training.evaluation.gate import CRITERIA

NIGHT = datetime(2026, 3, 2, 3, tzinfo=UTC)
FRESH = Fresh(Totals(43, 30, 9), NIGHT - timedelta(days=1))
MOVED = {"queries": 30, "changed": 9, "came": {"breathable": 4, "light": 1}, "went": {"expensive": 6}}


def run(status: Any = "promoted", **columns: Any) -> Run:
    given: dict[str, Any] = {
        "id": 7,
        "trigger": "nightly",
        "status": status,
        "started_at": NIGHT,
        "finished_at": NIGHT,
        "as_of": NIGHT,
        "retraining_set_hash": None,
        "champion": "v0011",
        "challenger": None,
        "verdict": None,
        "report": {"moved_words": MOVED},
        **columns,
    }
    return Run(**given)


def told(of: Run, fresh: Fresh | None = FRESH, **given: Any) -> str:
    return digest(of, fresh, **{"version": "v0012", "sentence": "", **given})


def test_a_promotion_tells_who_voted_and_what_moved() -> None:
    assert told(run()) == (
        "43 votes by 9 people since yesterday; “expensive” dropped out of the best words of 6 sentences, "
        "“breathable” entered those of 4; "
        "v0012 was promoted."
    )


@pytest.mark.parametrize(
    ("came", "went", "said"),
    [
        ({}, {}, ""),
        ({"light": 1}, {}, "“light” entered the best words of one sentence; "),
        (
            {"light": 1},
            {"poor": 1},
            "“poor” dropped out of the best words of one sentence, “light” entered those of one; ",
        ),
        ({}, {"ug*ly": 2}, "“ug\\*ly” dropped out of the best words of 2 sentences; "),
    ],
)
def test_only_what_moved_is_told(came: dict[str, int], went: dict[str, int], said: str) -> None:
    report = {"moved_words": {**MOVED, "came": came, "went": went}}
    assert told(run(report=report)) == f"43 votes by 9 people since yesterday; {said}v0012 was promoted."


def test_runs_that_did_not_count_moved_words_are_told_by_their_changes() -> None:
    changes = [{"query": "q", "before": ["a", "b"], "after": ["b", "c"]}] * 2
    assert "“a” dropped out of the best words of 2 sentences, “c” entered those of 2" in told(
        run(report={"changes": changes})
    )


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        (Fresh(Totals(0, 0, 0), FRESH.since), "No new votes since yesterday; "),
        (Fresh(Totals(1, 0, 1), None), "One vote by one person so far; "),
        (Fresh(Totals(1234, 0, 2), NIGHT - timedelta(days=9)), "1,234 votes by 2 people since 21 February; "),
        (None, ""),
    ],
)
def test_votes_are_counted_since_the_night_before(fresh: Fresh | None, said: str) -> None:
    assert told(run(report=None), fresh) == f"{said}v0012 was promoted."


def test_a_rejection_says_why_in_plain_words_and_who_goes_on() -> None:
    reasons = [
        {"name": "learnt", "passed": False, "text": "of 42 rejected words 11"},
        {"name": "drift", "passed": False, "text": "0.2 nats"},
        {"name": "praise", "passed": True, "text": "fine"},
    ]
    assert told(run("rejected", verdict={"reasons": reasons})) == (
        "43 votes by 9 people since yesterday; v0012 was not promoted, because it learnt nothing new from "
        "the votes, and answers to other sentences changed too much, so v0011 stays."
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("waiting", "v0012 passed every test; until an admin decides, v0011 stays."),
        ("proving", "v0012 passed every test and answers together with v0011 until your votes decide."),
    ],
)
def test_a_version_that_is_not_champion_yet_is_not_said_to_have_moved_words(status: str, said: str) -> None:
    assert told(run(status, challenger="v0012")) == f"43 votes by 9 people since yesterday; {said}"


def test_a_skipped_night_gives_its_reason() -> None:
    said = told(run("skipped", report=None), version=None, sentence="A run needs 20 judged words.")
    assert said == (
        "43 votes by 9 people since yesterday. There is no new version tonight: A run needs 20 judged words."
    )


def test_a_failed_night_says_that_nothing_was_lost() -> None:
    said = told(run("failed", report=None), None, version=None, sentence="The disk is full.")
    assert said == "Tonight's run failed, and the model stays as it was: The disk is full."


def test_how_people_like_the_champion_stands_below() -> None:
    assert told(run(report=None), None, figure="People liked 80 %.") == (
        "v0012 was promoted.\n\nPeople liked 80 %."
    )


@pytest.mark.parametrize("name", [criterion.name for criterion in CRITERIA])
@pytest.mark.parametrize("passed", [True, False])
def test_every_test_of_the_gate_has_plain_words(name: str, passed: bool) -> None:
    assert plain_reason({"name": name, "passed": passed, "text": "0.2 nats"}) != "0.2 nats"


def test_a_test_that_is_new_is_told_in_its_own_words() -> None:
    assert plain_reason({"name": "colour", "passed": True, "text": "it is blue"}) == "it is blue"
