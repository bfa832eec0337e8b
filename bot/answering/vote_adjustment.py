"""Votes on a sentence count for that sentence at once, before a run has learnt from them. Pure.

They are laid over the bare model's candidates: a firmly rejected word is left out and the next ones move up,
the others are weighed by their votes. The rules are the run's own; only the reliabilities are the last run's.
Where several masks were filled together, so are the sentences: one that says a rejected word is left out, the
others are weighed by the votes on all their words, and each mask's list starts with the best one's word.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bot.answering.predictor import Prediction
from storage.votes.consensus import QueryVote
from storage.votes.standing import standing_votes
from training.inference.fill_model import Candidate
from training.inference.joint_filling import JointFilling, Unsaid
from training.votes.aggregation import PRIOR, aggregate_with_reliability, decay_weights

SHOWN_SENTENCES = 3
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
class ShownSentence:
    """A word for each mask, and its probability among the sentences that votes have left, in [0, 1]."""

    words: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class ShownPrediction:
    """What a reply shows: the words of each mask, their version, and how many votes adjusted them.

    Of several masks also the best sentences, best first, unless votes leave none; the words of the first are
    those that the masks' lists start with.
    """

    masks: tuple[tuple[ShownCandidate, ...], ...]
    model_version: str
    votes: int = 0
    sentences: tuple[ShownSentence, ...] = ()

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


def adjust(
    prediction: Prediction,
    votes: Sequence[QueryVote],
    *,
    min_voters: int,
    half_life_days: float,
    now: datetime,
    shown: int,
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
    fillings = [*prediction.sentences, *_wanted(prediction, tilts)]
    sentences, moved = _tilted_sentences(prediction.sentences, fillings, tilts)
    masks = []
    for index, bare in enumerate(prediction.masks):
        before = _lead(bare, prediction.sentences[:1], index)
        after = _lead(bare, [f for f in fillings if sentences and f.words == sentences[0].words], index)
        words, moved_by = _tilted(bare, tilts.get(index, {}), before=before, after=after, most=shown)
        masks.append(words)
        moved |= {(index, word) for word in moved_by}
    count = sum(tilts[index][word].votes for index, word in moved)
    return ShownPrediction(tuple(masks), prediction.model_version, count, sentences)


def weigh_votes(
    votes: Sequence[QueryVote], *, min_voters: int, half_life_days: float, now: datetime
) -> dict[tuple[int, str], WordVotes]:
    """(mask, word) → what the votes on it add up to; arguments as of `adjust`."""
    if not votes:
        return {}
    chosen = standing_votes(votes)
    items = sorted({(vote.mask_index, vote.word) for vote in chosen})
    reliability = {vote.voter_id: PRIOR if vote.reliability is None else vote.reliability for vote in chosen}
    item_numbers = {item: number for number, item in enumerate(items)}
    voter_numbers = {voter_id: number for number, voter_id in enumerate(reliability)}
    ages_s = [(now - vote.cast_at).total_seconds() for vote in chosen]
    consensus = aggregate_with_reliability(
        [item_numbers[vote.mask_index, vote.word] for vote in chosen],
        [voter_numbers[vote.voter_id] for vote in chosen],
        [vote.value for vote in chosen],
        reliability=list(reliability.values()),
        age_weights=decay_weights(np.array(ages_s) / DAY_S, half_life_days=half_life_days),
        min_voters=min_voters,
        max_share=1.0,  # a person has one vote a word: who rates all words of a sentence dilutes none
    )
    columns = (consensus.up, consensus.down, consensus.voters, consensus.judged)
    return {
        item: WordVotes(float(up), float(down), int(voters), bool(judged))
        for item, up, down, voters, judged in zip(items, *columns, strict=True)
    }


def rejected_words(
    votes: Sequence[QueryVote], *, min_voters: int, half_life_days: float, now: datetime
) -> Unsaid:
    """The words that votes leave out, each with its mask; arguments as of `adjust`."""
    tilts = _tilts(votes, min_voters=min_voters, half_life_days=half_life_days, now=now)
    return frozenset(
        (index, word)
        for index, of_mask in tilts.items()
        for word, t in of_mask.items()
        if t.factor <= MIN_TILT
    )


def _tilted(
    bare: Sequence[Candidate],
    tilts: Mapping[str, _Tilt],
    *,
    before: Candidate | None,
    after: Candidate | None,
    most: int,
) -> tuple[tuple[ShownCandidate, ...], list[str]]:
    """The words to show for one mask, and those whose votes moved them.

    Args:
        bare: the model's, best first.
        tilts: what votes do to words.
        before: comes first without any votes; None: the best.
        after: comes first with them.
        most: so many words are shown.
    """
    bare = _led_by(before, bare)
    words = _led_by(after, bare)
    factors = {c.word: tilts[c.word].factor if c.word in tilts else 1.0 for c in words}
    kept = [c for c in words if factors[c.word] > MIN_TILT] or words  # all rejected: better some than none
    weights = {c.word: c.score * factors[c.word] for c in kept}
    best = _led_by(after, sorted(kept, key=lambda c: -weights[c.word]))[:most]
    if not any(c.word in tilts for c in (*bare[:most], *best)):  # as when the model has learnt them
        return tuple(ShownCandidate(c.word, c.score, c.score) for c in words[:most]), []
    # The probability of everything that is not left out, so that shares stay shares of the whole vocabulary.
    total = max(1.0 - sum(c.score for c in words), 0.0) + sum(weights.values())
    shown = tuple(ShownCandidate(c.word, c.score, weights[c.word] / (total or 1.0)) for c in best)
    return shown, [c.word for c in words if c.word in tilts]


def _lead(bare: Sequence[Candidate], fillings: Sequence[JointFilling], index: int) -> Candidate | None:
    """The first filling's word for a mask; where it is no candidate, with the score it was found with."""
    if not fillings:
        return None
    word, log = fillings[0].words[index], fillings[0].log_probabilities[index]
    return next((c for c in bare if c.word == word), Candidate(word, -1, math.exp(log)))


