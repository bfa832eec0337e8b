"""Answer queries in batches with one model version, and swap versions between two batches."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from training.inference.batching import Batcher
from training.inference.fill_model import FillModel
from training.inference.joint_filling import JointAnswer, Unsaid, fill_jointly

CANDIDATES = 20  # per mask; more than are shown, to fill the gaps of words that votes remove
# A query with several masks takes the model four to ten times as long. A query with one mask waits for at
# most this many of them.
JOINT_BATCH = 8

Answered = tuple[str, JointAnswer]  # the version that answered, and its answer


class Session:
    """A model with its inference thread and its queues. Needs a running event loop."""

    def __init__(self, model: FillModel, *, max_waiting: int = 1024) -> None:
        """Answer with `model`; `max_waiting` is the length of each of the two queues."""
        self.model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._batcher: Batcher[str, Answered] = Batcher(self._fill, max_waiting=max_waiting)
        self._joint_batcher: Batcher[tuple[str, Unsaid], Answered] = Batcher(
            self._fill_jointly, max_batch=JOINT_BATCH, max_waiting=max_waiting
        )

    @property
    def waiting(self) -> int:
        """Queries in both queues."""
        return self._batcher.waiting + self._joint_batcher.waiting

    async def fill(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        """Answer a query that is known to be short enough.

        Raises:
            QueryTooLongError: it is too long; the whole batch fails.
            TooManyWaitingError: the queue is full.
        """
        if masks > 1:
            return await self._joint_batcher.submit((text, unsaid))
        return await self._batcher.submit(text)

    def reload(self, model: FillModel) -> None:
        """Answer with another version, which is loaded and warm, from the next batch on."""
        self.model = model

    async def close(self) -> None:
        """Stop the queues and the thread. Idempotent."""
        await self._batcher.close()
        await self._joint_batcher.close()
        self._thread.shutdown(wait=True)

    async def _fill(self, texts: Sequence[str]) -> list[Answered]:
        model = self.model  # one version per batch, even if reload() is called meanwhile
        loop = asyncio.get_running_loop()
        filled = await loop.run_in_executor(self._thread, lambda: model.fill(texts, top=CANDIDATES))
        return [(model.version, JointAnswer(tuple(map(tuple, masks)), ())) for masks in filled]

    async def _fill_jointly(self, asked: Sequence[tuple[str, Unsaid]]) -> list[Answered]:
        model = self.model
        texts, unsaid = [text for text, _ in asked], [words for _, words in asked]
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(
            self._thread, lambda: fill_jointly(model, texts, top=CANDIDATES, unsaid=unsaid)
        )
        return [(model.version, answer) for answer in answers]
