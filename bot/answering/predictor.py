"""The async face of the champion: `predict` and `reload`. Owns the cache, and what answers, here or far."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from bot.distributed.remote_predictor import RemotePredictor, ServiceAwayError
from bot.errors import BusyError
from bot.operations.metrics import Metrics
from bot.texts import say
from training.inference.errors import TooManyWaitingError
from training.inference.fill_model import Candidate, FillModel
from training.inference.joint_filling import JointAnswer, JointFilling, Unsaid
from training.inference.session import CANDIDATES as CANDIDATES
from training.inference.session import Answered, Session

CACHED_QUERIES = 4096


class Backend(Protocol):
    """Answers one query; a version in this process, or replicas elsewhere."""

    async def fill(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        """The version that answers, and its answer."""


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
    """Answers queries with the model version that serves. Build it inside a running event loop.

    With a service, that one is asked; the session here follows the champion all the same, answers whenever
    the service does not, and knows how words are spelled.
    """

    def __init__(
        self,
        model: FillModel,
        *,
        max_waiting: int = 1024,
        metrics: Metrics | None = None,
        remote: RemotePredictor | None = None,
    ) -> None:
        """Serve with `model`, or with `remote` while that answers; both are counted in `metrics`."""
        self._metrics = metrics or Metrics()
        self._session = Session(model, max_waiting=max_waiting)
        self._remote = remote
        self._cache: OrderedDict[tuple[str, str, Unsaid], JointAnswer] = OrderedDict()

    @property
    def _model(self) -> FillModel:
        return self._session.model

    @property
    def version(self) -> str:
        """The version that serves here; a service may be a few seconds ahead or behind."""
        return self._model.version

    @property
    def waiting(self) -> int:
        """Queries that wait for the next batch."""
        return self._session.waiting + (self._remote.waiting if self._remote else 0)

    @property
    def precision(self) -> str:
        """The numeric format that the model computes in, with the comparison that chose it."""
        name, agreed = self._model.precision, self._model.agreement
        if agreed is None:
            return name
        key = "int8" if name == "int8" else "fp32"
        return say(f"model.precisions.{key}", share=f"{agreed['top1']:.0%}", sentences=agreed["masks"])

    @property
    def is_answered_remotely(self) -> bool:
        """Whether the service answers."""
        return self._remote is not None and not self._remote.is_away

    @property
    def service(self) -> str | None:
        """Who answers, in a sentence; None where there is no service."""
        if self._remote is None:
            return None
        if self._remote.is_away:
            return say("model.service_away")
        if self._remote.version not in (None, self.version):
            return say("model.service_differs", version=self._remote.version)
        return say("model.service_answers")

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
            masks = len(self._model.encoder.encode(text).masks)  # refuse here what would spoil a batch
            version, answer = await self._fill(text, unsaid, masks=masks)
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
        self._session.reload(model)
        self._cache.clear()

    def clear_cache(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def close(self) -> None:
        """Stop serving. Idempotent."""
        if self._remote is not None:
            await self._remote.close()
        await self._session.close()

    async def _fill(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        if self._remote is not None and masks:
            try:
                answered = await self._remote.fill(text, unsaid, masks=masks)
                self._metrics.answered(by="service")
                return answered
            except ServiceAwayError:
                self._metrics.answered(by="fallback")
        local: Backend = self._session
        try:
            return await local.fill(text, unsaid, masks=masks)
        except TooManyWaitingError as error:
            raise BusyError from error