def _led_by(lead: Candidate | None, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with one of them, or another one, moved to the front."""
    return [*([lead] if lead else []), *(c for c in candidates if lead is None or c.word != lead.word)]


def _tilted_sentences(
    bare: Sequence[JointFilling], fillings: Sequence[JointFilling], tilts: Mapping[int, Mapping[str, _Tilt]]
) -> tuple[tuple[ShownSentence, ...], set[tuple[int, str]]]:
    """The sentences to show, and the (mask index, word)s whose votes moved them.

    Args:
        bare: the model's, best first.
        fillings: those and what votes add to them.
        tilts: mask index → word → what votes do to it.
    """

    def tilted(filling: JointFilling) -> list[tuple[int, str]]:
        return [(i, word) for i, word in enumerate(filling.words) if word in tilts.get(i, {})]

    def weight(filling: JointFilling) -> float:
        factors = [tilts[i][word].factor for i, word in tilted(filling)]
        return math.exp(filling.log_probability - highest) * math.prod(factors)

    def shown(weights: Sequence[tuple[JointFilling, float]]) -> tuple[ShownSentence, ...]:
        total = sum(weight for _, weight in weights) or 1.0
        return tuple(ShownSentence(f.words, weight / total) for f, weight in weights[:SHOWN_SENTENCES])

    highest = max((filling.log_probability for filling in bare), default=0.0)
    kept = [f for f in fillings if all(tilts[i][word].factor > MIN_TILT for i, word in tilted(f))]
    weighed = sorted(((f, weight(f)) for f in kept), key=lambda pair: -pair[1])
    best = [filling for filling, _ in weighed[:SHOWN_SENTENCES]]
    if not any(tilted(filling) for filling in (*bare[:SHOWN_SENTENCES], *best)):
        return shown([(f, math.exp(f.log_probability - highest)) for f in bare]), set()
    return shown(weighed), {pair for filling in fillings for pair in tilted(filling)}


def _wanted(prediction: Prediction, tilts: Mapping[int, Mapping[str, _Tilt]]) -> list[JointFilling]:
    """The best sentence with one wanted word in it, for each that no sentence has.

    Its probability is exact: given the other words, both the word and the one in whose place it stands have a
    score.
    """
    if not prediction.sentences:
        return []
    best, found = prediction.sentences[0], []
    for index, bare in enumerate(prediction.masks):
        scores = {c.word: c.score for c in bare}
        said = {filling.words[index] for filling in prediction.sentences}
        for word, tilt in tilts.get(index, {}).items():
            if tilt.factor > 1.0 and word not in said and scores.get(word) and scores.get(best.words[index]):
                words, logs = list(best.words), list(best.log_probabilities)
                logs[index] += math.log(scores[word] / scores[best.words[index]])
                words[index] = word
                found.append(JointFilling(tuple(words), tuple(logs)))
    return found


def _tilts(
    votes: Sequence[QueryVote], *, min_voters: int, half_life_days: float, now: datetime
) -> dict[int, dict[str, _Tilt]]:
    """Mask index → word → what the votes do to it, where there is a consensus."""
    counted = weigh_votes(votes, min_voters=min_voters, half_life_days=half_life_days, now=now)
    tilts: dict[int, dict[str, _Tilt]] = {}
    for (mask_index, word), one in counted.items():
        if one.is_judged:
            factor = min(max((1.0 + one.up) / (1.0 + one.down), 1.0 / MAX_TILT), MAX_TILT)
            tilts.setdefault(mask_index, {})[word] = _Tilt(factor, one.voters)
    return tilts
