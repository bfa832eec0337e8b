"""Votes on a sentence count for that sentence at once, before a run has learnt from them. Pure.

They are laid over the bare model's candidates: a firmly rejected word is left out and the next ones move up,
the others are weighed by their votes. The rules are the run's own; only the reliabilities are the last run's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bot.predictor import Prediction
from storage.consensus import QueryVote
from training.fill_model import Candidate
from training.judgements import PRIOR, weigh, weights_by_age

SHOWN = 5  # words a mask
MAX_TILT = 20.0
# A word whose odds the votes cut by three tenths or more is left out: one 👎 of an average voter halves them,
# two against one cut them by a third. Three against two do not: who likes the word could not say so any more.
MIN_TILT = 0.7
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ShownCandidate:
    """A word as a reply shows it.

    Attributes:
        word: the word.
        score: the bare model's probability, in [0, 1].
        share: the same with the votes in it; what the reply says.
    """

    word: str
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class ShownPrediction:
    """What a reply shows: the words of each mask, their version, and how many votes adjusted them."""

    masks: tuple[tuple[ShownCandidate, ...], ...]
    model_version: str
    votes: int = 0

    @property
    def is_adjusted(self) -> bool:
        """Whether it is another reply than the bare model's."""
        return self.votes > 0


@dataclass(frozen=True, slots=True)
class WordVotes:
    """What the votes on one word of a query add up to.

    Attributes:
        up: weight for it, in votes of an average voter.
        down: weight against it.
        voters: people whose votes weigh anything.
        is_judged: whether they count: enough voters, and a margin.
    """

    up: float
    down: float
    voters: int
    is_judged: bool


@dataclass(frozen=True, slots=True)
class _Tilt:
    """What `votes` votes do to the odds of one word."""

    factor: float
    votes: int


def overlay(
    prediction: Prediction,
    votes: Sequence[QueryVote],
    *,
    min_voters: int,
    half_life_days: float,
    now: datetime,
    shown: int = SHOWN,
) -> ShownPrediction:
    """The best words of each mask, with the votes on this query; without any, just the model's.

    Args:
        prediction: more candidates than are shown, best first.
        votes: on the same query, oldest first.
        min_voters: how many must have voted on a word before it counts.
        half_life_days: a vote so old counts half.
        now: the time to which votes have aged.
        shown: words a mask.
    """
    tilts = _tilts(votes, min_voters=min_voters, half_life_days=half_life_days, now=now)
    masks = [_tilted(bare, tilts.get(index, {}), most=shown) for index, bare in enumerate(prediction.masks)]
    return ShownPrediction(
        tuple(words for words, _ in masks), prediction.model_version, sum(moved_by for _, moved_by in masks)
    )


def added_up(
    votes: Sequence[QueryVote], *, min_voters: int, half_life_days: float, now: datetime
) -> dict[tuple[int, str], WordVotes]:
    """(mask, word) → what the votes on it add up to; arguments as of `overlay`."""
    if not votes:
        return {}
    chosen = standing(votes)
    items = sorted({(vote.mask_index, vote.word) for vote in chosen})
    reliability = {vote.voter_id: PRIOR if vote.reliability is None else vote.reliability for vote in chosen}
    item_numbers = {item: number for number, item in enumerate(items)}
    voter_numbers = {voter_id: number for number, voter_id in enumerate(reliability)}
    ages_s = [(now - vote.cast_at).total_seconds() for vote in chosen]
    consensus = weigh(
        [item_numbers[vote.mask_index, vote.word] for vote in chosen],
        [voter_numbers[vote.voter_id] for vote in chosen],
        [vote.value for vote in chosen],
        reliability=list(reliability.values()),
        age_weights=weights_by_age(np.array(ages_s) / DAY_S, half_life_days=half_life_days),
        min_voters=min_voters,
    )
    columns = (consensus.up, consensus.down, consensus.voters, consensus.judged)
    return {
        item: WordVotes(float(up), float(down), int(voters), bool(judged))
        for item, up, down, voters, judged in zip(items, *columns, strict=True)
    }


def standing(votes: Sequence[QueryVote]) -> list[QueryVote]:
    """One vote a voter and word: one from a menu beats a reaction, then the latest counts."""
    by_weight = sorted(votes, key=lambda vote: vote.via != "reaction")  # stable: within each, oldest first
    return list({(vote.mask_index, vote.word, vote.voter_id): vote for vote in by_weight}.values())


def _tilted(
    bare: Sequence[Candidate], tilts: Mapping[str, _Tilt], *, most: int
) -> tuple[tuple[ShownCandidate, ...], int]:
    """The words to show for one mask, and how many votes moved them."""
    factors = {c.word: tilts[c.word].factor if c.word in tilts else 1.0 for c in bare}
    kept = [c for c in bare if factors[c.word] > MIN_TILT] or bare  # all rejected: better some than none
    weights = {c.word: c.score * factors[c.word] for c in kept}
    best = sorted(kept, key=lambda c: -weights[c.word])[:most]
    if not any(c.word in tilts for c in (*bare[:most], *best)):  # as when the model has learnt them
        return tuple(ShownCandidate(c.word, c.score, c.score) for c in bare[:most]), 0
    # The probability of everything that is not left out, so that shares stay shares of the whole vocabulary.
    total = max(1.0 - sum(c.score for c in bare), 0.0) + sum(weights.values())
    shown = tuple(ShownCandidate(c.word, c.score, weights[c.word] / (total or 1.0)) for c in best)
    return shown, sum(tilts[c.word].votes for c in bare if c.word in tilts)


def _tilts(
    votes: Sequence[QueryVote], *, min_voters: int, half_life_days: float, now: datetime
) -> dict[int, dict[str, _Tilt]]:
    """Mask index → word → what the votes do to it, where there is a consensus."""
    counted = added_up(votes, min_voters=min_voters, half_life_days=half_life_days, now=now)
    tilts: dict[int, dict[str, _Tilt]] = {}
    for (mask_index, word), one in counted.items():
        if one.is_judged:
            factor = min(max((1.0 + one.up) / (1.0 + one.down), 1.0 / MAX_TILT), MAX_TILT)
            tilts.setdefault(mask_index, {})[word] = _Tilt(factor, one.voters)
    return tilts
