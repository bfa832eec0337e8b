"""A person's last vote, and taking it back: all that one thumb, menu choice or suggestion cast."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import delete, select

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.standing import Value, Via


@dataclass(frozen=True, slots=True)
class LastVote:
    """What a person did last: one thumb, one choice in a menu, or one suggestion.

    Attributes:
        prediction_id: The prediction that it is on.
        message_id: The reply; None if its id is not known.
        channel_id: The channel of the reply.
        query: The query, without personal data.
        via: How it was cast.
        cast_at: When it was cast.
        words: The mask, word and value of each vote.
        thumbs: The thumbs behind a reaction, as they are stored.
    """

    prediction_id: int
    message_id: int | None
    channel_id: int
    query: str
    via: Via
    cast_at: datetime
    words: tuple[tuple[int, str, Value], ...]
    thumbs: str | None


async def last_vote(database: Database, voter_id: int) -> LastVote | None:
    """Return a person's last vote; None if they have none."""
    statement = (
        select(votes, predictions.c.message_id, predictions.c.channel_id, predictions.c.query)
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(votes.c.voter_id == voter_id)
        .order_by(votes.c.cast_at.desc(), votes.c.prediction_id.desc(), votes.c.via, votes.c.mask_index)
    )
    newest = await database.fetch_first(statement.limit(1))
    if newest is None:
        return None
    of_it = statement.where(votes.c.prediction_id == newest.prediction_id, votes.c.via == newest.via)
    if newest.via != "reaction":  # a thumb is one vote on each mask; earlier choices are votes of their own
        of_it = of_it.where(votes.c.cast_at == newest.cast_at)
    rows = sorted(await database.fetch(of_it), key=lambda row: (row.mask_index, row.word))
    words = tuple((row.mask_index, row.word, cast(Value, row.value)) for row in rows)
    return LastVote(
        newest.prediction_id,
        newest.message_id,
        newest.channel_id,
        newest.query,
        newest.via,
        newest.cast_at,
        words,
        newest.thumbs,
    )


@retried
async def withdraw(database: Database, voter_id: int, last: LastVote) -> int:
    """Delete a menu choice or a suggestion, unless it was changed meanwhile. Returns how many votes."""
    async with database.write() as connection:
        await lock_votes_shared(connection, [(last.prediction_id, voter_id)])
        result = await connection.execute(
            delete(votes).where(
                votes.c.prediction_id == last.prediction_id,
                votes.c.voter_id == voter_id,
                votes.c.via == last.via,
                votes.c.cast_at == last.cast_at,
            )
        )
    return result.rowcount
