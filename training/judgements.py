"""Votes → voter reliability → judgements. Pure.

One-coin Dawid–Skene (Dawid & Skene 1979, with one reliability a voter) under a Beta prior, fitted by EM: the
E-step weighs the votes on each word by the log-odds of their voters' reliability, the M-step counts how often
each voter agrees with the consensus.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PRIOR_AGREE, PRIOR_DISAGREE = 4.0, 1.0  # Beta(4, 1): a new voter is right four times out of five
MAX_ITERATIONS = 20
MAX_VOTER_SHARE = 0.3  # of a run's weight, or 1 / voters where that is more
MIN_MARGIN = 0.2  # |up − down| / (up + down) below which the votes on a word cancel out


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the votes on one word of one query add up to, in votes of an average voter."""

    query: str
    query_hash: str
    mask_index: int
    word: str
    up: float
    down: float
    voters: int
    weight: float = 1.0

    @property
    def is_wanted(self) -> bool:
        """Whether the votes are for the word."""
        return self.up > self.down

    @property
    def firmness(self) -> float:
        """The margin in votes of an average voter, ≥ 0."""
        return abs(self.up - self.down)


@dataclass(frozen=True, slots=True)
class Consensus:
    """Per item: weight for, weight against and voters; per voter: the reliability, in [0, 1]."""

    up: npt.NDArray[np.float64]  # (items,)
    down: npt.NDArray[np.float64]  # (items,)
    voters: npt.NDArray[np.int64]  # (items,)
    reliability: npt.NDArray[np.float64]  # (voters,)

    def counts(self, *, min_voters: int) -> npt.NDArray[np.bool_]:
        """Which items are judged: enough voters, and a margin."""
        total = self.up + self.down
        margin = np.abs(self.up - self.down) / np.maximum(total, 1e-9)
        judged: npt.NDArray[np.bool_] = (self.voters >= min_voters) & (margin >= MIN_MARGIN) & (total > 0)
        return judged


def judge(
    items: Sequence[int] | npt.NDArray[np.int64],
    voters: Sequence[int] | npt.NDArray[np.int64],
    values: Sequence[int] | npt.NDArray[np.int64],
) -> Consensus:
    """What the votes add up to.

    Args:
        items: (votes,) number of the (query, mask, word) voted on, from 0.
        voters: (votes,) number of the voter, from 0; one vote a voter and item.
        values: (votes,) +1 or −1.
    """
    item, voter = np.asarray(items, dtype=np.int64), np.asarray(voters, dtype=np.int64)
    value = np.asarray(values, dtype=np.float64)
    n_items, n_voters = int(item.max(initial=-1)) + 1, int(voter.max(initial=-1)) + 1
    cast = np.bincount(voter, minlength=n_voters)
    reliability = np.full(n_voters, PRIOR_AGREE / (PRIOR_AGREE + PRIOR_DISAGREE))
    for _ in range(MAX_ITERATIONS):
        evidence = np.bincount(item, weights=value * _log_odds(reliability)[voter], minlength=n_items)
        wanted = 1.0 / (1.0 + np.exp(-evidence))  # (items,) probability that the word is wanted
        agreement = np.where(value > 0, wanted[item], 1.0 - wanted[item])
        agreed = np.bincount(voter, weights=agreement, minlength=n_voters)
        updated = (PRIOR_AGREE + agreed) / (PRIOR_AGREE + PRIOR_DISAGREE + cast)
        if np.abs(updated - reliability).max(initial=0.0) < 1e-6:
            reliability = updated
            break
        reliability = updated
    weight = _log_odds(reliability) / _log_odds(np.array([PRIOR_AGREE / (PRIOR_AGREE + PRIOR_DISAGREE)]))
    weight = _capped(weight, cast)
    up, down = (
        np.bincount(item, weights=np.where(side, weight[voter], 0.0), minlength=n_items).astype(np.float64)
        for side in (value > 0, value < 0)
    )
    return Consensus(up, down, np.bincount(item, minlength=n_items), reliability)


def _log_odds(reliability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of a vote, floor 0: a proven contrarian counts nothing, not negative."""
    odds: npt.NDArray[np.float64] = np.maximum(np.log(reliability / (1.0 - reliability)), 0.0)
    return odds


def _capped(weight: npt.NDArray[np.float64], cast: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights a vote, scaled so that no voter holds more than the allowed share of all weight."""
    active = int((weight * cast > 0).sum())
    if active == 0:
        return weight
    share = max(MAX_VOTER_SHARE, 1.0 / active)
    if share >= 1.0:
        return weight
    held = weight * cast
    over = np.zeros(len(held), dtype=bool)
    # Capping one may put the next above the share; who was capped stays so, and all of them hold the same.
    while (more := ~over & (held > share * held.sum() * (1 + 1e-9))).any():
        over |= more
        held[over] = share * held[~over].sum() / (1.0 - share * over.sum())
    return np.where(cast > 0, held / np.maximum(cast, 1), weight)
