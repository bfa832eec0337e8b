"""Dynamic batching without a timer: a batch is everything that arrived during the previous one.

A single item is served at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from training.inference.errors import TooManyWaitingError

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """A bounded queue in front of `serve`, which maps a batch of items to results in the same order."""

    def __init__(
        self,
        serve: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_batch: int = 64,
        max_waiting: int = 1024,
        lanes: int = 1,
    ) -> None:
        """Start the workers; needs a running event loop.

        Args:
            serve: items → results in their order.
            max_batch: items in one batch at most.
            max_waiting: length of the queue; further items are refused. 0: unbounded.
            lanes: batches served concurrently.
        """
        self._serve, self._max_batch = serve, max_batch
        self._waiting: asyncio.Queue[tuple[T, asyncio.Future[R]]] = asyncio.Queue(max_waiting)
        self._is_closed = False
        self._workers = [asyncio.create_task(self._work(), name="batcher") for _ in range(lanes)]

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return self._waiting.qsize()

    async def submit(self, item: T) -> R:
        """Return the result for one item; raises what `serve` raises.

        Raises:
            TooManyWaitingError: the queue is full.
            CancelledError: the batcher is closed, or was closed meanwhile.
        """
        if self._is_closed:  # no worker would take the item
            raise asyncio.CancelledError
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((item, future))
        except asyncio.QueueFull as error:
            raise TooManyWaitingError from error
        return await future

    async def close(self) -> None:
        """Stop the workers, cancel waiting items and refuse further ones. Idempotent."""
        self._is_closed = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        while not self._waiting.empty():
            self._waiting.get_nowait()[1].cancel()

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._max_batch and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            batch = [(item, future) for item, future in batch if not future.done()]  # skip cancelled items
            if not batch:
                continue
            try:
                results = await self._serve([item for item, _ in batch])
                answered = list(zip(batch, results, strict=True))
            except asyncio.CancelledError:
                for _, future in batch:
                    future.cancel()
                raise
            except Exception as error:  # noqa: BLE001  passed on to the callers
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in answered:
                if not future.done():
                    future.set_result(result)
