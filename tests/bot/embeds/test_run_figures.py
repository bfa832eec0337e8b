"""What a report says of how a version was made, and what the picture of a run shows of the words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.run_rows import promoted_run

from bot.embeds.run_figures import figures_of, origin
from storage.runs import Run
from training.registry.card import Card

HARM = {"pseudo_perplexity": 12.0}


def run(**metrics: Any) -> Run:
    return promoted_run(report={"metrics": {"domain": HARM, "challenger": HARM, **metrics}})


@pytest.mark.parametrize(("name", "recorded", "shown"), [("shown", {"shown_words": 8}, 8), ("at_5", {}, 5)])
def test_runs_from_before_the_setting_showed_five_words(
    name: str, recorded: dict[str, int], shown: int
) -> None:
    counts = {f"unwanted_{name}": 2, f"wanted_{name}": 1, "unwanted": 3, "wanted": 4}
    made = run(voted={"champion": counts, "challenger": counts}, **recorded)
    figures = figures_of(None, made, title="v0002")
    assert figures is not None
    assert figures["asked"] == {"wanted": [4, 1, 1], "unwanted": [3, 2, 2]}
    assert figures["shown_words"] == shown


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("/srv/models/support-base", "support-base"),
        ("distilbert-base-uncased", "distilbert-base-uncased"),
        ("google/bert", "google/bert"),
    ],
)
def test_a_base_model_in_a_folder_is_called_by_its_name(base: str, named: str) -> None:
    card = Card(version="v0001", kind="base", base=base, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert origin(card) == f"The base model {named}, unchanged"
