"""A simulated team: people with different habits, who vote by the wanted and unwanted words of each query.

`People.of("menu:5,lazy:1,raid:10@3")` is five people who vote on every word by menu, one who likes every top
word, and ten accounts that vote the opposite on night 3.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from storage.database import Database
from storage.votes.predictions import (
    NewPrediction,
    StoredCandidate,
    StoredVote,
    cast_votes,
    record_predictions,
)
from storage.votes.standing import Value, Via
from training.errors import PeopleError
from training.evaluation.metrics import Case
from training.inference.encoder import finished, query_hash
from training.inference.fill_model import Candidate

GUILD_ID, CHANNEL_ID = 1, 1
BETWEEN_QUERIES = timedelta(seconds=20)
GROUP = re.compile(
    r"(?P<habit>\w+)(:(?P<number>[1-9]\d{0,3}))?(@(?P<first>\d+)?(?P<range>-)?(?P<last>\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query and the candidates shown for its first mask, best first."""

    case: Case
    candidates: Sequence[Candidate]

    def opinion(self, word: str) -> Value | None:
        """Return what the team thinks of a word here; None: it has no opinion."""
        if word in self.case.wanted:
            return 1
        return -1 if word in self.case.unwanted else None


@dataclass(frozen=True, slots=True)
class Look:
    """One person looks at one word of a reply.

    Attributes:
        opinion: what the team thinks of the word; None: it has no opinion.
        rank: the word's rank, from 0.
        flips: share of wrong votes, in [0, 1], of people who mean what they vote.
        random: decides everything that is left to chance.
    """

    opinion: Value | None
    rank: int
    flips: float
    random: random.Random


def honest_vote(look: Look) -> Value | None:
    """Vote as the team thinks; a share of the votes is wrong."""
    if look.opinion is None:
        return None
    is_up = (look.opinion > 0) != (look.random.random() < look.flips)
    return 1 if is_up else -1


def top_word_vote(look: Look) -> Value | None:
    """Vote on the top word alone."""
    return honest_vote(look) if look.rank == 0 else None


def glancing_vote(look: Look, *, eta: float = 1.0) -> Value | None:
    """Look at the word at place r with probability 1 / r^η: the position model of Joachims et al. 2017."""
    is_seen = look.random.random() < (look.rank + 1) ** -eta
    return honest_vote(look) if is_seen else None


def lazy_vote(look: Look) -> Value | None:
    """Like the top word, whatever it is."""
    return 1 if look.rank == 0 else None


def opposite_vote(look: Look) -> Value | None:
    """Vote the opposite of what the team thinks."""
    return None if look.opinion is None else -1 if look.opinion > 0 else 1


@dataclass(frozen=True, slots=True)
class Habit:
    """How a person votes.

    Attributes:
        vote: the vote on a word; None for no vote.
        via: how votes are cast.
        share: probability that the person votes on a reply at all.
        asks: whether the person asks queries, too.
        votes_a_night: the queries are asked again until the person has cast this many votes; None: once.
    """

    vote: Callable[[Look], Value | None]
    via: Via = "menu"
    share: float = 1.0
    asks: bool = True
    votes_a_night: int | None = None


HABITS: Mapping[str, Habit] = {
    "menu": Habit(honest_vote),
    "top1": Habit(top_word_vote, via="reaction"),
    "glance": Habit(glancing_vote),
    "rare": Habit(honest_vote, share=0.1),
    "lazy": Habit(lazy_vote, via="reaction"),
    "raid": Habit(opposite_vote, asks=False),
    "flood": Habit(opposite_vote, asks=False, votes_a_night=1000),
}


