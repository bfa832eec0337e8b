"""Bootstrapped intervals: how far a figure would move with other cases of the same kind. Pure.

Resampling cases with replacement (Efron 1979), percentile intervals. Cases that are alike, such as sentences
of one pattern, are no independent witnesses: given their groups, whole groups are resampled (the cluster
bootstrap, Field & Welsh 2007). Figures over the same cases are drawn alike, so arithmetic on two of them is
paired: `interval(means(after) - means(before))`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 2_000
MAX_PICKS = 4_000_000  # at once: bounds the memory at 32 MB an array

Draws = npt.NDArray[np.float64]  # (1 + DRAWS,): the figure itself, then that of each resample


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and where most of its resamples lie."""

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
    """The weighted mean of at least one value, and that of each resample.

    The same number of values (given groups: of groups) and the same seed draw the same cases.

    Args:
        values: one a case.
        weights: the cases'; all alike when None. A resample's may not all be 0.
        groups: what each case belongs to; every case by itself when None.
        seed: of the draws.
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
    """The figure, with the ends of the middle `level` of its resamples: 2.5 % and 97.5 % for 0.95."""
    low, high = np.quantile(draws[1:], ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(draws[0]), float(low), float(high))


def lower_bound(draws: Draws, *, level: float = 0.90) -> float:
    """What the figure is above with a probability of `level`, one-sided: the 10 % quantile for 0.90."""
    return float(np.quantile(draws[1:], 1 - level))
