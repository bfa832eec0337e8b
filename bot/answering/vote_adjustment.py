"""Adjusts a prediction by the votes on the same query and by the team's preferred words. Pure.

Votes multiply the odds of a candidate. A clearly rejected word is left out, and the next ones move up. The
rules are those of a run; the voters' reliabilities come from the last run. A preferred word has the odds that
`PREFERRED_VOTES` votes for it would give, where the candidates do not ask for a complaint and no votes reject
the word. Of several masks, the joint
sentences are adjusted as well: a sentence with a rejected word is left out, the others are weighted by the
votes on all their words, and the list of each mask starts with the word of the best sentence.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np

from bot.answering.predictor import Prediction
from bot.settings import Settings
from storage.votes.consensus import QueryVote
from storage.votes.sources import is_source
from storage.votes.standing import standing_votes
from training.corpus.lexicon import unwanted_words, wanted_words
from training.inference.fill_model import Candidate
from training.inference.joint_filling import JointFilling, Unsaid
from training.votes.aggregation import PRIOR, aggregate_votes, decay_weights

SHOWN_SENTENCES = 3
MAX_FACTOR = 20.0
PREFERRED_VOTES = 3  # as many as it counts in a run (`training.finetuning.generalization`)
# A word is left out if votes cut its odds to 0.7 or less: one 👎 of an average voter gives 0.5, two
# against one give 0.67. Three against two give 0.75, so that supporters can still vote for the word.
REJECTED_FACTOR = 0.7


@dataclass(frozen=True, slots=True)
class VoteRules:
    """When votes become a judgement.

    Attributes:
        min_voters: How many people must have voted on a word before it counts.
        half_life_days: The age at which a vote counts half.
        now: The time for which ages are computed.
    """

    min_voters: int
    half_life_days: float
    now: datetime

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the rules of the settings, at this moment."""
        return cls(settings.needed_voters, settings.vote_half_life_days, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class ShownCandidate:
    """A word in a reply.

    Attributes:
        word: The word.
        score: The model's probability, in [0, 1].
        share: The probability adjusted by votes, which the reply shows.
        model_version: The version that brought the word where two versions answer together; None for a word
            that both brought.
        is_preferred: Whether it was lifted because the team prefers it.
    """

    word: str
    score: float
    share: float
    model_version: str | None = None
    is_preferred: bool = False


@dataclass(frozen=True, slots=True)
class ShownSentence:
    """A word for each mask, and the sentence's adjusted probability, in [0, 1]."""

    words: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class ShownPrediction:
    """What a reply shows: the words of each mask, the model version, and how many votes adjusted them.

    With several masks also the best sentences, best first; none if votes reject them all. The words of the
    first sentence head the lists of the masks. `together_with` is the second version, if two answered.
    `is_lifted` says that preferred words changed the order.
    """

    masks: tuple[tuple[ShownCandidate, ...], ...]
    model_version: str
    votes: int = 0
    sentences: tuple[ShownSentence, ...] = ()
    together_with: str | None = None
    is_lifted: bool = False

    @property
    def versions(self) -> str:
        """The version that answered, or both."""
        return " + ".join(filter(None, (self.model_version, self.together_with)))

    @property
    def is_adjusted(self) -> bool:
        """Whether votes or preferred words changed the reply."""
        return self.votes > 0 or self.is_lifted


@dataclass(frozen=True, slots=True)
class WordVotes:
    """The aggregated votes on one word of a query.

    Attributes:
        up: Weight for the word, in votes of an average voter.
        down: Weight against it.
        voters: How many people's votes have a weight.
        is_judged: Whether there is a judgement: enough voters, and a clear margin.
    """

    up: float
    down: float
    voters: int
    is_judged: bool


@dataclass(frozen=True, slots=True)
class _OddsFactor:
    """The factor by which `votes` votes, and the team's preference, multiply the odds of one word."""

    factor: float
    votes: int
    is_preferred: bool = False


def adjust(
    prediction: Prediction,
    votes: Sequence[QueryVote],
    rules: VoteRules,
    *,
    shown: int,
    preferred: Collection[str] = (),
) -> ShownPrediction:
    """Return the best words of each mask, adjusted by the votes on this query and the preferred words.

    Args:
        prediction: More candidates than are shown, best first.
        votes: Votes on the same query, oldest first.
        rules: When votes become a judgement.
        shown: Words to show for each mask.
        preferred: The words that the team prefers, in lower case.
    """
    odds = _odds_factors(votes, rules)
    _lift(preferred, prediction, odds)
    fillings = [*prediction.sentences, *_sentences_with_wanted_words(prediction, odds)]
    sentences, moved = _rank_sentences(prediction.sentences, fillings, odds)
    masks = []
    for index, bare in enumerate(prediction.masks):
        before = _first_word(bare, prediction.sentences[:1], index)
        after = _first_word(bare, [f for f in fillings if sentences and f.words == sentences[0].words], index)
        words, moved_by = _rank_words(bare, odds.get(index, {}), before=before, after=after, most=shown)
        masks.append(words)
        moved |= {(index, word) for word in moved_by}
    count = sum(odds[index][word].votes for index, word in moved)
    is_lifted = any(odds[index][word].is_preferred for index, word in moved)
    return ShownPrediction(tuple(masks), prediction.model_version, count, sentences, is_lifted=is_lifted)


def following(
    ranked: Sequence[ShownCandidate], shown: Collection[str], *, own: Collection[str]
) -> tuple[ShownCandidate, ...]:
    """Return the candidates after the last one of `own`, without those shown.

    Args:
        ranked: All candidates of a version, best first.
        shown: The words that were shown.
        own: Those of them that this version brought: another version's words may rank anywhere.
    """
    last = max((at for at, candidate in enumerate(ranked) if candidate.word in own), default=-1)
    return tuple(candidate for candidate in ranked[last + 1 :] if candidate.word not in shown)


def weigh_votes(votes: Sequence[QueryVote], rules: VoteRules) -> dict[tuple[int, str], WordVotes]:
    """Return the aggregated votes by (mask index, word)."""
    if not votes:
        return {}
    chosen = standing_votes(votes)
    items = sorted({(vote.mask_index, vote.word) for vote in chosen})
    reliability = {vote.voter_id: PRIOR if vote.reliability is None else vote.reliability for vote in chosen}
    item_numbers = {item: number for number, item in enumerate(items)}
    voter_numbers = {voter_id: number for number, voter_id in enumerate(reliability)}
    ages = [(rules.now - vote.cast_at) / timedelta(days=1) for vote in chosen]
    consensus = aggregate_votes(
        [item_numbers[vote.mask_index, vote.word] for vote in chosen],
        [voter_numbers[vote.voter_id] for vote in chosen],
        [vote.value for vote in chosen],
        reliability=list(reliability.values()),
        age_weights=decay_weights(np.array(ages), half_life_days=rules.half_life_days),
        vote_weights=[vote.weight for vote in chosen],
        sources=np.array([is_source(voter_id) for voter_id in reliability], dtype=np.bool_),
        min_voters=rules.min_voters,
        max_share=1.0,  # one vote per person and word, so rating many words dilutes none
    )
    columns = (consensus.up, consensus.down, consensus.voters, consensus.judged)
    return {
        item: WordVotes(float(up), float(down), int(voters), bool(judged))
        for item, up, down, voters, judged in zip(items, *columns, strict=True)
    }


def rejected_words(votes: Sequence[QueryVote], rules: VoteRules) -> Unsaid:
    """Return the words that votes reject, as (mask index, word)."""
    odds = _odds_factors(votes, rules)
    return frozenset(
        (index, word)
        for index, of_mask in odds.items()
        for word, t in of_mask.items()
        if t.factor <= REJECTED_FACTOR
    )


def _rank_words(
    bare: Sequence[Candidate],
    odds: Mapping[str, _OddsFactor],
    *,
    before: Candidate | None,
    after: Candidate | None,
    most: int,
) -> tuple[tuple[ShownCandidate, ...], list[str]]:
    """Return the words to show for one mask, and the words whose votes moved them.

    Args:
        bare: The model's candidates, best first.
        odds: Word to its odds factor.
        before: The candidate that comes first without votes; None for the best.
        after: The candidate that comes first with them.
        most: How many words to show.
    """
    bare = _moved_to_front(before, bare)
    words = _moved_to_front(after, bare)
    factors = {c.word: odds[c.word].factor if c.word in odds else 1.0 for c in words}
    # If all are rejected, show the least bad ones.
    kept = [c for c in words if factors[c.word] > REJECTED_FACTOR] or words
    weights = {c.word: c.score * factors[c.word] for c in kept}
    best = _moved_to_front(after, sorted(kept, key=lambda c: -weights[c.word]))[:most]
    if not any(c.word in odds for c in (*bare[:most], *best)):  # no vote concerns a shown word
        return tuple(ShownCandidate(c.word, c.score, c.score) for c in words[:most]), []
    # Normalise over the whole vocabulary: words outside the candidates keep their probability.
    total = max(1.0 - sum(c.score for c in words), 0.0) + sum(weights.values())
    lifted = {word for word, one in odds.items() if one.is_preferred}
    shown = tuple(
        ShownCandidate(c.word, c.score, weights[c.word] / (total or 1.0), is_preferred=c.word in lifted)
        for c in best
    )
    return shown, [c.word for c in words if c.word in odds]


def _first_word(bare: Sequence[Candidate], fillings: Sequence[JointFilling], index: int) -> Candidate | None:
    """Return the word of the first filling for a mask; with its joint score if it is no candidate."""
    if not fillings:
        return None
    word, log = fillings[0].words[index], fillings[0].log_probabilities[index]
    return next((c for c in bare if c.word == word), Candidate(word, -1, math.exp(log)))


def _moved_to_front(lead: Candidate | None, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with `lead` in front, which need not be one of them."""
    return [*([lead] if lead else []), *(c for c in candidates if lead is None or c.word != lead.word)]


def _rank_sentences(
    bare: Sequence[JointFilling],
    fillings: Sequence[JointFilling],
    odds: Mapping[int, Mapping[str, _OddsFactor]],
) -> tuple[tuple[ShownSentence, ...], set[tuple[int, str]]]:
    """Return the sentences to show, and the (mask index, word) pairs whose votes moved them.

    Args:
        bare: The model's fillings, best first.
        fillings: The same, and those that votes add.
        odds: Mask index to word to odds factor.
    """

    def voted_on(filling: JointFilling) -> list[tuple[int, str]]:
        return [(i, word) for i, word in enumerate(filling.words) if word in odds.get(i, {})]

    def weight(filling: JointFilling) -> float:
        factors = [odds[i][word].factor for i, word in voted_on(filling)]
        return math.exp(filling.log_probability - highest) * math.prod(factors)

    def shown(weights: Sequence[tuple[JointFilling, float]]) -> tuple[ShownSentence, ...]:
        total = sum(weight for _, weight in weights) or 1.0
        return tuple(ShownSentence(f.words, weight / total) for f, weight in weights[:SHOWN_SENTENCES])

    highest = max((filling.log_probability for filling in bare), default=0.0)
    kept = [f for f in fillings if all(odds[i][word].factor > REJECTED_FACTOR for i, word in voted_on(f))]
    weighed = sorted(((f, weight(f)) for f in kept), key=lambda pair: -pair[1])
    best = [filling for filling, _ in weighed[:SHOWN_SENTENCES]]
    if not any(voted_on(filling) for filling in (*bare[:SHOWN_SENTENCES], *best)):
        return shown([(f, math.exp(f.log_probability - highest)) for f in bare]), set()
    return shown(weighed), {pair for filling in fillings for pair in voted_on(filling)}


def _sentences_with_wanted_words(
    prediction: Prediction, odds: Mapping[int, Mapping[str, _OddsFactor]]
) -> list[JointFilling]:
    """Return, for each wanted word that no filling has, the best filling with that word in it.

    Its probability is exact, since both the word and the one that it replaces have a score given the other
    words.
    """
    if not prediction.sentences:
        return []
    best, found = prediction.sentences[0], []
    for index, bare in enumerate(prediction.masks):
        scores = {c.word: c.score for c in bare}
        said = {filling.words[index] for filling in prediction.sentences}
        for word, one in odds.get(index, {}).items():
            if one.factor > 1.0 and word not in said and scores.get(word) and scores.get(best.words[index]):
                words, logs = list(best.words), list(best.log_probabilities)
                logs[index] += math.log(scores[word] / scores[best.words[index]])
                words[index] = word
                found.append(JointFilling(tuple(words), tuple(logs)))
    return found


def _lift(
    preferred: Collection[str], prediction: Prediction, odds: dict[int, dict[str, _OddsFactor]]
) -> None:
    """Multiply the odds of preferred words, except where votes reject them."""
    for index, candidates in enumerate(prediction.masks):
        found = [c.word for c in candidates if c.word.lower() in preferred]
        if not found or _asks_for_complaint(candidates, preferred):
            continue
        of_mask = odds.setdefault(index, {})
        for word in found:
            one = of_mask.get(word, _OddsFactor(1.0, 0))
            if one.factor > REJECTED_FACTOR:
                factor = min(one.factor * (1.0 + PREFERRED_VOTES), MAX_FACTOR)
                of_mask[word] = _OddsFactor(factor, one.votes, is_preferred=True)


def _asks_for_complaint(candidates: Sequence[Candidate], preferred: Collection[str]) -> bool:
    """Whether the words of the list of bad words are likelier than good and preferred ones together."""
    good = sum(c.score for c in candidates if c.word.lower() in wanted_words() or c.word.lower() in preferred)
    bad = sum(c.score for c in candidates if c.word.lower() in unwanted_words())
    return bad > good


def _odds_factors(votes: Sequence[QueryVote], rules: VoteRules) -> dict[int, dict[str, _OddsFactor]]:
    """Return mask index to word to odds factor, for the words that have a judgement."""
    odds: dict[int, dict[str, _OddsFactor]] = {}
    for (mask_index, word), one in weigh_votes(votes, rules).items():
        if one.is_judged:
            factor = min(max((1.0 + one.up) / (1.0 + one.down), 1.0 / MAX_FACTOR), MAX_FACTOR)
            odds.setdefault(mask_index, {})[word] = _OddsFactor(factor, one.voters)
    return odds
