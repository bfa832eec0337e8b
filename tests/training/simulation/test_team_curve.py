"""What parts of a team's votes would have taught, on a tiny model."""

import random
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from training.errors import TooFewJudgementsError
from training.evaluation.metrics import Case
from training.inference.fill_model import Candidate, FillModel
from training.progress import NoProgress
from training.settings import NightSettings, Settings
from training.simulation import team_curve as module
from training.simulation.people import AskedQuery, People, record
from training.simulation.team_curve import Parts, figures, team_curve
from training.synchronous_database import SynchronousDatabase
from training.votes.retraining_set import Example

HASHES = [f"hash{number}" for number in range(1000)]
SHOWN = ("great", "ugly", "soft", "cheap", "warm")
NIGHT = NightSettings(
    learning_rate=1e-3, min_steps=20, max_steps=20, batch_examples=4, replay_examples=2, anchor_examples=2
)
THINGS, COLOURS = ("box", "size", "price", "colour", "sole"), ("red", "blue", "old", "new")
TEXT = "Nike shoes are very [MASK]."


class Model:
    """Shows the same words everywhere."""

    def fill(self, texts: list[str], *, top: int) -> list[list[list[Candidate]]]:
        return [[[Candidate(word, 7, 0.1) for word in SHOWN[:top]]] for _ in texts]


MODEL = cast("FillModel", Model())


def example(*, wanted: tuple[str, ...] = (), unwanted: tuple[str, ...] = ()) -> Example:
    return Example(TEXT, "hash", 0, tuple((w, 1.0) for w in wanted), tuple((w, 1.0) for w in unwanted))


def test_a_fifth_of_the_queries_is_held_out_and_parts_contain_smaller_ones() -> None:
    parts = Parts.of(HASHES)
    assert len(parts.held_out) / len(HASHES) == pytest.approx(0.2, abs=0.04)
    assert {*parts.learnt} | {*parts.held_out} == {*HASHES}
    assert {*parts.first(0.25)} < {*parts.first(0.5)} < {*parts.first(1.0)} == {*parts.learnt}


def test_queries_keep_their_side_when_others_join() -> None:
    few, many = Parts.of(HASHES[:100]), Parts.of(HASHES)
    assert {*few.held_out} <= {*many.held_out}


def test_figures_by_hand() -> None:
    judged = [example(wanted=("great", "poor"), unwanted=("ugly",)), example(wanted=("soft",))]
    found = figures(MODEL, judged, 5)
    assert {name: share and share["value"] for name, share in found.items()} == {
        "accepted_shown": pytest.approx(2 / 3, abs=1e-4),
        "rejected_shown": 1.0,
        "precision": 0.2,
        "unjudged": pytest.approx(7 / 10),
    }


def test_without_rejected_words_there_is_no_share_of_them() -> None:
    assert figures(MODEL, [example(wanted=("soft",))], 5)["rejected_shown"] is None


def vote(settings: Settings, queries: list[str]) -> None:
    """Three people reject the best word of every query and like the second."""
    model = FillModel(settings.models_dir / "v0001")
    asked = []
    for text, (best,) in zip(queries, model.fill(queries, top=5), strict=True):
        asked.append(AskedQuery(Case(text, (best[1].word,), (best[0].word,), "praise"), best))
    with SynchronousDatabase.open(settings.url) as database:
        database.call(
            record,
            asked,
            People.of("menu:3", flips=0.0),
            version="v0001",
            random=random.Random(0),
            at=datetime.now(UTC) - timedelta(days=1),
        )


@pytest.mark.long
def test_each_part_of_the_votes_makes_a_version_and_the_team_keeps_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    vote(settings, [f"The {thing} of my {colour} shoes is [MASK]." for thing in THINGS for colour in COLOURS])
    home = sorted(path.relative_to(settings.home) for path in settings.home.rglob("*"))
    monkeypatch.setattr(module, "MIN_JUDGED", 2)
    before, half, whole = team_curve(settings, NoProgress(), night=NIGHT, shares=(0.5, 1.0))
    assert (before["status"], before["rejected_shown"]["value"]) == ("before", 1.0)
    assert half["queries"] < whole["queries"] < len(THINGS) * len(COLOURS)
    assert (whole["votes"], whole["judgements"]) == (6 * whole["queries"], 2 * whole["queries"])
    assert whole["status"] in ("promoted", "rejected")
    assert whole["rejected_shown"]["value"] <= before["rejected_shown"]["value"]
    assert sorted(path.relative_to(settings.home) for path in settings.home.rglob("*")) == home


def test_a_curve_needs_judged_words_on_held_out_queries(settings: Settings) -> None:
    vote(settings, [TEXT])
    with pytest.raises(TooFewJudgementsError, match="a curve needs 10"):
        next(team_curve(settings, NoProgress(), night=NIGHT))
