"""Ways to train, by name."""

from pathlib import Path

import pytest

from training.errors import UnknownLossError
from training.finetuning.objective import OURS
from training.simulation import recipes
from training.simulation.recipes import recipe_of


def test_ours_is_the_one_that_nights_use() -> None:
    assert recipe_of("ours") is OURS


@pytest.mark.parametrize("name", ["ce", "unlikelihood", "dpo", "kto"])
def test_the_alternatives_have_no_anchors_and_reach_nobody(name: str) -> None:
    recipe = recipe_of(name)
    assert (recipe.name, recipe.has_anchors, recipe.has_reach) == (name, False, False)
    assert recipe.has_replay == (name == "unlikelihood")


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UnknownLossError, match=r"no loss 'best'. Losses here: ours, ce, unlikelihood, dpo, kto"
    ):
        recipe_of("best")


def test_without_a_checkout_there_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recipes, "ALTERNATIVES", tmp_path / "losses.py")
    assert recipe_of("ours") is OURS
    with pytest.raises(UnknownLossError, match=r"Losses here: ours\. The alternatives are in .*losses\.py"):
        recipe_of("ce")