@dataclass(frozen=True, slots=True)
class Group:
    """People of one habit, with consecutive ids.

    Attributes:
        voters: their ids.
        flips: share of wrong votes of those who mean what they vote.
        first, last: the nights from and up to which they take part; None: no limit.
    """

    habit: Habit
    voters: range
    flips: float
    first: int = 1
    last: int | None = None

    def is_there(self, night: int) -> bool:
        """Whether they vote on the day before this night."""
        return self.first <= night and (self.last is None or night <= self.last)

    def votes(self, asked: AskedQuery, random: random.Random) -> Iterator[tuple[int, str, Value]]:
        """Voter, word and value of every vote; each voter's errors are independent."""
        share = self.habit.share
        voters = [voter for voter in self.voters if share == 1 or random.random() < share]
        for rank, candidate in enumerate(asked.candidates):
            opinion = asked.opinion(candidate.word)
            for voter in voters:
                value = self.habit.vote(Look(opinion, rank, self.flips, random))
                if value is not None:
                    yield voter, candidate.word, value


@dataclass(frozen=True, slots=True)
class People:
    """The groups of a team. Ids of voters are 1, 2, …, in the order of the groups."""

    groups: tuple[Group, ...]

    @classmethod
    def of(cls, text: str, *, flips: float) -> Self:
        """Read "HABIT:NUMBER@NIGHTS, …", where nights are `3`, `3-`, `-14` or `3-14`.

        Args:
            text: the groups; one person where no number is given, every night where no nights are.
            flips: share of wrong votes of those who mean what they vote, in [0, 1].

        Raises:
            PeopleError: it cannot be read; says which part.
        """
        groups: list[Group] = []
        next_id = 1
        for part in map(str.strip, text.split(",")):
            found = GROUP.fullmatch(part)
            habit = HABITS.get(found["habit"]) if found else None
            if found is None or habit is None or part.endswith(("@", "@-")):
                raise PeopleError(part, list(HABITS))
            voters = range(next_id, next_id + int(found["number"] or 1))
            next_id = voters.stop
            first = int(found["first"] or 1)
            single = first if found["first"] and not found["range"] else None
            last = int(found["last"]) if found["last"] else single
            if last is not None and last < first:
                raise PeopleError(part, list(HABITS))
            groups.append(Group(habit, voters, flips, first, last))
        return cls(tuple(groups))

    def there(self, night: int) -> list[Group]:
        """Return the groups that take part on the day before a night."""
        return [group for group in self.groups if group.is_there(night)]


async def record(
    database: Database,
    asked: Sequence[AskedQuery],
    people: People,
    *,
    version: str,
    random: random.Random,
    at: datetime,
    night: int = 1,
) -> set[tuple[str, str]]:
    """Store predictions and votes like the bot, from `at` on. Returns each (query, word) that has votes."""
    replies = list(_replies(asked, people.there(night)))
    if not replies:
        return set()
    times = [at + number * BETWEEN_QUERIES for number in range(len(replies))]
    ids = await record_predictions(
        database,
        [
            _prediction(each, asker_id=asker_id, version=version, at=asked_at)
            for (each, asker_id, _), asked_at in zip(replies, times, strict=True)
        ],
    )
    votes: list[StoredVote] = []
    voted: set[tuple[str, str]] = set()
    for prediction_id, (each, _, groups), asked_at in zip(ids, replies, times, strict=True):
        for group in groups:
            for voter, word, value in group.votes(each, random):
                votes.append(StoredVote(prediction_id, 0, word, voter, group.habit.via, value, asked_at))
                voted.add((each.case.text, word))
    await cast_votes(database, votes)
    return voted


def _replies(
    asked: Sequence[AskedQuery], groups: Sequence[Group]
) -> Iterator[tuple[AskedQuery, int, Sequence[Group]]]:
    """Every reply of a day with its asker and the people who vote on it; people ask in turn."""
    asking = [group for group in groups if group.habit.asks] or groups
    askers = [voter for group in asking for voter in group.voters]
    once = [group for group in groups if group.habit.votes_a_night is None]
    for number, each in enumerate(asked if askers else ()):
        yield each, askers[number % len(askers)], once
    opinions = [sum(each.opinion(c.word) is not None for c in each.candidates) for each in asked]
    for group in groups:
        wanted = group.habit.votes_a_night
        if wanted is None or not any(opinions):
            continue
        for voter in group.voters:
            cast = 0
            for each, votes in itertools.cycle(zip(asked, opinions, strict=True)):
                if cast >= wanted:
                    break
                yield each, voter, [replace(group, voters=range(voter, voter + 1))]
                cast += votes


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
