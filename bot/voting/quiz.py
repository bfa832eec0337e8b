"""Which sentence to ask a person about next: the one whose rating teaches most. Pure, but for one file.

The worth of a sentence is

    edge × log2(1 + asked) × Σ over the words offered of (share × information × part)

- information: what one more vote of an average person says of whether the word fits, in bits, over what it
  says of a word that nobody rated. With p the probability that it fits, from the votes so far, and r = 0.8
  that a voter is right, that is H(p·r + (1 − p)(1 − r)) − H(r): most where votes cancel out, little where
  people agree.
- part: how much of a judgement the vote brings. Of two voters that a word needs the first brings half, the
  second all of it; beyond those it is one voice among ever more, and what many disagree on stays so.
- share: the model's probability of the word over that of its best word. Where the model is sure, one word is
  in play; where it is unsure, all that are shown are.
- asked: how often; its logarithm, as what is asked ten times as often is not ten times as new.
- edge: 2 where UpTrain's edge cases say that model and people were far apart, or that nobody asked so before.
"""

import contextlib
import json
import math
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from bot.answering.vote_adjustment import WordVotes, weigh_votes
from storage.people.personal_data import has_placeholder
from storage.votes.quiz import OpenSentence
from training.votes.aggregation import PRIOR

EDGE_WORTH = 2.0
MAX_EVIDENCE = 50.0  # nats: beyond, all is settled
UNRATED = WordVotes(0.0, 0.0, 0, is_judged=False)
Reason = Literal["edge", "decides", "contested", "unrated", "more"]


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence to ask about, what that is worth, and the main reason."""

    sentence: OpenSentence
    worth: float
    because: Reason


def ranked(
    sentences: Sequence[OpenSentence],
    *,
    edge_cases: AbstractSet[str],
    min_voters: int,
    half_life_days: float,
    now: datetime,
) -> list[RankedSentence]:
    """The sentences worth asking about, the most first; those with personal data in them teach nothing.

    Args:
        sentences: what may be asked.
        edge_cases: hashes of the queries that the last run found to be some.
        min_voters: how many must have voted on a word before it counts.
        half_life_days: a vote so old counts half.
        now: the time to which votes have aged.
    """
    items = []
    for sentence in sentences:
        if has_placeholder(sentence.query):
            continue
        votes = weigh_votes(sentence.votes, min_voters=min_voters, half_life_days=half_life_days, now=now)
        items.append(_item(sentence, votes, is_edge=sentence.query_hash in edge_cases, min_voters=min_voters))
    # Equals in the order they came in: the newest first.
    return sorted((item for item in items if item.worth > 0), key=lambda item: -item.worth)


def edge_cases(runs_folder: Path) -> frozenset[str]:
    """Hashes of the queries with edge cases, as the last run that looked at votes wrote them. Blocking.

    That run may go on, and its file be half written; or be deleted meanwhile, to forget somebody.
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
    """What one more vote says of a word, over what it says of one that nobody rated; in [0, 1]."""
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
    """Of a coin, in bits."""
    return -sum(x * math.log2(x) for x in (p, 1.0 - p) if x > 0)
