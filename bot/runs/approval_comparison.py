"""A sequential test of whether approval fell, valid after every vote. Pure.

The votes on the previous champion are a fixed sample; those on the new one keep coming. Neither approval is
assumed to be known.

*Paired votes.* A vote on the new champion is paired with a vote on the previous one for the same mask of the
same query. If approval did not fall, at most half of the pairs that differ got worse, whatever the queries
are (McNemar 1947). A mixture of likelihood ratios against one half is a test martingale, and its inverse is a
p-value that stays valid under continuous monitoring (Ville 1939; Robbins 1970).

*All votes*, where there are too few pairs. Under the null hypothesis some approval q separates the two arms:
the previous one has at most q and the new one at least q. For each q, the exact binomial tail of the fixed
sample and the inverse of the new arm's likelihood-ratio martingale are two independent p-values. Fisher's
product c of them gives c (1 − ln c), and the largest value over all q counts. Unlike the two-sample e-process
of Turner, Ly & Grünwald (2106.02693), which takes equal blocks from both arms, this uses every vote of the
fixed arm however many votes the other one has.

Each of the two comparisons gets half of α.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from storage.votes.approval import CountedVote
from training.votes.aggregation import MAX_VOTER_SHARE

ALPHA = 0.01
MIN_VOTES = 100  # in each arm
# Half of all true falls of 20 points measure less than 20. A threshold of 17.5 finds 83 to 96 % of them
# within 400 votes, with 200 or more on the previous champion, and rolls back 6 to 14 % of true falls of
# 10 points (tests/benchmarks/watch.py).
MIN_FALL = 0.175

Array = npt.NDArray[np.float64]
_SHARED = (np.arange(1, 1000) / 1000)[:, None]  # (999, 1) shared approvals, without 0 and 1
_LOWER = np.maximum(_SHARED - [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4], 0.0)  # (999, 7) mixed in equal parts
_UP = np.log(np.maximum(_LOWER, 1e-300)) - np.log(_SHARED)  # added to each log likelihood ratio by a 👍
_DOWN = np.log1p(-_LOWER) - np.log1p(-_SHARED)  # and by a 👎
_WORSE = np.array([0.6, 0.7, 0.8, 0.9])  # share of worse among the pairs that differ, mixed in equal parts


class OfVoter(Protocol):
    """Something that one voter decided."""

    @property
    def voter_id(self) -> int:
        """Who did."""


V = TypeVar("V", bound=OfVoter)


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of votes, `liked` of them 👍."""

    liked: int
    votes: int

    @property
    def share(self) -> float:
        """The approval, in [0, 1]; 0 without votes."""
        return self.liked / self.votes if self.votes else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The approval of two versions; if `is_paired`, of paired votes only."""

    old: Tally
    new: Tally
    is_paired: bool
    p_value: float  # of the null hypothesis that approval did not fall; anytime-valid

    @property
    def fall(self) -> float:
        """How far the measured approval fell; negative if it rose."""
        return self.old.share - self.new.share

    @property
    def is_shown(self) -> bool:
        """Whether there are enough votes and they show a fall."""
        return min(self.old.votes, self.new.votes) >= MIN_VOTES and self.p_value <= ALPHA

    @property
    def is_loss(self) -> bool:
        """Whether the fall is also large enough to roll back."""
        return self.is_shown and self.fall >= MIN_FALL


def compare(old: Sequence[CountedVote], new: Sequence[CountedVote]) -> Comparison:
    """Compare the votes on two versions, each oldest first; paired if there are enough pairs."""
    pairs = _pairs(old, new)
    if len(pairs) >= MIN_VOTES:
        worse = sum(before > after for before, after in pairs)
        better = sum(before < after for before, after in pairs)
        before, after = (_tally(side) for side in zip(*pairs, strict=True))
        return Comparison(before, after, is_paired=True, p_value=min(1.0, 2 * paired_p_value(worse, better)))
    before, after = (_tally([vote.value for vote in arm]) for arm in (old, new))
    return Comparison(before, after, is_paired=False, p_value=min(1.0, 2 * p_value(before, after)))


def p_value(old: Tally, new: Tally) -> float:
    """Anytime-valid p-value from all votes, for the null hypothesis that approval did not fall."""
    evidence = _log_mean_exp(new.liked * _UP + (new.votes - new.liked) * _DOWN)  # (999,)
    # Tail and evidence both rise with q, so the ends of each interval bound every q inside it.
    log_products = _log_tail(old) - np.maximum(np.concatenate([[0.0], evidence]), 0.0)  # (1000,)
    log_product = min(float(log_products.max()), 0.0)
    return math.exp(log_product) * (1.0 - log_product)


def paired_p_value(worse: int, better: int) -> float:
    """Anytime-valid p-value from the pairs that differ, for the same null hypothesis."""
    logs = worse * np.log(2 * _WORSE) + better * np.log(2 * (1 - _WORSE))
    return math.exp(-max(float(_log_mean_exp(logs)), 0.0))


def within_share(votes: Sequence[V], *, min_voters: int) -> list[V]:
    """Order the votes so that no voter ever holds more than the allowed share of them.

    A vote above the share waits until others have voted. Only who votes decides the order, never the votes'
    values, so the test stays valid.

    Args:
        votes: oldest first.
        min_voters: with fewer voters, the share is computed as if there were this many.
    """
    waiting: defaultdict[int, deque[V]] = defaultdict(deque)
    counted: list[V] = []
    held: Counter[int] = Counter()
    for vote in votes:
        waiting[vote.voter_id].append(vote)
        share = max(MAX_VOTER_SHARE, 1 / max(min_voters, len(waiting)))
        ready = True
        while ready:
            ready = False
            for voter, queue in waiting.items():
                if queue and held[voter] < math.ceil(share * (len(counted) + 1)):
                    counted.append(queue.popleft())
                    held[voter] += 1
                    ready = True
    return counted


def _tally(values: Sequence[int]) -> Tally:
    return Tally(sum(value > 0 for value in values), len(values))


def _pairs(old: Sequence[CountedVote], new: Sequence[CountedVote]) -> list[tuple[int, int]]:
    """Return the values of two votes each on the same mask of the same query, in order."""
    left: defaultdict[tuple[str, int], deque[int]] = defaultdict(deque)
    for vote in old:
        left[vote.query_hash, vote.mask_index].append(vote.value)
    asked = ((left.get((vote.query_hash, vote.mask_index)), vote.value) for vote in new)
    return [(queue.popleft(), value) for queue, value in asked if queue]


@lru_cache(maxsize=4)  # the fixed arm is evaluated again after every vote
def _log_tail(tally: Tally) -> Array:
    """Log probability of at least this many 👍, for each shared approval but 0: (1000,)."""
    liked = np.arange(tally.liked, tally.votes + 1, dtype=np.float64)  # (k,)
    log_ways = [-math.lgamma(k + 1) - math.lgamma(tally.votes - k + 1) for k in liked]  # less log votes!
    terms = log_ways + liked * np.log(_SHARED) + (tally.votes - liked) * np.log1p(-_SHARED)  # (999, k)
    tail = _log_mean_exp(terms) + math.log(len(liked)) + math.lgamma(tally.votes + 1)
    return np.concatenate([np.minimum(tail, 0.0), [0.0]])


def _log_mean_exp(logs: Array) -> Array:
    """Log of the mean of exponentials along the last axis."""
    most = logs.max(axis=-1, keepdims=True)
    mean: Array = most[..., 0] + np.log(np.exp(logs - most).mean(axis=-1))
    return mean
