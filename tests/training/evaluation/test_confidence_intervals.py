"""Intervals computed by hand, and paired differences."""

import numpy as np
import pytest

from training.evaluation import confidence_intervals
from training.evaluation.confidence_intervals import (
    DRAWS,
    Interval,
    clustered_means,
    interval,
    lower_bound,
    means,
)


def test_the_interval_of_a_rare_case_by_hand() -> None:
    # The mean of 30 draws from one loss in 30 is −k / 30 with k ~ Binomial(30, 1/30), whose 97.5 % quantile
    # is 3: P(k ≤ 2) = 0.921, P(k ≤ 3) = 0.980; P(k = 0) = 0.36 is above 2.5 %.
    found = interval(means([-1.0, *[0.0] * 29]))
    assert found == Interval(value=pytest.approx(-1 / 30), low=pytest.approx(-0.1), high=pytest.approx(0.0))


def test_the_interval_of_many_cases_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, size=1_000)
    found = interval(means(list(values)))
    spread = values.std() / np.sqrt(1_000)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * spread, abs=0.15 * spread)
    assert found.high == pytest.approx(values.mean() + 1.96 * spread, abs=0.15 * spread)


@pytest.mark.parametrize("values", [[0.5] * 30, [0.5]])
def test_equal_values_have_an_interval_without_width(values: list[float]) -> None:
    assert interval(means(values)) == Interval(0.5, 0.5, 0.5)


def test_weighted_means_by_hand() -> None:
    # Of two cases a resample has the first twice, the second twice, or both: (3·1 + 1·5) / 4 = 2.
    draws = means([1.0, 5.0], [3.0, 1.0])
    assert draws.shape == (1 + DRAWS,)
    assert draws[0] == 2.0
    assert set(draws[1:]) == {1.0, 2.0, 5.0}
    assert np.mean(draws[1:] == 2.0) == pytest.approx(0.5, abs=0.05)


def test_figures_over_the_same_cases_are_paired() -> None:
    before = np.random.default_rng(1).normal(size=40)
    assert interval(means(list(before))).high - interval(means(list(before))).low > 0.3
    change = interval(means(list(before + 0.1)) - means(list(before)))
    assert (change.value, change.low, change.high) == pytest.approx((0.1, 0.1, 0.1))


def test_the_interval_leaves_out_a_fortieth_at_either_end() -> None:
    draws = np.asarray([0.5, *np.linspace(0.0, 1.0, 101)])  # the figure itself is no resample
    found = interval(draws)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))


def test_the_same_values_have_the_same_draws() -> None:
    assert np.array_equal(means([0.0, 1.0, 2.0]), means([0.0, 1.0, 2.0]))


def test_a_bound_on_the_memory_changes_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.0, 1.0, 2.0, 5.0]
    at_once = means(values)
    monkeypatch.setattr(confidence_intervals, "MAX_PICKS", 28)  # seven resamples at a time
    assert np.array_equal(means(values), at_once)


def test_whole_groups_are_resampled() -> None:
    # Group a has mean 1 and twice the cases: a resample is (2 + 2) / 4, (2 + 0) / 3 or (0 + 0) / 2.
    draws = clustered_means([1.0, 0.0, 1.0], ["a", "b", "a"])
    assert draws[0] == pytest.approx(2 / 3)
    assert sorted(set(draws[1:].round(6))) == [0.0, 0.666667, 1.0]
    assert np.mean(draws[1:] == 0.0) == pytest.approx(0.25, abs=0.05)


def test_repeated_cases_do_not_narrow_the_interval() -> None:
    values = list(np.random.default_rng(1).normal(size=30))
    repeated = [value for value in values for _ in range(10)]
    patterns = [pattern for pattern in range(30) for _ in range(10)]
    alone = interval(means(values))
    assert interval(clustered_means(repeated, patterns)) == Interval(
        pytest.approx(alone.value), pytest.approx(alone.low), pytest.approx(alone.high)
    )
    assert interval(means(repeated)).low > alone.low + 0.1


def test_the_lower_bound_is_one_sided() -> None:
    draws = np.asarray([0.5, *np.linspace(0, 1, 101)])
    assert lower_bound(draws) == pytest.approx(0.1)
