"""The service on a cluster, asked over HTTP; whoever asks here has a session of their own to fall back on."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import aiohttp
import structlog
from pydantic import ValidationError
from yarl import URL

from bot.background import Supervisor
from bot.operations.metrics import Metrics
from training.distributed.serving.protocol import MAX_REPLY_BYTES, Asked, Filled, Reply, Request, TooLong
from training.errors import QueryTooLongError
from training.inference.batching import Batcher
from training.inference.errors import TooManyWaitingError
from training.inference.joint_filling import Unsaid
from training.inference.loading import WARM_UP
from training.inference.session import Answered

log = structlog.stdlib.get_logger(__name__)
DEADLINE_S = 2.0  # for an answer, the second try included
PROBE_EVERY_S = 1.0
LANES = 8  # requests of each kind under way; what is asked meanwhile goes with the next of them
MAX_BATCH = 16  # queries a request: more would wait for one replica while others are idle
JOINT_BATCH = 2  # of several masks, which take the model four to ten times as long
MAX_WAITING = 256
CONNECTIONS = 3 * LANES
Question = tuple[str, Unsaid, int]  # its text, what is not to be said, and its masks

Reason = Literal["unreachable", "timeout", "busy", "invalid"]


class ServiceAwayError(Exception):
    """The service gave no answer; nobody is told, as another one is asked then."""

    def __init__(self, reason: Reason) -> None:
        """Say why, for the metrics."""
        self.reason: Reason = reason
        super().__init__(reason)


class RemotePredictor:
    """Asks the service; what fails is tried on another connection, what fails again closes the way to it.

    While the way is closed nothing is asked but one query a second, until that is answered: a dead service
    costs people nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics | None = None,
        supervisor: Supervisor | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Ask the service at `url`. Build it inside a running event loop."""
        self.url, self._deadline_s = URL(url), deadline_s
        self._metrics = metrics or Metrics()
        self._supervisor = supervisor or Supervisor(self._metrics)
        self.version: str | None = None  # that answered last
        self._probing: asyncio.Task[None] | None = None
        # A connection that a dead server holds open is noticed by the deadline, not here.
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
        """Whether it gave no answer when it was asked last."""
        return self._probing is not None and not self._probing.done()

    @property
    def waiting(self) -> int:
        """Queries that are not on their way yet."""
        return self._batcher.waiting + self._joint_batcher.waiting

    async def fill(self, text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        """The version that answers, and its answer.

        Raises:
            QueryTooLongError: more word pieces than the version there reads.
            ServiceAwayError: there is no answer within the deadline, or the way is closed.
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
            self._close_way("timeout")
            raise ServiceAwayError("timeout") from error
        if isinstance(answer, QueryTooLongError):
            raise answer
        return answer

    async def close(self) -> None:
        """Stop asking. Idempotent."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._batcher.close()
        await self._joint_batcher.close()
        await self._http.close()

    async def _fill(self, asked: Sequence[Question]) -> list[Answered | QueryTooLongError]:
        request = Request(queries=tuple(Asked.of(text, unsaid) for text, unsaid, _ in asked))
        body, masks = request.model_dump_json().encode(), [number for *_, number in asked]
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    answers = await self._ask(body, masks)
                except ServiceAwayError as error:
                    if error.reason == "busy":  # it said itself that asking again is of no use yet
                        raise
                    answers = await self._ask(body, masks)  # what broke is out of the pool by now
        except ServiceAwayError as error:
            self._close_way(error.reason)
            raise
        except TimeoutError as error:
            self._close_way("timeout")
            raise ServiceAwayError("timeout") from error
        return [_answered(answer) for answer in answers]

    async def _ask(self, body: bytes, masks: Sequence[int]) -> tuple[Filled | TooLong, ...]:
        """One request.

        Raises:
            ServiceAwayError: it was not answered, or not with what can be an answer.
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
            if isinstance(answer, Filled):
                self.version = answer.version
        return reply.answers

    def _close_way(self, reason: Reason) -> None:
        """Ask nothing until a probe is answered."""
        if not self.is_away:
            self._metrics.service_lost.labels(reason).inc()
            log.warning("service.away", reason=reason)
            probing = self._supervisor.run("service probe", self._probe, may_end=True)
            self._probing = asyncio.create_task(probing, name="service probe")

    async def _probe(self) -> None:
        body = Request(queries=(Asked(text=WARM_UP[0]),)).model_dump_json().encode()
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self._ask(body, [1])
            except (ServiceAwayError, TimeoutError):
                continue
            log.info("service.back", model_version=self.version)
            return


def _fits(answer: Filled | TooLong, masks: int) -> bool:
    return isinstance(answer, TooLong) or answer.fits(masks)


def _answered(answer: Filled | TooLong) -> Answered | QueryTooLongError:
    if isinstance(answer, TooLong):
        return QueryTooLongError(answer.tokens, answer.max_tokens)
    return answer.version, answer.answer()
