"""Ways to train, by name."""

from pathlib import Path

import pytest

from training.errors import UnknownLossError
from training.finetuning.objective import DEFAULT_OBJECTIVE
from training.simulation import objectives
from training.simulation.objectives import objective_named


def test_ours_is_the_one_that_nights_use() -> None:
    assert objective_named("ours") is DEFAULT_OBJECTIVE


@pytest.mark.parametrize("name", ["ce", "unlikelihood", "dpo", "kto"])
def test_the_alternatives_have_no_anchors_and_reach_nobody(name: str) -> None:
    objective = objective_named(name)
    assert (objective.name, objective.has_anchors, objective.has_shift) == (name, False, False)
    assert objective.has_replay == (name == "unlikelihood")


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UnknownLossError, match=r"no loss 'best'. Losses here: ours, ce, unlikelihood, dpo, kto"
    ):
        objective_named("best")


def test_without_a_checkout_there_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(objectives, "ALTERNATIVES", tmp_path / "losses.py")
    assert objective_named("ours") is DEFAULT_OBJECTIVE
    with pytest.raises(UnknownLossError, match=r"Losses here: ours\. The alternatives are in .*losses\.py"):
        objective_named("ce")
