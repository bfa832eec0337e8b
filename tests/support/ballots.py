"""Predictions and votes straight in a database, for tests that need some."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select

from storage.database import Database
from storage.schema import people, predictions, votes
from storage.votes.predictions import (
    NewPrediction,
    StoredCandidate,
    StoredVote,
    attach_messages,
    cast_votes,
    record_predictions,
)
from storage.votes.standing import Value, Via

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A_MONTH_BEFORE = NOON - timedelta(days=30)
QUERY = "Nike shoes are very [MASK]."
WORDS = (("cheap", 0.4), ("comfortable", 0.3), ("ugly", 0.05))


def minutes(count: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=count)


def hash_of(query: str) -> str:
    """Any hash that fits the column."""
    return hashlib.sha256(query.encode()).hexdigest()[:32]


async def ask(
    database: Database,
    query: str = QUERY,
    *,
    words: Sequence[tuple[str, float]] = WORDS,
    masks: int = 1,
    message_id: int | None = None,
    model_version: str = "v0001",
    created_at: datetime = NOON,
    guild_id: int | None = 1,
    channel_id: int = 2,
    asker_id: int = 3,
    author_id: int | None = None,
    quiz_at: datetime | None = None,
) -> int:
    """Record a prediction that offers `words` with their scores for each mask. Returns its id."""
    new = NewPrediction(
        guild_id=guild_id,
        channel_id=channel_id,
        asker_id=asker_id,
        author_id=author_id,
        query=query,
        query_hash=hash_of(query),
        model_version=model_version,
        latency_ms=7.5,
        created_at=created_at,
        candidates=tuple(
            StoredCandidate(mask, rank, word, score)
            for mask in range(masks)
            for rank, (word, score) in enumerate(words)
        ),
        quiz_at=quiz_at,
    )
    (prediction_id,) = await record_predictions(database, [new])
    if message_id is not None:
        await attach_messages(database, {prediction_id: message_id})
    return prediction_id


async def vote(
    database: Database,
    prediction_id: int,
    word: str,
    value: Value,
    *,
    by: int,
    mask_index: int = 0,
    via: Via = "reaction",
    at: datetime = NOON,
    weight: float = 1.0,
) -> None:
    """Cast one vote."""
    new = StoredVote(prediction_id, mask_index, word, by, via, value, at, weight=weight)
    await cast_votes(database, [new])


async def votes_on_message(database: Database, message_id: int) -> list[StoredVote]:
    """Every stored vote on a reply, oldest first."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(votes)
            .join(predictions, predictions.c.id == votes.c.prediction_id)
            .where(predictions.c.message_id == message_id)
            .order_by(votes.c.cast_at, votes.c.mask_index, votes.c.voter_id)
        )
        return [StoredVote(**row._mapping) for row in rows]


async def opt_out(database: Database, user_id: int) -> None:
    """Opt somebody out at noon."""
    async with database.write() as connection:
        await connection.execute(insert(people), {"user_id": user_id, "opted_out_at": NOON})
