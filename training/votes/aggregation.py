"""Votes → voter reliability → judgements. Pure.

One-coin Dawid–Skene (Dawid & Skene 1979, with one reliability a voter) under a Beta prior, fitted by EM: the
E-step weighs the votes on each word by the log-odds of their voters' reliability, the M-step counts how often
each voter agrees with the consensus. Votes age: an old one is a smaller part of all of this.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

PRIOR_AGREE, PRIOR_DISAGREE = 4.0, 1.0  # Beta(4, 1): a new voter is right four times out of five
MAX_ITERATIONS = 20
MAX_VOTER_SHARE = 0.3  # of a run's weight, or 1 / voters where that is more
HALF_LIFE_DAYS = 90.0  # after which a vote weighs half
MIN_AGE_WEIGHT = 2.0**-10  # a vote of ten half-lives counts nothing, and its voter not as one who voted
MIN_MARGIN = 0.2  # |up − down| / (up + down) below which the votes on a word cancel out

PRIOR = PRIOR_AGREE / (PRIOR_AGREE + PRIOR_DISAGREE)

Floats = npt.NDArray[np.float64]
Ints = Sequence[int] | npt.NDArray[np.int64]
Numbers = Sequence[float] | Floats


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
    """What the votes on all items add up to.

    Attributes:
        up: (items,) weight for, in fresh votes of an average voter.
        down: (items,) weight against.
        voters: (items,) people whose votes weigh anything.
        judged: (items,) whether the item is judged: enough voters, and a margin.
        reliability: (voters,) how likely each voter agrees with the consensus, in [0, 1].
        weight: (voters,) what a fresh vote of each voter weighs, under the cap.
    """

    up: Floats
    down: Floats
    voters: npt.NDArray[np.int64]
    judged: npt.NDArray[np.bool_]
    reliability: Floats
    weight: Floats


def judge(
    items: Ints,
    voters: Ints,
    values: Ints,
    *,
    age_weights: Numbers | None = None,
    min_voters: int = 1,
) -> Consensus:
    """What the votes add up to, with the reliability that they show of each voter.

    Args:
        items: (votes,) number of the (query, mask, word) voted on, from 0.
        voters: (votes,) number of the voter, from 0; one vote a voter and item.
        values: (votes,) +1 or −1.
        age_weights: (votes,) what is left of each vote, in [0, 1]; None: all are fresh.
        min_voters: Voters that an item needs to be judged.
    """
    return judge_parts([Ballots.of(items, voters, values, age_weights)], min_voters=min_voters)[0]


def judge_parts(parts: Sequence["Ballots"], *, min_voters: int) -> list[Consensus]:
    """As `judge`, of votes in parts: each with items of its own, from 0; the voters are the same in all.

    Each part is asked for again and again and used once at a time, so that `parts` may read them from a disk.
    """
    return _add_up(parts, _fitted(parts), min_voters=min_voters, max_share=MAX_VOTER_SHARE)


def weigh(
    items: Ints,
    voters: Ints,
    values: Ints,
    *,
    reliability: Numbers,
    age_weights: Numbers | None = None,
    min_voters: int = 1,
    max_share: float = MAX_VOTER_SHARE,
) -> Consensus:
    """What the votes add up to when each voter's reliability, (voters,), is known. Otherwise as `judge`.

    `max_share` of all weight is what one voter may hold; 1: any.
    """
    ballots = Ballots.of(items, voters, values, age_weights)
    known = np.asarray(reliability, dtype=np.float64)
    return _add_up([ballots], known, min_voters=min_voters, max_share=max_share)[0]


def weights_by_age(age_days: Numbers, *, half_life_days: float = HALF_LIFE_DAYS) -> Floats:
    """What is left of votes of these ages, in [0, 1]: half after a half-life, nothing after ten."""
    left: Floats = 0.5 ** (np.maximum(np.asarray(age_days, dtype=np.float64), 0.0) / half_life_days)
    return np.where(left < MIN_AGE_WEIGHT, 0.0, left)


@dataclass(frozen=True, slots=True)
class Ballots:
    """The votes as arrays, all (votes,), and how many items and voters there are."""

    item: npt.NDArray[np.int64]
    voter: npt.NDArray[np.int64]
    value: Floats  # +1 or −1
    left: Floats  # in [0, 1]
    items: int
    voters: int

    @classmethod
    def of(
        cls,
        items: Ints,
        voters: Ints,
        values: Ints,
        left: Numbers | None,
    ) -> Self:
        """As many items and voters as are voted on and vote."""
        item, voter = np.asarray(items, dtype=np.int64), np.asarray(voters, dtype=np.int64)
        return cls(
            item,
            voter,
            np.asarray(values, dtype=np.float64),
            np.ones(len(item)) if left is None else np.asarray(left, dtype=np.float64),
            int(item.max(initial=-1)) + 1,
            int(voter.max(initial=-1)) + 1,
        )

    def of_items(self, amount: Floats) -> Floats:
        """(votes,) → (items,) sums."""
        return np.bincount(self.item, weights=amount, minlength=self.items).astype(np.float64)

    def of_voters(self, amount: Floats) -> Floats:
        """(votes,) → (voters,) sums."""
        return np.bincount(self.voter, weights=amount, minlength=self.voters).astype(np.float64)


def _fitted(parts: Sequence[Ballots]) -> Floats:
    """(voters,) reliability by EM; every vote is as much of an observation as age has left of it."""
    observed = _summed(ballots.of_voters(ballots.left) for ballots in parts)
    reliability = np.full(len(observed), PRIOR)
    for _ in range(MAX_ITERATIONS):
        odds = _log_odds(reliability)
        agreed = _summed(_agreed(ballots, odds) for ballots in parts)
        updated = (PRIOR_AGREE + agreed) / (PRIOR_AGREE + PRIOR_DISAGREE + observed)
        if np.abs(updated - reliability).max(initial=0.0) < 1e-6:
            return updated
        reliability = updated
    return reliability


def _agreed(ballots: Ballots, odds: Floats) -> Floats:
    """(voters,) how often each agrees with what the votes of these (voters,) log-odds add up to."""
    evidence = ballots.of_items(ballots.value * ballots.left * odds[ballots.voter])
    wanted = 1.0 / (1.0 + np.exp(-evidence))  # (items,) probability that the word is wanted
    agreement = np.where(ballots.value > 0, wanted[ballots.item], 1.0 - wanted[ballots.item])
    return ballots.of_voters(agreement * ballots.left)


def _add_up(
    parts: Sequence[Ballots], reliability: Floats, *, min_voters: int, max_share: float
) -> list[Consensus]:
    """Weigh each vote by its voter, under the cap.

    The cap is on what is judged in the end: votes on which too few people voted or people disagree teach
    nothing, so they make no room for more votes of one voter. What was dropped stays so, and thus this ends.
    """
    full = _log_odds(reliability) / _log_odds(np.array([PRIOR]))  # (voters,)
    voters = [
        ballots.of_items((full[ballots.voter] * ballots.left > 0).astype(np.float64)) for ballots in parts
    ]
    judged = [of_part >= max(min_voters, 1) for of_part in voters]  # (items,) each
    while True:
        cast = _summed(
            ballots.of_voters(ballots.left * of_part[ballots.item])
            for ballots, of_part in zip(parts, judged, strict=True)
        )
        weight = _capped(full, cast, max_share)
        sides = [_sides(ballots, weight) for ballots in parts]
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


def _sides(ballots: Ballots, weight: Floats) -> tuple[Floats, Floats]:
    """(items,) weight for and against, of votes of these (voters,) weights."""
    amount = weight[ballots.voter] * ballots.left  # (votes,)
    up, down = (
        ballots.of_items(np.where(side, amount, 0.0)) for side in (ballots.value > 0, ballots.value < 0)
    )
    return up, down


def _summed(arrays: Iterable[Floats]) -> Floats:
    return functools.reduce(np.add, arrays)


def _log_odds(reliability: Floats) -> Floats:
    """Weight of a vote, floor 0: a proven contrarian counts nothing, not negative."""
    odds: Floats = np.maximum(np.log(reliability / (1.0 - reliability)), 0.0)
    return odds


def _capped(weight: Floats, cast: Floats, max_share: float) -> Floats:
    """(voters,) weights a vote, scaled so that no voter holds more than the allowed share of all weight.

    Args:
        weight: (voters,) of one fresh vote.
        cast: (voters,) how many fresh votes their votes are worth; 0: none that counts.
        max_share: that one may hold, or an equal share where that is more.
    """
    held = weight * cast
    active = int((held > 0).sum())
    share = max(max_share, 1.0 / max(active, 1))
    if share >= 1.0:
        return weight
    over = np.zeros(len(held), dtype=bool)
    # Capping one may put the next above the share; who was capped stays so, and all of them hold the same.
    while (more := ~over & (held > share * held.sum() * (1 + 1e-9))).any():
        over |= more
        held[over] = share * held[~over].sum() / (1.0 - share * over.sum())
    return np.divide(held, cast, out=weight.copy(), where=cast > 0)
