"""Ranks sentences for the quiz by how informative a vote on them is. Pure, except that it reads a run's file.

The worth of a sentence is

    edge × log2(1 + asked) × Σ over its words of (share × information × part)

- information: the expected information of one more average vote on whether the word fits, relative to a word
without votes. With p the probability that the word fits, given its votes, and r = 0.8 the probability that a
voter is right, this is H(p·r + (1 − p)(1 − r)) − H(r) in bits. It is highest where votes cancel out and low
where people agree.
- part: how much of a judgement the vote completes. If a word needs two voters, the first completes half of
it, the second all of it; each further vote changes less, and what many people disagree on stays undecided.
- share: the model's probability of the word relative to its best word. A confident model has one plausible
word; an unsure model has several.
- asked: how often the query was asked. The logarithm keeps a few frequent queries from dominating.
- edge: 2 for queries that UpTrain marked as edge cases: model and people disagreed strongly, or the query was
new.
"""

import contextlib
import json
import math
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.answering.vote_adjustment import VoteRules, WordVotes, weigh_votes
from storage.people.personal_data import has_placeholder
from storage.votes.quiz import OpenSentence
from training.votes.aggregation import PRIOR

EDGE_WORTH = 2.0
MAX_EVIDENCE = 50.0  # nats; more would overflow exp() without changing the result
UNRATED = WordVotes(0.0, 0.0, 0, is_judged=False)
Reason = Literal["edge", "decides", "contested", "unrated", "more", "example"]


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence, its worth, and the main reason for it."""

    sentence: OpenSentence
    worth: float
    because: Reason


def ranked(
    sentences: Sequence[OpenSentence], rules: VoteRules, *, edge_cases: AbstractSet[str]
) -> list[RankedSentence]:
    """Rank the sentences that are worth asking about, best first; those with personal data are left out.

    Args:
        sentences: The candidates.
        rules: When votes become a judgement.
        edge_cases: Hashes of the queries that the last run marked as edge cases.
    """
    items = []
    for sentence in sentences:
        if has_placeholder(sentence.query):
            continue
        votes = weigh_votes(sentence.votes, rules)
        is_edge = sentence.query_hash in edge_cases
        items.append(_item(sentence, votes, is_edge=is_edge, min_voters=rules.min_voters))
    # The sort is stable: among equals, the newest stays first.
    return sorted((item for item in items if item.worth > 0), key=lambda item: -item.worth)


def edge_cases(runs_folder: Path) -> frozenset[str]:
    """Read the hashes of the edge cases from the files of the last run that checked votes. Blocking.

    The file may be half written by a run in progress, or be deleted meanwhile to forget a person.
    """
    files = sorted(runs_folder.glob("*/uptrain/judgements.jsonl"))
    found = set()
    with contextlib.suppress(FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        for line in files[-1].read_text(encoding="utf-8").split("\n") if files else ():
            row = json.loads(line) if line.strip() else {"signals": ""}
            if row["signals"]:
                found.add(row["query_hash"])
    return frozenset(found)


def information(votes: WordVotes) -> float:
    """Return the information of one more vote, relative to a word without votes; in [0, 1]."""
    evidence = (votes.up - votes.down) * math.log(PRIOR / (1.0 - PRIOR))
    fits = 1.0 / (1.0 + math.exp(min(-evidence, MAX_EVIDENCE)))
    approves = fits * PRIOR + (1.0 - fits) * (1.0 - PRIOR)
    return (_entropy(approves) - _entropy(PRIOR)) / (1.0 - _entropy(PRIOR))


def _item(
    sentence: OpenSentence,
    votes: dict[tuple[int, str], WordVotes],
    *,
    is_edge: bool,
    min_voters: int,
) -> RankedSentence:
    best = {c.mask_index: c.score for c in reversed(sentence.candidates) if c.score > 0}
    worth = 0.0
    for c in sentence.candidates:
        one = votes.get((c.mask_index, c.word), UNRATED)
        part = 1.0 / max(min_voters - one.voters, 1 + one.voters - min_voters)
        worth += c.score / best.get(c.mask_index, 1.0) * information(one) * part
    edge = EDGE_WORTH if is_edge else 1.0
    because = "edge" if is_edge else _because(votes.values(), min_voters=min_voters)
    return RankedSentence(sentence, edge * math.log2(1 + sentence.asked) * worth, because)


def _because(votes: Collection[WordVotes], *, min_voters: int) -> Reason:
    if not votes:
        return "unrated"
    if any(one.voters >= min_voters and not one.is_judged for one in votes):
        return "contested"
    if any(one.voters == min_voters - 1 for one in votes):
        return "decides"
    return "more"


def _entropy(p: float) -> float:
    """Return the entropy of a coin, in bits."""
    return -sum(x * math.log2(x) for x in (p, 1.0 - p) if x > 0)
