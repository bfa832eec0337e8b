"""Serve everything that is waiting as one batch; no timer.

A lone item waits for nothing; under load a batch is what arrived while the one before was served.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from training.inference.errors import TooManyWaitingError

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """A bounded queue in front of `serve`, which takes items and returns as many results in their order."""

    def __init__(
        self,
        serve: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_batch: int = 64,
        max_waiting: int = 1024,
        lanes: int = 1,
    ) -> None:
        """Start serving; call it inside a running event loop.

        Args:
            serve: items → results in their order.
            max_batch: items at once.
            max_waiting: more than so many are refused; 0: none is.
            lanes: batches that may be served at the same time.
        """
        self._serve, self._max_batch = serve, max_batch
        self._waiting: asyncio.Queue[tuple[T, asyncio.Future[R]]] = asyncio.Queue(max_waiting)
        self._workers = [asyncio.create_task(self._work(), name="batcher") for _ in range(lanes)]

    @property
    def waiting(self) -> int:
        """Items that wait for the next batch."""
        return self._waiting.qsize()

    async def submit(self, item: T) -> R:
        """The result for one item; what `serve` raises is raised here.

        Raises:
            TooManyWaitingError: too many wait already.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((item, future))
        except asyncio.QueueFull as error:
            raise TooManyWaitingError from error
        return await future

    async def close(self) -> None:
        """Stop; whoever still waits is cancelled. Idempotent."""
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
            batch = [(item, future) for item, future in batch if not future.done()]  # nobody waits any more
            if not batch:
                continue
            try:
                results = await self._serve([item for item, _ in batch])
                answered = list(zip(batch, results, strict=True))
            except asyncio.CancelledError:
                for _, future in batch:
                    future.cancel()
                raise
            except Exception as error:  # noqa: BLE001  whoever asked gets it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in answered:
                if not future.done():
                    future.set_result(result)
