"""Vote aggregation: votes → reliability of the voters → judgements. Pure.

One-coin Dawid–Skene (Dawid & Skene 1979, with one reliability per voter) under a Beta prior, fitted by EM:
the E-step weighs the votes on each word by the log-odds of their voters' reliability, the M-step counts how
often each voter agrees with the consensus. Votes lose weight with age in both steps.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

PRIOR_AGREE, PRIOR_DISAGREE = 4.0, 1.0  # Beta(4, 1): a new voter agrees with the consensus 4 times out of 5
MAX_ITERATIONS = 20
MAX_VOTER_SHARE = 0.3  # of a run's weight, or 1 / voters if that is more: no one person decides a version
HALF_LIFE_DAYS = 90.0  # after which a vote weighs half
MIN_AGE_WEIGHT = 2.0**-10  # after ten half-lives a vote has no weight, and its voter does not count as one
MAX_NEW_SHARE = 1 / 3  # of the weight, for all new voters together: a raid of new accounts decides nothing
NEW_VOTER_DAYS = 7.0  # for so long after the oldest of their standing votes people are new
MIN_ESTABLISHED = 2  # voters; with fewer the team itself is new
MIN_MARGIN = 0.2  # |up − down| / (up + down) below which the votes on a word cancel out: 3 to 2 still counts

PRIOR = PRIOR_AGREE / (PRIOR_AGREE + PRIOR_DISAGREE)

Floats = npt.NDArray[np.float64]
Ints = Sequence[int] | npt.NDArray[np.int64]
Numbers = Sequence[float] | Floats
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The aggregated votes on one word of one query.

    Attributes:
        up, down: weight for and against, in votes of an average voter.
        voters: people whose votes have any weight.
        weight: how much the judgement counts in training.
    """

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


@dataclass(frozen=True, slots=True)
class Consensus:
    """The aggregated votes on all items; an item is a (query, mask, word).

    Attributes:
        up: (items,) weight for the word, in fresh votes of an average voter.
        down: (items,) weight against it.
        voters: (items,) people whose votes have any weight.
        judged: (items,) whether the item is judged: enough voters, and a margin.
        reliability: (voters,) probability that each voter agrees with the consensus.
        weight: (voters,) weight of a fresh vote of each voter, under the cap.
    """

    up: Floats
    down: Floats
    voters: npt.NDArray[np.int64]
    judged: npt.NDArray[np.bool_]
    reliability: Floats
    weight: Floats


def aggregate_votes(
    items: Ints,
    voters: Ints,
    values: Ints,
    *,
    reliability: Numbers | None = None,
    age_weights: Numbers | None = None,
    vote_weights: Numbers | None = None,
    sources: Flags | None = None,
    min_voters: int = 1,
    max_share: float = MAX_VOTER_SHARE,
) -> Consensus:
    """Aggregate votes by the reliability of their voters.

    Args:
        items: (votes,) index of the item, from 0.
        voters: (votes,) index of the voter, from 0; at most one vote per voter and item.
        values: (votes,) +1 or −1.
        reliability: (voters,) known reliability; None to estimate it from the votes.
        age_weights: (votes,) what age leaves of each vote, in [0, 1]; None if all are fresh.
        vote_weights: (votes,) how much each vote counts by its voter's roles, ≥ 0; None if all count 1.
        sources: (voters,) whether each voter is an imported source; None if none is.
        min_voters: voters that an item needs to be judged; a source is enough, as an admin vouches for it.
        max_share: share of all weight that one voter may hold; 1 for no limit.
    """
    votes = [VoteArrays.of(items, voters, values, age_weights, vote_weights)]
    known = _fit_reliability(votes) if reliability is None else np.asarray(reliability, dtype=np.float64)
    return _aggregate(votes, known, sources=sources, min_voters=min_voters, max_share=max_share)[0]


def aggregate_parts(
    parts: Iterable["VoteArrays"], *, min_voters: int, sources: Flags | None = None
) -> list[Consensus]:
    """Like `aggregate_votes`, for votes in parts that have no item in common but share the voters' indices.

    `parts` is iterated over about 20 times, so that it may read the parts from disk one after the other.
    """
    reliability = _fit_reliability(parts)
    return _aggregate(parts, reliability, sources=sources, min_voters=min_voters, max_share=MAX_VOTER_SHARE)


def decay_weights(age_days: Numbers, *, half_life_days: float = HALF_LIFE_DAYS) -> Floats:
    """Return what age leaves of votes, in [0, 1]: half after one half-life, nothing after ten."""
    left: Floats = 0.5 ** (np.maximum(np.asarray(age_days, dtype=np.float64), 0.0) / half_life_days)
    return np.where(left < MIN_AGE_WEIGHT, 0.0, left)


