"""The signals of a judgement, and its weight."""

from typing import Any

import polars as pl
import pytest

from training.votes.checks.edge_cases import EdgeCaseWeights

SCHEMA: dict[str, Any] = dict.fromkeys(("score", "up", "down", "novelty"), pl.Float64)


def judged(
    score: float | None = 0.2, *, up: float = 2.0, down: float = 0.0, novelty: float = 0.0
) -> tuple[str, float]:
    frame = pl.DataFrame([(score, up, down, novelty)], schema=SCHEMA, orient="row")
    row = EdgeCaseWeights().run(frame)["output"].row(0, named=True)
    return row["signals"], row["weight"]


def test_an_ordinary_judgement_weighs_one() -> None:
    assert judged() == ("", 1.0)


@pytest.mark.parametrize(
    ("judgement", "signals", "weight"),
    [
        ({"score": 0.3, "up": 0.0, "down": 1.0}, "confident but rejected", 2.0),
        ({"score": 0.09}, "unsure but liked", 2.0),
        ({"score": None}, "unsure but liked", 2.0),
        ({"novelty": 0.5}, "new kind of query", 2.0),
        ({"novelty": 0.49}, "", 1.0),
        (
            {"score": 0.01, "novelty": 1.0},
            "unsure but liked; new kind of query",
            2.0,
        ),  # twice, not four times
        ({"down": 1.0}, "contested", 0.5),  # two against one
        ({"up": 1.0, "down": 2.0}, "contested", 0.5),
        ({"up": 3.0, "down": 1.0}, "", 1.0),
        ({"score": 0.01, "down": 1.0}, "unsure but liked; contested", 0.5),  # lowered, not raised
    ],
)
def test_signals_and_their_weight(judgement: dict[str, Any], signals: str, weight: float) -> None:
    assert judged(**judgement) == (signals, weight)


def test_no_judgements() -> None:
    named = EdgeCaseWeights().run(pl.DataFrame(schema=SCHEMA))["output"]
    assert (len(named), named.schema["signals"], named.schema["weight"]) == (0, pl.Utf8, pl.Float64)
