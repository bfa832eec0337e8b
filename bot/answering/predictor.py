"""Predicts words for a query: with the local model or the inference service, behind a cache."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Prediction:
    """Ranked candidates for each mask, the model version, and the latency.

    Several masks are filled jointly: `sentences` are the best fillings, best first, and the candidates of a
    mask are ranked with the other masks filled as in the best one. With a single mask, `sentences` is empty.
    """

    masks: tuple[tuple[Candidate, ...], ...]
    model_version: str
    latency_ms: float
    sentences: tuple[JointFilling, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenger:
    """A version that answers together with the champion that it is compared with."""

    predictor: "Predictor"
    champion: str

    @property
    def version(self) -> str:
        """The challenger's version."""
        return self.predictor.version


class Predictor:
    """Answers queries with the current model version. Must be built inside a running event loop.

    If an inference service is configured, it is asked first. The local session follows the champion all the
    same: it answers when the service does not, and it knows how words are spelled.

    Attributes:
        challenger: The version that answers together with this one; None for none.
        preferred: The words that the team prefers, in lower case; they are lifted where an answer is shown.
    """

    def __init__(
        self,
        model: FillModel,
        *,
        max_waiting: int = 1024,
        metrics: Metrics | None = None,
        remote: RemotePredictor | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._session = Session(model, max_waiting=max_waiting)
        self._remote = remote
        self.challenger: Challenger | None = None
        self.preferred: frozenset[str] = frozenset()
        self._cache: OrderedDict[tuple[str, str, Unsaid], JointAnswer] = OrderedDict()
        self._denied: frozenset[str] = frozenset()

    @property
    def _model(self) -> FillModel:
        return self._session.model

    @property
    def version(self) -> str:
        """The local version; the service may be ahead or behind by a few seconds."""
        return self._model.version

    @property
    def waiting(self) -> int:
        """How many queries wait for the next batch."""
        return self._session.waiting + (self._remote.waiting if self._remote else 0)

    @property
    def precision(self) -> str:
        """The numeric format that the model computes in, with the comparison that chose it."""
        name, agreed = self._model.precision, self._model.agreement
        if agreed is None:
            return name
        key = "int8" if name == "int8" else "fp32"
        return say(f"model.precisions.{key}", share=agreed["top1"], sentences=agreed["masks"])

    @property
    def has_fast_path(self) -> bool:
        """Whether the version's graph was written by hand for its kind of model."""
        return self._model.has_fast_path

    @property
    def is_answered_remotely(self) -> bool:
        """Whether the inference service currently answers."""
        return self._remote is not None and not self._remote.is_away

    @property
    def service(self) -> str | None:
        """A sentence on the state of the inference service; None if none is configured."""
        if self._remote is None:
            return None
        if self._remote.is_away:
            return say("model.service_away")
        if self._remote.version not in (None, self.version):
            return say("model.service_differs", version=self._remote.version)
        return say("model.service_answers")

    def spelling(self, word: str) -> str:
        """Return the word as the current version spells it; lower case if the version does not know it."""
        token = self._model.token_of(word)
        return word.lower() if token is None else self._model.word_of(token)

    @property
    def denied(self) -> frozenset[str]:
        """The words that the team denies, in lower case."""
        return self._denied

    def is_denied(self, word: str) -> bool:
        """Whether the team denied a word, in any case."""
        return word.lower() in self._denied

    def can_offer(self, word: str) -> bool:
        """Whether the local version knows a word and may offer it."""
        return self._model.token_of(word) is not None

    async def deny(self, words: Collection[str]) -> None:
        """Offer none of these words from the next answer on; replaces the words of an earlier call.

        Calls must not overlap.
        """
        denied = frozenset(word.lower() for word in words)
        model = offered = None
        while offered is None or model is not self._model:  # a reload meanwhile brings another model
            model = self._model
            offered = await asyncio.to_thread(model.offered_without, denied)
        # All at once, and on the event loop, where questions read and fill the cache.
        self._model.offer(offered)
        self._denied = denied
        self._cache.clear()
        if self.challenger is not None:
            await self.challenger.predictor.deny(words)

    async def predict(self, text: str, *, unsaid: Unsaid = frozenset()) -> Prediction:
        """Predict the best words for every mask of a text.

        Args:
            text: A query's text.
            unsaid: Words that a text with several masks must not get.

        Raises:
            QueryTooLongError: It has more word pieces than the model reads.
            BusyError: Too many queries wait.
        """
        started = time.perf_counter()
        version, denied = self._model.version, self._denied
        answer = self._cache.get((version, text, unsaid))
        if answer is None:
            # A query that is too long raises here; inside a batch it would fail the other queries.
            masks = len(self._model.encoder.encode(text).masks)
            version, answer = await self._fill(text, unsaid, masks=masks)
            if self._has_denied(answer):
                # The service does not know the team's words, and they may have changed while it was answered.
                version, answer = await self._fill_here(text, unsaid, masks=masks)
            if denied is self._denied:  # an answer from before a change may lack a word that is allowed now
                self._cache[version, text, unsaid] = answer
            while len(self._cache) > CACHED_QUERIES:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end((version, text, unsaid))
            self._metrics.cache_hits.inc()
        latency_ms = (time.perf_counter() - started) * 1000
        return Prediction(answer.masks, version, latency_ms, answer.fillings)

    async def reload(self, model: FillModel) -> None:
        """Switch to another version from the next batch on; it must be loaded and warmed up."""
        denied = None
        while denied is not self._denied:  # the words may change meanwhile
            denied = self._denied
            model.offer(await asyncio.to_thread(model.offered_without, denied))
        self._session.reload(model)
        self._cache.clear()

    def clear_cache(self) -> None:
        """Forget all cached answers."""
        self._cache.clear()
        if self.challenger is not None:
            self.challenger.predictor.clear_cache()

    async def close(self) -> None:
        """Stop answering. Idempotent."""
        if self.challenger is not None:
            await self.challenger.predictor.close()
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
        return await self._fill_here(text, unsaid, masks=masks)

    def _has_denied(self, answer: JointAnswer) -> bool:
        words = {candidate.word.lower() for mask in answer.masks for candidate in mask}
        words |= {word.lower() for filling in answer.fillings for word in filling.words}
        return not self._denied.isdisjoint(words)

    async def _fill_here(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        try:
            return await self._session.fill(text, unsaid, masks=masks)
        except TooManyWaitingError as error:
            raise BusyError from error
