"""Findings about differences, and the conclusion."""

import numpy as np
import pytest

from training.evaluation.confidence_intervals import Interval
from training.reports.comparison.figures import ALL, PERPLEXITY, Figure, conclude, figure

PAIR = ("v2", "v1")


def figure_of(
    before: list[float],
    after: list[float],
    *,
    metric: str = "hit_at_1",
    cases: int = 10,
    material: str = "main",
) -> Figure:
    """Of draws, the figure itself first."""
    draws = {"v1": np.asarray(before), "v2": np.asarray(after)}
    return figure(material, ALL, metric, cases, draws=draws, pairs=[PAIR])


def test_a_figure_has_an_interval_for_each_model_and_each_difference() -> None:
    # 41 resamples: the 2.5 % quantile is the second smallest, the 97.5 % quantile the second largest.
    before = [0.5, *np.linspace(0.3, 0.7, 41)]
    after = [0.8, *np.linspace(0.5, 1.3, 41)]
    found = figure_of(before, after)
    assert found.intervals["v1"] == Interval(0.5, pytest.approx(0.31), pytest.approx(0.69))
    assert found.intervals["v2"] == Interval(0.8, pytest.approx(0.52), pytest.approx(1.28))
    (difference,) = found.differences
    assert (difference.model, difference.against) == PAIR
    assert difference.interval == Interval(pytest.approx(0.3), pytest.approx(0.21), pytest.approx(0.59))


@pytest.mark.parametrize(
    ("after", "metric", "cases", "finding"),
    [
        ([0.6, 0.6, 0.6], "hit_at_1", 10, "better"),
        ([0.4, 0.4, 0.4], "hit_at_1", 10, "worse"),
        ([0.6, 0.6, 0.6], "unwanted_at_10", 10, "worse"),
        ([0.4, 0.4, 0.4], "unwanted_at_10", 10, "better"),
        ([0.4, 0.4, 0.4], PERPLEXITY, 10, "better"),
        ([0.5, 0.4, 0.6], "hit_at_1", 10, "no clear difference"),
        ([0.5, 0.5, 0.5], "hit_at_1", 10, "no clear difference"),
        ([0.6, 0.6, 0.6], "hit_at_1", 9, "too few cases"),
    ],
)
def test_findings(after: list[float], metric: str, cases: int, finding: str) -> None:
    found = figure_of([0.5, 0.5, 0.5], after, metric=metric, cases=cases)
    assert [difference.finding for difference in found.differences] == [finding]


SAME, UP, DOWN = [0.5, 0.5, 0.5], [0.6, 0.6, 0.6], [0.4, 0.4, 0.4]


def test_the_conclusion_names_what_is_better_and_what_is_worse() -> None:
    figures = [
        figure_of(SAME, UP, metric="hit_at_1", material="main"),
        figure_of(SAME, UP, metric="hit_at_1", material="positive"),
        figure_of(SAME, DOWN, metric="unwanted_at_10", material="main"),
        figure_of(SAME, DOWN, metric="hit_at_5", material="control"),
        figure_of(SAME, SAME, metric="wanted_share", material="main"),
    ]
    assert conclude(figures, PAIR) == (
        "v2 is better than v1 in hit_at_1 (main, positive), unwanted_at_10 (main); worse in hit_at_5 "
        "(control); without a clear difference in 1 of 5 figures."
    )


def test_the_conclusion_about_a_model_that_is_only_better() -> None:
    assert conclude([figure_of(SAME, UP)], PAIR) == (
        "v2 is better than v1 in hit_at_1 (main); worse in none; without a clear difference in 0 of 1 "
        "figures."
    )


def test_the_conclusion_about_a_model_that_is_only_worse() -> None:
    assert conclude([figure_of(SAME, DOWN), figure_of(SAME, UP, cases=9)], PAIR) == (
        "v2 is worse than v1 in hit_at_1 (main); better in none; without a clear difference in 1 of 2 "
        "figures."
    )


def test_the_conclusion_without_a_clear_difference() -> None:
    assert conclude([figure_of(SAME, SAME)], PAIR) == (
        "Between v2 and v1 there is no clear difference in any of 1 figures."
    )


def test_groups_count_once_in_the_conclusion() -> None:
    group = Figure("main", "look", "hit_at_1", 30, {}, figure_of(SAME, UP).differences)
    assert "no clear difference in any of 1 figures" in conclude([figure_of(SAME, SAME), group], PAIR)
