"""Bootstrap confidence intervals of means over cases. Pure.

Percentile intervals from resampling with replacement (Efron 1979). Similar cases, such as sentences of one
pattern, are not independent: given their groups, whole groups are resampled (the cluster bootstrap, Field &
Welsh 2007). The same seed resamples the same cases, so arithmetic on two draws is paired:
`interval(means(after) - means(before))`.
"""

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


def means(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Draws:
    """The weighted mean of at least one value, and of each resample.

    The same seed and number of values (or of groups) resample the same cases.

    Args:
        values: one per case.
        weights: one per case; None: equal. They may not all be 0 in a resample.
        groups: the group of each case; None: each case is its own group.
        seed: of the resampling.
    """
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = np.asarray(values, dtype=np.float64) * weight
    if groups is not None:
        number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
        of_case = np.asarray([number[group] for group in groups])
        weighted, weight = (np.bincount(of_case, of).astype(np.float64) for of in (weighted, weight))
    random = np.random.default_rng(seed)
    parts = [[weighted.sum() / weight.sum()]]
    rows = max(MAX_PICKS // len(weighted), 1)
    for start in range(0, DRAWS, rows):
        picks = random.integers(0, len(weighted), size=(min(rows, DRAWS - start), len(weighted)))
        parts.append(weighted[picks].sum(axis=1) / weight[picks].sum(axis=1))
    return np.concatenate(parts)


def interval(draws: Draws, *, level: float = 0.95) -> Interval:
    """The two-sided interval: between the 2.5 % and 97.5 % quantiles for a level of 0.95."""
    low, high = np.quantile(draws[1:], ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(draws[0]), float(low), float(high))


def lower_bound(draws: Draws, *, level: float = 0.90) -> float:
    """The one-sided lower bound: the 10 % quantile for a level of 0.90."""
    return float(np.quantile(draws[1:], 1 - level))