@dataclass(frozen=True, slots=True)
class VoteArrays:
    """Votes as arrays of shape (votes,), and the number of items and voters."""

    item: npt.NDArray[np.int64]
    voter: npt.NDArray[np.int64]
    value: Floats  # +1 or −1
    left: Floats  # what age leaves of the vote, in [0, 1]
    amount: Floats  # the same times the vote's weight by its voter's roles, ≥ 0
    items: int
    voters: int

    @classmethod
    def of(
        cls,
        items: Ints,
        voters: Ints,
        values: Ints,
        left: Numbers | None,
        weights: Numbers | None = None,
    ) -> Self:
        """Convert sequences; the numbers of items and voters follow from the largest indices."""
        item, voter = np.asarray(items, dtype=np.int64), np.asarray(voters, dtype=np.int64)
        fresh = np.ones(len(item)) if left is None else np.asarray(left, dtype=np.float64)
        return cls(
            item,
            voter,
            np.asarray(values, dtype=np.float64),
            fresh,
            fresh if weights is None else fresh * np.asarray(weights, dtype=np.float64),
            int(item.max(initial=-1)) + 1,
            int(voter.max(initial=-1)) + 1,
        )

    def sum_by_item(self, amount: Floats) -> Floats:
        """(votes,) → (items,) sums."""
        return np.bincount(self.item, weights=amount, minlength=self.items).astype(np.float64)

    def sum_by_voter(self, amount: Floats) -> Floats:
        """(votes,) → (voters,) sums."""
        return np.bincount(self.voter, weights=amount, minlength=self.voters).astype(np.float64)


@dataclass(frozen=True, slots=True)
class LimitedParts:
    """Votes in parts, in which all new voters together hold at most `MAX_NEW_SHARE` of the weight.

    Estimated reliability does not help against a raid: the majority always looks reliable.

    Attributes:
        parts: the votes.
        is_new: (voters,) whether each voter is new.
        factor: by which the weight of their votes is multiplied.
    """

    parts: Iterable[VoteArrays]
    is_new: npt.NDArray[np.bool_]
    factor: float

    @classmethod
    def of(cls, parts: Iterable[VoteArrays], *, half_life_days: float, sources: Flags | None = None) -> Self:
        """Find the new voters, and how far they have to be limited.

        Imported sources, as in `aggregate_votes`, are neither new voters nor make a team an established one.
        """
        oldest: list[Floats] = []  # what age leaves of each voter's oldest vote; 2 without a vote
        cast: list[Floats] = []
        for votes in parts:
            left = np.full(votes.voters, 2.0)
            np.minimum.at(left, votes.voter, votes.left)
            oldest.append(left)
            cast.append(votes.sum_by_voter(votes.amount))
        left = functools.reduce(np.minimum, oldest) if oldest else np.empty(0)
        held = _sum_arrays(cast) if cast else np.empty(0)
        is_person = np.ones(len(left), dtype=np.bool_) if sources is None else ~sources
        is_young = left > 0.5 ** (NEW_VOTER_DAYS / half_life_days)
        is_new, established = is_young & is_person, held[~is_young & is_person]
        new, old = float(held[is_new].sum()), float(established.sum())
        factor = 1.0
        if new > 0 and (established > 0).sum() >= MIN_ESTABLISHED:
            factor = min(1.0, MAX_NEW_SHARE / (1 - MAX_NEW_SHARE) * old / new)
        return cls(parts, is_new, factor)

    @property
    def people(self) -> int:
        """Number of voters that are limited."""
        return int(self.is_new.sum()) if self.factor < 1 else 0

    def __iter__(self) -> Iterator[VoteArrays]:
        for votes in self.parts:
            factors = np.where(self.is_new[votes.voter], self.factor, 1.0)
            yield replace(votes, amount=votes.amount * factors) if self.factor < 1 else votes


def _fit_reliability(parts: Iterable[VoteArrays]) -> Floats:
    """(voters,) reliability by EM; an aged vote is a fraction of an observation.

    A vote with a larger weight is more evidence on the word, but not more observations of its voter: that
    would let roles decide how far the prior is left behind.
    """
    observed = _sum_arrays(votes.sum_by_voter(votes.left) for votes in parts)
    reliability = np.full(len(observed), PRIOR)
    for _ in range(MAX_ITERATIONS):
        log_odds = _log_odds(reliability)
        agreed = _sum_arrays(_expected_agreements(votes, log_odds) for votes in parts)
        updated = (PRIOR_AGREE + agreed) / (PRIOR_AGREE + PRIOR_DISAGREE + observed)
        if np.abs(updated - reliability).max(initial=0.0) < 1e-6:
            return updated
        reliability = updated
    return reliability


