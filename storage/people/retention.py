"""Delete votes and predictions older than the retention period."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select

from storage.backends.postgres import lock_erasing, lock_votes
from storage.backends.retries import retried
from storage.database import Database
from storage.people.forgetting import drop_orphaned_queries
from storage.schema import predictions, votes

BATCH = 500  # rows per transaction, so that a concurrent vote waits for milliseconds


@dataclass(frozen=True, slots=True)
class Expired:
    """Numbers of deleted votes and predictions, and of changed reports."""

    votes: int
    predictions: int
    reports: int


@retried
async def expire(database: Database, before: datetime, *, batch: int = BATCH) -> Expired:
    """Delete votes cast before a time, then predictions made before it that have no votes.

    Removes their queries from the reports of runs as well. Works in small transactions.
    """
    key = select(*votes.primary_key.columns).where(votes.c.cast_at < before).order_by(votes.c.cast_at)
    gone_votes = 0
    while True:
        async with database.write() as connection:
            await lock_votes(connection)
            rows = (await connection.execute(key.limit(batch))).all()
            for row in rows:
                same = [votes.c[name] == value for name, value in row._mapping.items()]
                await connection.execute(delete(votes).where(*same))
        gone_votes += len(rows)
        if len(rows) < batch:
            break
        await asyncio.sleep(0)
    gone_predictions = await _expire_predictions(database, before, batch=batch)
    reports = 0
    if gone_predictions:
        async with database.write() as connection:
            await lock_erasing(connection)
            reports = await connection.run_sync(drop_orphaned_queries)
    return Expired(gone_votes, gone_predictions, reports)


@retried
async def _expire_predictions(database: Database, before: datetime, *, batch: int) -> int:
    gone = last = 0
    while True:
        unvoted = (
            select(predictions.c.id)
            .where(
                predictions.c.id > last,
                predictions.c.created_at < before,
                ~exists().where(votes.c.prediction_id == predictions.c.id),
            )
            .order_by(predictions.c.id)
            .limit(batch)
        )
        async with database.write() as connection:
            await lock_votes(connection)  # or a vote cast meanwhile would be deleted, too
            ids = list((await connection.execute(unvoted)).scalars())
            await connection.execute(delete(predictions).where(predictions.c.id.in_(ids)))
        gone += len(ids)
        if len(ids) < batch:
            return gone
        last = ids[-1]
        await asyncio.sleep(0)
