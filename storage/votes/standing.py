"""Which of a person's votes on a word of a query stands.

A menu choice or a suggestion takes precedence over a reaction; otherwise the latest vote does. Votes cast at
the same moment are ordered by prediction and then by `via`, so that all readers pick the same one. Votes of
people who opted out do not count; votes of forgotten people are deleted.

The rule exists in SQL, in Python and, for UpTrain's operators, in polars (`training.votes.checks.votes`).
A property test holds the three to the same result.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, exists, func

from storage.schema import people, votes

PRECEDENCE = (votes.c.via != "reaction", votes.c.cast_at, votes.c.prediction_id, votes.c.via)
OLDEST_FIRST = (*(votes.c[n] for n in ("cast_at", "prediction_id", "mask_index", "word", "voter_id", "via")),)


class _Vote(Protocol):
    """The fields that the rule reads; all votes are on the same query."""

    @property
    def prediction_id(self) -> int: ...
    @property
    def mask_index(self) -> int: ...
    @property
    def word(self) -> str: ...
    @property
    def voter_id(self) -> int: ...
    @property
    def via(self) -> str: ...
    @property
    def cast_at(self) -> datetime: ...


V = TypeVar("V", bound=_Vote)
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
    """Whether a user has not opted out. True where the id is NULL."""
    person = people.alias()  # `people` itself would correlate with statements that join it
    return ~exists().where(person.c.user_id == user_id, person.c.opted_out_at.is_not(None))
