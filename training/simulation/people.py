"""A simulated team that votes by the wanted and unwanted words of each query."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from storage.database import Database
from storage.votes.predictions import (
    NewPrediction,
    StoredCandidate,
    StoredVote,
    cast_votes,
    record_predictions,
)
from storage.votes.standing import Value, Via
from training.evaluation.metrics import Case
from training.inference.encoder import finished, query_hash
from training.inference.fill_model import Candidate

Habit = Literal["menu", "top1"]
VIA: Mapping[Habit, Via] = {"menu": "menu", "top1": "reaction"}
GUILD_ID, CHANNEL_ID = 1, 1
BETWEEN_QUERIES = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query and the candidates shown for its first mask, best first."""

    case: Case
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class People:
    """The voters and their habits.

    Attributes:
        voters: their number; their ids are 1, 2, ….
        flips: share of wrong votes, in [0, 1].
        habit: "top1", a thumb on the top word; "menu", a vote on every word shown.
    """

    voters: int
    flips: float
    habit: Habit

    def votes(self, asked: AskedQuery, random: random.Random) -> Iterator[tuple[int, str, Value]]:
        """Voter, word and value of every vote; each voter's errors are independent."""
        for word in self.rated(asked):
            for voter in range(1, self.voters + 1):
                is_up = (word in asked.case.wanted) != (random.random() < self.flips)
                yield voter, word, 1 if is_up else -1

    def rated(self, asked: AskedQuery) -> list[str]:
        """The words that are voted on: candidates that the habit covers and that are wanted or unwanted."""
        looked_at = asked.candidates if self.habit == "menu" else asked.candidates[:1]
        known = {*asked.case.wanted, *asked.case.unwanted}
        return [candidate.word for candidate in looked_at if candidate.word in known]


async def record(
    database: Database,
    asked: Sequence[AskedQuery],
    people: People,
    *,
    version: str,
    random: random.Random,
    at: datetime,
) -> None:
    """Store predictions and votes like the bot, from `at` on; the voters ask in turn."""
    votes: list[StoredVote] = []
    for number, each in enumerate(asked):
        asked_at = at + number * BETWEEN_QUERIES
        asker_id = 1 + number % people.voters
        new = _prediction(each, asker_id=asker_id, version=version, at=asked_at)
        (prediction_id,) = await record_predictions(database, [new])
        votes += [
            StoredVote(prediction_id, 0, word, voter, VIA[people.habit], value, asked_at)
            for voter, word, value in people.votes(each, random)
        ]
    await cast_votes(database, votes)


def _prediction(asked: AskedQuery, *, asker_id: int, version: str, at: datetime) -> NewPrediction:
    query = finished(asked.case.text)
    return NewPrediction(
        guild_id=GUILD_ID,
        channel_id=CHANNEL_ID,
        asker_id=asker_id,
        query=query,
        query_hash=query_hash(query),
        model_version=version,
        latency_ms=0.0,
        created_at=at,
        candidates=tuple(
            StoredCandidate(0, rank, candidate.word, candidate.score)
            for rank, candidate in enumerate(asked.candidates)
        ),
    )
