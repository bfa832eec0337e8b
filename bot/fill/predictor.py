"""The async face of the champion: `predict` and `reload`. Owns the inference thread and the cache."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bot.fill.batching import Batcher
from bot.operations.metrics import Metrics
from bot.texts import say
from training.fill_model import Candidate, FillModel
from training.joint import JointAnswer, JointFilling, Unsaid, fill_jointly
from training.registry import SERVED_FILES, Registry

CANDIDATES = 20  # a mask: more than are shown, to move up where votes leave words out
CACHED_QUERIES = 4096
# A query of several masks takes the model four to ten times as long: where both are asked, one of a single
# mask waits for so many of them at most.
JOINT_BATCH = 8
WARM_UP = ("Nike shoes are very [MASK].", "[MASK] and [MASK].")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Ranked candidates for each mask, the version that made them, and the time from asking to answer.

    Several masks are filled together: `sentences` are the best fillings, best first, and the candidates of
    each mask are those while the others are as in the best one. A single mask has no `sentences`.
    """

    masks: tuple[tuple[Candidate, ...], ...]
    model_version: str
    latency_ms: float
    sentences: tuple[JointFilling, ...] = ()


class Predictor:
    """Answers queries with the model version that serves. Build it inside a running event loop."""

    def __init__(self, model: FillModel, *, max_waiting: int = 1024, metrics: Metrics | None = None) -> None:
        """Serve with `model`; cache hits are counted in `metrics`."""
        self._metrics = metrics or Metrics()
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._batcher: Batcher[str, tuple[str, JointAnswer]] = Batcher(self._fill, max_waiting=max_waiting)
        self._joint_batcher: Batcher[tuple[str, Unsaid], tuple[str, JointAnswer]] = Batcher(
            self._fill_jointly, max_batch=JOINT_BATCH, max_waiting=max_waiting
        )
        self._cache: OrderedDict[tuple[str, str, Unsaid], JointAnswer] = OrderedDict()

    @property
    def version(self) -> str:
        """The version that serves."""
        return self._model.version

    @property
    def waiting(self) -> int:
        """Queries that wait for the next batch."""
        return self._batcher.waiting + self._joint_batcher.waiting

    @property
    def numbers(self) -> str:
        """The format that it computes in, and why that one."""
        precision, agreed = self._model.precision, self._model.agreement
        if agreed is None:
            return precision
        key = "int8" if precision == "int8" else "fp32"
        return say(f"model.precisions.{key}", share=f"{agreed['top1']:.0%}", sentences=agreed["masks"])

    def spelling(self, word: str) -> str:
        """How the version that serves spells a word; in small letters where it does not know it."""
        token = self._model.token_of(word)
        return word.lower() if token is None else self._model.word_of(token)

    async def predict(self, text: str, *, unsaid: Unsaid = frozenset()) -> Prediction:
        """The best words for every mask of a query's text.

        Args:
            text: the query's.
            unsaid: where it has several masks, words that are not to be said.

        Raises:
            QueryTooLongError: more word pieces than the model reads.
            BusyError: too many queries wait.
        """
        started = time.perf_counter()
        version = self._model.version
        answer = self._cache.get((version, text, unsaid))
        if answer is None:
            encoded = self._model.encoder.encode(text)  # refuse here what would spoil a batch
            if len(encoded.masks) > 1:
                version, answer = await self._joint_batcher.submit((text, unsaid))
            else:
                version, answer = await self._batcher.submit(text)
            self._cache[version, text, unsaid] = answer
            while len(self._cache) > CACHED_QUERIES:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end((version, text, unsaid))
            self._metrics.cache_hits.inc()
        latency_ms = (time.perf_counter() - started) * 1000
        return Prediction(answer.masks, version, latency_ms, answer.fillings)

    async def reload(self, model: FillModel) -> None:
        """Serve with another version, loaded and warm, from the next batch on."""
        self._model = model
        self._cache.clear()

    def forget_queries(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def close(self) -> None:
        """Stop serving. Idempotent."""
        await self._batcher.close()
        await self._joint_batcher.close()
        self._thread.shutdown(wait=True)

    async def _fill(self, texts: Sequence[str]) -> list[tuple[str, JointAnswer]]:
        model = self._model  # one version a batch, whatever is reloaded meanwhile
        loop = asyncio.get_running_loop()
        filled = await loop.run_in_executor(self._thread, lambda: model.fill(texts, top=CANDIDATES))
        return [(model.version, JointAnswer(tuple(map(tuple, masks)), ())) for masks in filled]

    async def _fill_jointly(self, asked: Sequence[tuple[str, Unsaid]]) -> list[tuple[str, JointAnswer]]:
        model = self._model
        texts, unsaid = [text for text, _ in asked], [words for _, words in asked]
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(
            self._thread, lambda: fill_jointly(model, texts, top=CANDIDATES, unsaid=unsaid)
        )
        return [(model.version, answer) for answer in answers]


async def load(registry: Registry, version: str) -> FillModel:
    """Verify, load and warm a version in a thread of its own, while the one that serves goes on serving.

    Raises:
        RegistryError: there is no such version, or it is damaged.
    """

    def work() -> FillModel:
        registry.verify(version, only=SERVED_FILES)
        model = FillModel(registry.path(version))
        model.fill(WARM_UP, top=CANDIDATES)
        return model

    return await asyncio.to_thread(work)
