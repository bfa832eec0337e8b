"""Days and nights on a tiny model, through the real pipeline."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.databases import TEMPLATE

from storage.sentences import Sentence
from training.errors import HomeInUseError
from training.evaluation import candidate
from training.evaluation.metrics import Case
from training.inference.fill_model import FillModel
from training.progress import NoProgress
from training.registry.versions import Registry
from training.settings import NightSettings, Settings
from training.simulation.nights import Plan, Simulation, home_of
from training.simulation.people import People
from training.simulation.taste import Taste

NIGHT = NightSettings(
    learning_rate=1e-3, min_steps=20, max_steps=20, batch_examples=4, replay_examples=2, anchor_examples=2
)
QUERIES = ("Nike shoes are very [MASK].", "My boots are so [MASK].", "These socks are [MASK].")
TESTS = (
    Case("The red shoes are [MASK].", ("great", "soft"), ("ugly", "bad"), "praise"),
    Case("The order was [MASK].", ("late",), ("great",), "control_complaint"),
)
TEXTS = ("The shoes are old and the box is broken.",)


def plan_of(settings: Settings, **changed: Any) -> Plan:
    """People who reject the two best words of each query and like the third."""
    filled = FillModel(settings.models_dir / "v0001").fill(QUERIES, top=5)
    queries = tuple(
        Case(text, (best[2].word,), (best[0].word, best[1].word), "praise")
        for text, (best,) in zip(QUERIES, filled, strict=True)
    )
    usual = {"people": People.of("menu:3", flips=0.0), "nights": 1, "night": NIGHT}
    return Plan(**{"queries": queries, "tests": TESTS, "texts": TEXTS, **usual, **changed})


def judge_always(monkeypatch: pytest.MonkeyPatch, *, is_promotable: bool) -> None:
    """Make the gate say this, whatever the tiny model does."""
    decide = candidate.gate.decide

    def always(measured: Any) -> Any:
        reason = candidate.gate.Reason("learnt", is_promotable, Sentence("it is a test"))
        return type(decide(measured))(is_promotable, (reason,))

    monkeypatch.setattr(candidate.gate, "decide", always)


@pytest.mark.long
def test_nights_learn_from_what_people_reject(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_always(monkeypatch, is_promotable=True)
    with home_of(settings, tmp_path / "kept") as own:
        simulation = Simulation(own, plan_of(settings, nights=2), NoProgress())
        before = simulation.before["serving"]
        first, second = simulation.nights()
    assert (before["version"], before["voted"]["unwanted_before"]) == ("v0001", 6)
    assert (first["votes"], first["voters"], first["judgements"]) == (27, 3, 9)
    assert (first["status"], first["version"], first["failures"]) == ("promoted", "v0002", [])
    assert first["serving"] == first["challenger"]
    voted = first["serving"]["voted"]
    assert (voted["rejected"], voted["rejected_before"]) == (6, 6)
    assert voted["rejected_after"] <= 2
    assert (first["latency_ratio"], first["seconds"] > 0) == (1.0, True)
    # The same people say the same again, so that there is nothing new to learn.
    assert (second["night"], second["status"], second["version"]) == (2, "skipped", None)
    assert second["votes"] > first["votes"]
    assert TEMPLATE or (tmp_path / "kept" / "fillbot.db").exists()


def test_after_a_change_of_taste_votes_and_figures_follow_the_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_always(monkeypatch, is_promotable=True)
    plan = plan_of(settings, nights=3)
    liked = {word for case in plan.queries for word in case.unwanted}
    taste = Taste(frozenset(liked), frozenset(w for c in plan.queries for w in c.wanted if w not in liked))
    with home_of(settings, None) as own:
        rows = list(Simulation(own, replace(plan, tastes={3: taste}), NoProgress()).nights())
    assert [row["status"] for row in rows] == ["promoted", "skipped", "promoted"]  # night 2 hears no news
    unwanted = [sum(len(case.unwanted) for case in plan.queries)] * 2
    unwanted.append(sum(len(taste.turned(case).unwanted) for case in plan.queries))
    assert [row["serving"]["voted"]["unwanted_before"] for row in rows] == unwanted
    voted = rows[2]["serving"]["voted"]
    assert voted["rejected_after"] <= voted["rejected_before"]


def test_a_forgotten_voter_has_no_votes_left_and_another_version_serves(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_always(monkeypatch, is_promotable=True)
    people = People.of("menu:3,menu:1@-1", flips=0.0)
    with home_of(settings, None) as own:
        plan = plan_of(settings, nights=2, people=people, forgotten={2: (4,)})
        first, second = Simulation(own, plan, NoProgress()).nights()
    assert (first["voters"], second["voters"]) == (4, 3)
    assert second["serving"]["version"] == second["version"]


def test_a_day_may_have_a_part_of_the_queries(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    people = People.of("menu:1", flips=0.0)  # too few for a judgement: no night trains
    with home_of(settings, None) as own:
        plan = plan_of(settings, nights=2, people=people, asked_a_day=1)
        first, second = Simulation(own, plan, NoProgress()).nights()
    assert (first["votes"], second["votes"]) == (3, 6)


def test_a_rejected_version_is_measured_while_the_champion_serves_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_always(monkeypatch, is_promotable=False)
    with home_of(settings, None) as own:
        (row,) = Simulation(own, plan_of(settings), NoProgress()).nights()
    assert (row["status"], row["version"], row["failures"]) == ("rejected", "v0002", ["it is a test"])
    assert (row["serving"]["version"], row["challenger"]["version"]) == ("v0001", "v0002")
    assert row["serving"]["voted"]["rejected_after"] == 6
    assert row["challenger"]["voted"]["rejected_after"] <= 2


@pytest.mark.long
def test_the_same_seed_gives_the_same_night_and_nobodys_home_is_touched(
    settings: Settings, tmp_path: Path
) -> None:
    def row() -> dict[str, Any]:
        people = People.of("menu:3", flips=0.3)
        with home_of(settings, None) as own:
            (row,) = Simulation(own, plan_of(settings, people=people), NoProgress()).nights()
            assert Registry(own.models_dir).versions() == ["v0001", "v0002"]
        assert not own.home.exists()
        return {name: value for name, value in row.items() if name != "seconds"}

    assert row() == row()
    assert Registry(settings.models_dir).versions() == ["v0001"]
    assert not (tmp_path / "theirs.db").exists()


def test_two_people_are_needed_in_the_sandbox_too(settings: Settings) -> None:
    with home_of(settings, None) as own:
        people = People.of("menu:1", flips=0.0)
        (row,) = Simulation(own, plan_of(settings, people=people), NoProgress()).nights()
    assert (row["status"], row["version"], row["challenger"]) == ("skipped", None, None)
    assert row["serving"]["version"] == "v0001"


@pytest.mark.parametrize("name", ["theirs", "file"])
def test_a_home_that_is_somebodys_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeInUseError, match="not an empty folder"), home_of(settings, tmp_path / name):
        pass
