"""Which of a person's votes on a word of a query stands.

A menu choice or a suggestion takes precedence over a reaction; otherwise the latest vote does. Votes cast at
the same moment are ordered by prediction and then by `via`, so that all readers pick the same one. Votes of
people who opted out do not count; votes of forgotten people are deleted.

The rule exists in SQL, in Python and, for UpTrain's operators, in polars (`training.votes.checks.votes`).
A property test holds the three to the same result.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, func, select

from storage.schema import people, votes

Via = Literal["reaction", "menu", "suggestion"]
Value = Literal[-1, 1]
PRECEDENCE = (votes.c.via != "reaction", votes.c.cast_at, votes.c.prediction_id, votes.c.via)
OLDEST_FIRST = (*(votes.c[n] for n in ("cast_at", "prediction_id", "mask_index", "word", "voter_id", "via")),)


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's vote on a word of a prediction."""

    prediction_id: int
    mask_index: int
    word: str
    voter_id: int
    via: Via
    value: Value
    cast_at: datetime


VOTE_COLUMNS = [votes.c[name] for name in Vote.__slots__]
V = TypeVar("V", bound=Vote)
Precedence = tuple[bool, datetime, int, str]


def precedence(via: str, cast_at: datetime, prediction_id: int) -> Precedence:
    """Return the sort key of a vote: of one voter's votes on a word, the greatest stands."""
    return via != "reaction", cast_at, prediction_id, via


def standing_votes(cast: Iterable[V]) -> list[V]:
    """Keep one vote per voter and word, of votes on the same query."""
    ordered = sorted(cast, key=lambda vote: precedence(vote.via, vote.cast_at, vote.prediction_id))
    return list({(vote.mask_index, vote.word, vote.voter_id): vote for vote in ordered}.values())


def standing_rank(query_hash: ColumnElement[str]) -> ColumnElement[int]:
    """Rank a voter's votes on a word, in a statement that selects from `votes`; number 1 stands."""
    return func.row_number().over(
        partition_by=(query_hash, votes.c.mask_index, votes.c.word, votes.c.voter_id),
        order_by=[column.desc() for column in PRECEDENCE],
    )


def is_opted_in(user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a user has not opted out, in statements about many users; NULL for NULL.

    It lists those who opted out once, which takes a third of the time of a look-up for each of 300,000 votes.
    """
    person = people.alias()  # `people` itself would correlate with statements that join it
    return user_id.not_in(select(person.c.user_id).where(person.c.opted_out_at.is_not(None)))


def opted_out_at(user_id: int) -> Select[Any]:
    """Select when a user opted out; no row or NULL if they did not."""
    return select(people.c.opted_out_at).where(people.c.user_id == user_id)
