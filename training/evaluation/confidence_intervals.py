"""Bootstrap confidence intervals of means over cases. Pure.

Percentile intervals from resampling with replacement (Efron 1979). The same number of cases is resampled in
the same way, so arithmetic on two draws is paired: `interval(means(after) - means(before))`.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 2_000
MAX_PICKS = 4_000_000  # in one array, which bounds it to 32 MB

Draws = npt.NDArray[np.float64]  # (1 + DRAWS,): the mean, then the mean of each resample


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its confidence interval."""

    value: float
    low: float
    high: float


def means(values: Sequence[float], weights: Sequence[float] | None = None) -> Draws:
    """Return the weighted mean of at least one value, and of each resample. Deterministic.

    Args:
        values: one per case.
        weights: one per case; None: equal. They may not all be 0 in a resample.
    """
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = np.asarray(values, dtype=np.float64) * weight
    random = np.random.default_rng(0)
    parts = [[weighted.sum() / weight.sum()]]
    rows = max(MAX_PICKS // len(weighted), 1)
    for start in range(0, DRAWS, rows):
        picks = random.integers(0, len(weighted), size=(min(rows, DRAWS - start), len(weighted)))
        parts.append(weighted[picks].sum(axis=1) / weight[picks].sum(axis=1))
    return np.concatenate(parts)


def interval(draws: Draws) -> Interval:
    """Return the two-sided 95 % interval."""
    low, high = np.quantile(draws[1:], (0.025, 0.975))
    return Interval(float(draws[0]), float(low), float(high))


def clustered_means(values: Sequence[float], groups: Sequence[Hashable]) -> Draws:
    """Like `means`, but resample whole groups: sentences of one pattern are not independent.

    This is the cluster bootstrap (Field & Welsh 2007).
    """
    members = defaultdict(list)
    for group, value in zip(groups, values, strict=True):
        members[group].append(value)
    return means(
        [float(np.mean(each)) for each in members.values()], [len(each) for each in members.values()]
    )


def lower_bound(draws: Draws) -> float:
    """Return the one-sided lower 90 % bound."""
    return float(np.quantile(draws[1:], 0.1))
