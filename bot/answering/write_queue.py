"""Batches database writes: everything that waits goes into one transaction, and so into one fsync."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from tenacity import RetryCallState, retry, retry_if_exception_type

from storage.database import Database
from storage.errors import StorageError
from storage.votes.predictions import NewPrediction, attach_messages, record_predictions
from storage.votes.reactions import ThumbChange, apply_thumbs
from training.inference.batching import Batcher

MAX_BATCH = 512
RETRY_AFTER_S = 0.5
T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class WriteQueue:
    """Three queues in front of the database. Must be built inside a running event loop.

    A write is durable when its call returns. Votes and message ids are retried until the database can be
    written, so that a full disk or a lock loses no vote. A prediction fails at once instead: its asker can
    ask again.
    """

    def __init__(self, database: Database) -> None:

        async def predict(new: Sequence[NewPrediction]) -> list[int]:
            return await record_predictions(database, new)

        async def attach(pairs: Sequence[tuple[int, int]]) -> list[None]:
            await _until_written(lambda: attach_messages(database, dict(pairs)))
            return [None] * len(pairs)

        async def change(changes: Sequence[ThumbChange | None]) -> list[int]:
            to_write = [one for one in changes if one is not None]
            counts = iter(await _until_written(lambda: apply_thumbs(database, to_write)) if to_write else ())
            return [0 if one is None else next(counts) for one in changes]

        self._predictions = Batcher(predict, max_batch=MAX_BATCH, max_waiting=0)
        self._messages = Batcher(attach, max_batch=MAX_BATCH, max_waiting=0)
        self._thumbs = Batcher(change, max_batch=MAX_BATCH, max_waiting=0)

    async def record(self, new: NewPrediction) -> int:
        """Store a prediction and its candidates before the reply is sent. Returns its id."""
        return await self._predictions.submit(new)

    async def attach(self, prediction_id: int, message_id: int) -> None:
        """Store the id of the message that shows the prediction."""
        await self._messages.submit((prediction_id, message_id))

    async def change_thumbs(self, change: ThumbChange) -> int:
        """Apply a change of reactions; changes are applied in the order of the calls.

        Returns:
            How many votes were cast or withdrawn; 0 if the message is no reply of the bot.
        """
        return await self._thumbs.submit(change)

    async def flush_thumbs(self) -> None:
        """Return once all changes of reactions from before this call are written."""
        await self._thumbs.submit(None)

    async def close(self) -> None:
        """Cancel what is still queued. Idempotent."""
        for batcher in (self._predictions, self._messages, self._thumbs):
            await batcher.close()


def _log_first(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        log.error("votes.waiting", reason=str(state.outcome.exception()))


@retry(retry=retry_if_exception_type(StorageError), wait=lambda _: RETRY_AFTER_S, before_sleep=_log_first)
async def _until_written(write: Callable[[], Awaitable[T]]) -> T:
    """Retry while the database cannot be written; log only the first failure."""
    return await write()
