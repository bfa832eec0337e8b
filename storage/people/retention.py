"""Delete votes and predictions older than the retention period."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, exists, select, tuple_

from storage.backends.postgres import ERASE_LOCK, VOTE_LOCK, lock
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
async def delete_expired(database: Database, before: datetime, *, batch: int = BATCH) -> Expired:
    """Delete votes cast before a time, then predictions made before it that have no votes.

    Removes their queries from the reports of runs as well. Works in small transactions.
    """
    old_votes = votes.c.cast_at < before
    gone_votes = await _delete_in_batches(database, votes, old_votes, batch=batch)
    unvoted = ~exists().where(votes.c.prediction_id == predictions.c.id)
    old_predictions = predictions.c.created_at < before
    gone_predictions = await _delete_in_batches(database, predictions, old_predictions & unvoted, batch=batch)
    reports = 0
    if gone_predictions:
        async with database.write() as connection:
            await lock(connection, ERASE_LOCK)
            reports = await connection.run_sync(drop_orphaned_queries)
    return Expired(gone_votes, gone_predictions, reports)


@retried
async def _delete_in_batches(
    database: Database, table: Table, condition: ColumnElement[bool], *, batch: int
) -> int:
    """Delete the rows that match; return their number."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(condition).limit(batch)
    gone = 0
    while True:
        async with database.write() as connection:
            await lock(connection, VOTE_LOCK)  # or a vote cast meanwhile would be deleted with its prediction
            count = (await connection.execute(delete(table).where(key.in_(some)))).rowcount
        gone += count
        if count < batch:
            return gone
        await asyncio.sleep(0)  # let waiting writers in
