"""Votes on words that one of two versions brought, while both answered together."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from storage.database import Database
from storage.schema import candidates, predictions, votes
from storage.votes.standing import VOTE_COLUMNS, Value, is_opted_in, standing_rank


@dataclass(frozen=True, slots=True)
class CreditedVote:
    """A standing vote on a word, and the version that brought the word."""

    prediction_id: int
    voter_id: int
    value: Value
    cast_at: datetime
    model_version: str


async def credited_votes(
    database: Database, versions: tuple[str, str], *, since: datetime
) -> list[CreditedVote]:
    """Return the standing votes since a time on words that one of two versions brought, oldest first.

    Left out are votes of people who opted out, and votes of no weight by their voters' roles.
    """
    ranked = (
        select(
            *VOTE_COLUMNS,
            candidates.c.model_version,
            standing_rank(predictions.c.query_hash).label("rank"),
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .join(
            candidates,
            (candidates.c.prediction_id == votes.c.prediction_id)
            & (candidates.c.mask_index == votes.c.mask_index)
            & (candidates.c.word == votes.c.word),
        )
        .where(
            votes.c.cast_at >= since,
            predictions.c.created_at >= since,
            candidates.c.model_version.in_(versions),
            is_opted_in(votes.c.voter_id),
            votes.c.weight > 0,
        )
        .subquery()
    )
    statement = (
        select(*(ranked.c[name] for name in CreditedVote.__slots__))
        .where(ranked.c.rank == 1)
        .order_by(ranked.c.cast_at, ranked.c.prediction_id, ranked.c.mask_index, ranked.c.word)
    )
    return [CreditedVote(*row) for row in await database.fetch(statement)]
