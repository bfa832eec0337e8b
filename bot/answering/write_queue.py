"""Writes what happens in chat: whatever waits is one transaction, so that many people share one flush."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from storage.database import Database
from storage.errors import StorageError
from storage.votes.predictions import NewPrediction, attach_messages, record_predictions
from storage.votes.reactions import ThumbChange, apply_thumbs
from training.inference.batching import Batcher

MAX_BATCH = 512
AGAIN_S = 0.5  # after the database could not be written
T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class WriteQueue:
    """Three queues in front of the database. Build it inside a running event loop.

    What is awaited is on the disk. Nothing is refused: a vote waits rather than being lost, also for a disk
    that is full or a database that is locked. Only a prediction is: its asker is told at once.
    """

    def __init__(self, database: Database) -> None:
        """Write to `database`."""

        async def predict(new: Sequence[NewPrediction]) -> list[int]:
            return await record_predictions(database, new)

        async def attach(pairs: Sequence[tuple[int, int]]) -> list[None]:
            await _until_written(lambda: attach_messages(database, dict(pairs)))
            return [None] * len(pairs)

        async def change(changes: Sequence[ThumbChange]) -> list[int]:
            return await _until_written(lambda: apply_thumbs(database, changes))

        self._predictions = Batcher(predict, max_batch=MAX_BATCH, max_waiting=0)
        self._messages = Batcher(attach, max_batch=MAX_BATCH, max_waiting=0)
        self._thumbs = Batcher(change, max_batch=MAX_BATCH, max_waiting=0)

    async def record(self, new: NewPrediction) -> int:
        """Store a prediction with its candidates, before its reply is sent. Returns its id."""
        return await self._predictions.submit(new)

    async def attach(self, prediction_id: int, message_id: int) -> None:
        """Note under which message the prediction was replied."""
        await self._messages.submit((prediction_id, message_id))

    async def change_thumbs(self, change: ThumbChange) -> int:
        """Apply a change of thumbs, after those of earlier calls.

        Returns:
            How many votes it cast or took away: 0 for a message that is no reply of ours.
        """
        return await self._thumbs.submit(change)

    async def close(self) -> None:
        """Stop; whoever still waits is cancelled. Idempotent."""
        for batcher in (self._predictions, self._messages, self._thumbs):
            await batcher.close()


async def _until_written(write: Callable[[], Awaitable[T]]) -> T:
    """Try again for as long as the database cannot be written; said once."""
    is_said = False
    while True:
        try:
            return await write()
        except StorageError as error:
            if not is_said:
                log.error("votes.waiting", reason=str(error))  # noqa: TRY400  the reason says it all
                is_said = True
            await asyncio.sleep(AGAIN_S)
