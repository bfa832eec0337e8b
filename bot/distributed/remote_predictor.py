"""Asks the inference service on a cluster over HTTP; callers fall back on their own session."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import aiohttp
import structlog
from pydantic import ValidationError
from yarl import URL

from bot.background import Supervisor
from bot.operations.metrics import Metrics
from training.distributed.serving.protocol import (
    MAX_REPLY_BYTES,
    FillAnswer,
    FillQuery,
    Reply,
    Request,
    TooLong,
)
from training.errors import QueryTooLongError
from training.inference.batching import Batcher
from training.inference.errors import TooManyWaitingError
from training.inference.joint_filling import Unsaid
from training.inference.loading import WARM_UP
from training.inference.session import Answered

log = structlog.stdlib.get_logger(__name__)
DEADLINE_S = 2.0  # for an answer, the retry included
PROBE_EVERY_S = 1.0
LANES = 8  # concurrent requests of each kind; queries that arrive meanwhile form the next batch
MAX_BATCH = 16  # queries a request: more would wait for one replica while others are idle
JOINT_BATCH = 2  # queries with several masks take the model four to ten times as long
MAX_WAITING = 256
CONNECTIONS = 3 * LANES
Question = tuple[str, Unsaid, int]  # text, words to leave out, number of masks

Reason = Literal["unreachable", "timeout", "busy", "invalid"]


class ServiceAwayError(Exception):
    """The service did not answer; the caller uses its own session instead."""

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(reason)


class RemotePredictor:
    """Client of the inference service, with one retry and a circuit breaker.

    A failed request is retried on another connection; a second failure opens the breaker.

    While the breaker is open, only one probe a second is sent until one is answered, so that a dead service
    does not delay replies. Create it inside a running event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics | None = None,
        supervisor: Supervisor | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.url, self._deadline_s = URL(url), deadline_s
        self._metrics = metrics or Metrics()
        self._supervisor = supervisor or Supervisor(self._metrics)
        self.version: str | None = None  # of the last answer
        self._probing: asyncio.Task[None] | None = None
        # The deadline, not a connect timeout, detects connections that a dead server holds open.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._batcher, self._joint_batcher = (
            Batcher[Question, Answered | QueryTooLongError](
                self._fill, max_batch=most, max_waiting=MAX_WAITING, lanes=LANES
            )
            for most in (MAX_BATCH, JOINT_BATCH)
        )

    @property
    def is_away(self) -> bool:
        """Whether the last request failed."""
        return self._probing is not None and not self._probing.done()

    @property
    def waiting(self) -> int:
        """Queries that have not been sent yet."""
        return self._batcher.waiting + self._joint_batcher.waiting

    async def fill(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        """Return the version that answered, and its answer.

        Raises:
            QueryTooLongError: more word pieces than that version reads.
            ServiceAwayError: no answer within the deadline, or the circuit breaker is open.
        """
        if self.is_away:
            raise ServiceAwayError("unreachable")
        batcher = self._joint_batcher if masks > 1 else self._batcher
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await batcher.submit((text, unsaid, masks))
        except TooManyWaitingError as error:
            raise ServiceAwayError("busy") from error
        except TimeoutError as error:
            self._open_breaker("timeout")
            raise ServiceAwayError("timeout") from error
        if isinstance(answer, QueryTooLongError):
            raise answer
        return answer

    async def close(self) -> None:
        """Cancel what is waiting and close the connections. Idempotent."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._batcher.close()
        await self._joint_batcher.close()
        await self._http.close()

    async def _fill(self, asked: Sequence[Question]) -> list[Answered | QueryTooLongError]:
        request = Request(queries=tuple(FillQuery.of(text, unsaid) for text, unsaid, _ in asked))
        body, masks = request.model_dump_json().encode(), [number for *_, number in asked]
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    answers = await self._ask(body, masks)
                except ServiceAwayError as error:
                    if error.reason == "busy":  # a retry would only add load
                        raise
                    answers = await self._ask(body, masks)  # the broken connection has left the pool
        except ServiceAwayError as error:
            self._open_breaker(error.reason)
            raise
        except TimeoutError as error:
            self._open_breaker("timeout")
            raise ServiceAwayError("timeout") from error
        return [_answered(answer) for answer in answers]

    async def _ask(self, body: bytes, masks: Sequence[int]) -> tuple[FillAnswer | TooLong, ...]:
        """Send one request.

        Raises:
            ServiceAwayError: no answer, or an invalid one.
        """
        headers = {"Content-Type": "application/json"}
        try:
            async with self._http.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status in (429, 503):
                    raise ServiceAwayError("busy")
                if response.status != 200:
                    raise ServiceAwayError("invalid" if response.status < 500 else "unreachable")
                said = await response.content.read(MAX_REPLY_BYTES + 1)
                while len(said) <= MAX_REPLY_BYTES and (more := await response.content.readany()):
                    said += more
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ServiceAwayError("unreachable") from error
        try:
            if len(said) > MAX_REPLY_BYTES:
                raise ServiceAwayError("invalid")
            reply = Reply.model_validate_json(said)
        except ValidationError as error:
            raise ServiceAwayError("invalid") from error
        if len(reply.answers) != len(masks) or not all(map(_fits, reply.answers, masks)):
            raise ServiceAwayError("invalid")
        for answer in reply.answers:
            if isinstance(answer, FillAnswer):
                self.version = answer.version
        return reply.answers

    def _open_breaker(self, reason: Reason) -> None:
        """Open the circuit breaker until a probe is answered."""
        if not self.is_away:
            self._metrics.service_lost.labels(reason).inc()
            log.warning("service.away", reason=reason)
            probing = self._supervisor.run("service probe", self._probe, may_end=True)
            self._probing = asyncio.create_task(probing, name="service probe")

    async def _probe(self) -> None:
        body = Request(queries=(FillQuery(text=WARM_UP[0]),)).model_dump_json().encode()
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self._ask(body, [1])
            except (ServiceAwayError, TimeoutError):
                continue
            log.info("service.back", model_version=self.version)
            return


def _fits(answer: FillAnswer | TooLong, masks: int) -> bool:
    return isinstance(answer, TooLong) or answer.fits(masks)


def _answered(answer: FillAnswer | TooLong) -> Answered | QueryTooLongError:
    if isinstance(answer, TooLong):
        return QueryTooLongError(answer.tokens, answer.max_tokens)
    return answer.version, answer.answer()