def _expected_agreements(votes: VoteArrays, log_odds: Floats) -> Floats:
    """(voters,) expected number of agreements of each voter with the consensus, given (voters,) log-odds."""
    evidence = votes.sum_by_item(votes.value * votes.amount * log_odds[votes.voter])
    wanted = 1.0 / (1.0 + np.exp(-evidence))  # (items,) probability that the word is wanted
    agreement = np.where(votes.value > 0, wanted[votes.item], 1.0 - wanted[votes.item])  # (votes,)
    return votes.sum_by_voter(agreement * votes.left)


def _aggregate(
    parts: Iterable[VoteArrays],
    reliability: Floats,
    *,
    sources: Flags | None,
    min_voters: int,
    max_share: float,
) -> list[Consensus]:
    """Weigh each vote by its voter's reliability, under the cap.

    The cap counts people: role weights apply on top of it. Under the cap they would have no effect in a small
    team, since each of two voters may hold half of the weight.

    The cap applies to the weight on judged items. Items with too few voters or without a margin teach
    nothing, so they must not leave room for more votes of one voter. Dropping them changes the cap, which may
    drop further items; none returns, so the loop ends.
    """
    full = _log_odds(reliability) / _log_odds(np.array([PRIOR]))  # (voters,)
    voters = [votes.sum_by_item((full[votes.voter] * votes.amount > 0).astype(np.float64)) for votes in parts]
    needed = max(min_voters, 1)
    vouched = [_needed_by_source(votes, full, sources, needed) for votes in parts]
    judged = [
        counts + extra >= needed for counts, extra in zip(voters, vouched, strict=True)
    ]  # (items,) each
    while True:
        cast = _sum_arrays(
            votes.sum_by_voter(np.where(votes.amount > 0, votes.left, 0.0) * of_part[votes.item])
            for votes, of_part in zip(parts, judged, strict=True)
        )
        weight = _cap(full, cast, max_share)
        sides = [_sides(votes, weight) for votes in parts]
        kept = [
            of_part & (up + down > 0) & (np.abs(up - down) >= MIN_MARGIN * (up + down))
            for of_part, (up, down) in zip(judged, sides, strict=True)
        ]
        if all((now == before).all() for now, before in zip(kept, judged, strict=True)):
            return [
                Consensus(up, down, people.astype(np.int64), of_part, reliability, weight)
                for (up, down), people, of_part in zip(sides, voters, judged, strict=True)
            ]
        judged = kept


def _needed_by_source(votes: VoteArrays, full: Floats, sources: Flags | None, needed: int) -> Floats:
    """(items,) `needed` where a source has a vote with weight, 0 elsewhere."""
    if sources is None or not sources.any():
        return np.zeros(votes.items)
    counts = sources[votes.voter] & (full[votes.voter] * votes.amount > 0)
    return np.where(votes.sum_by_item(counts.astype(np.float64)) > 0, float(needed), 0.0)


def _sides(votes: VoteArrays, weight: Floats) -> tuple[Floats, Floats]:
    """(items,) weight for and against, given the (voters,) weight of a fresh vote."""
    amount = weight[votes.voter] * votes.amount  # (votes,)
    up, down = (votes.sum_by_item(np.where(side, amount, 0.0)) for side in (votes.value > 0, votes.value < 0))
    return up, down


def _sum_arrays(arrays: Iterable[Floats]) -> Floats:
    return functools.reduce(np.add, arrays)


def _log_odds(reliability: Floats) -> Floats:
    """Weight of a vote. At least 0: the votes of a proven contrarian are ignored, not inverted."""
    odds: Floats = np.maximum(np.log(reliability / (1.0 - reliability)), 0.0)
    return odds


def _cap(weight: Floats, cast: Floats, max_share: float) -> Floats:
    """Scale the weights so that no voter holds more than the allowed share of all weight.

    Args:
        weight: (voters,) weight of a fresh vote.
        cast: (voters,) number of fresh votes that their votes amount to; 0 if none counts.
        max_share: the share that one may hold, or an equal share if that is more.

    Returns:
        (voters,) weights.
    """
    held = weight * cast
    active = int((held > 0).sum())
    share = max(max_share, 1.0 / max(active, 1))
    if share >= 1.0:
        return weight
    over = np.zeros(len(held), dtype=bool)
    # Capping one voter may put the next above the share. Capped voters stay capped, and all hold the same.
    while (more := ~over & (held > share * held.sum() * (1 + 1e-9))).any():
        over |= more
        held[over] = share * held[~over].sum() / (1.0 - share * over.sum())
    return np.divide(held, cast, out=weight.copy(), where=cast > 0)
