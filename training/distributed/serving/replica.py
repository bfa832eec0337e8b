"""Answer queries with the champion, and follow it. Independent of Ray."""

import asyncio

import structlog
from pydantic import ValidationError

from training.distributed.serving.protocol import (
    MAX_REQUEST_BYTES,
    FillAnswer,
    FillQuery,
    Reply,
    Request,
    TooLong,
)
from training.errors import QueryTooLongError
from training.inference.champion_follower import ChampionFollower
from training.inference.errors import TooManyWaitingError
from training.inference.fill_model import FillModel
from training.inference.loading import WARM_UP
from training.inference.session import Session
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
FOLLOW_EVERY_S = 2.0  # how soon a promotion serves
MAX_WAITING = 256  # queries; some seconds of work
RETRY_AFTER_S = 1
CHECK_TIMEOUT_S = 10.0

Response = tuple[int, bytes]  # status, JSON


class Replica:
    """Answers requests of `protocol.py`. Every answer comes from one version. Needs a running event loop."""

    def __init__(
        self, registry: Registry, model: FillModel, *, threads: int = 1, max_waiting: int = MAX_WAITING
    ) -> None:
        self._max_waiting = max_waiting
        self._session = Session(model)
        self._follower = ChampionFollower(registry, self, threads=threads)
        self._following = asyncio.create_task(self._follow(), name="champion")

    @property
    def version(self) -> str:
        """The version that answers at present."""
        return self._session.model.version

    async def respond(self, body: bytes) -> Response:
        """Answer a request: 200 with a `Reply`, 413 or 422 for an invalid one, 503 when the queue is full."""
        if len(body) > MAX_REQUEST_BYTES:
            return 413, b'{"error":"the request is too large"}'
        try:
            request = Request.model_validate_json(body)
        except ValidationError:
            return 422, b'{"error":"not a request"}'  # without details: they hold query text
        if self._session.waiting + len(request.queries) > self._max_waiting:
            return 503, b'{"error":"too many queries wait"}'
        try:
            answers = await asyncio.gather(*map(self._answer, request.queries))
        except TooManyWaitingError:
            return 503, b'{"error":"too many queries wait"}'
        return 200, Reply(answers=tuple(answers)).model_dump_json().encode()

    async def check(self) -> None:
        """Check that the model answers and the champion is still followed.

        Raises:
            RuntimeError: The champion is no longer followed.
            TimeoutError: The model does not answer.
        """
        if self._following.done():
            raise RuntimeError("the champion is not followed any more") from self._following.exception()
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await self._answer(FillQuery(text=WARM_UP[0]))

    async def reload(self, model: FillModel) -> None:
        """Answer with another version from the next batch on."""
        self._session.reload(model)

    async def follow_champion(self) -> bool:
        """Load the champion unless it answers already. Returns whether it was loaded."""
        return await self._follower.follow()

    async def close(self) -> None:
        """Stop answering. Idempotent."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._session.close()

    async def _answer(self, asked: FillQuery) -> FillAnswer | TooLong:
        model = self._session.model
        try:
            # A query that is too long raises here; inside a batch it would fail the other queries.
            masks = len(model.encoder.encode(asked.text).masks)
            if not masks:
                return FillAnswer(version=model.version, masks=(), fillings=())
            version, answer = await self._session.fill(asked.text, frozenset(asked.unsaid), masks=masks)
        except QueryTooLongError as error:
            return TooLong(tokens=error.tokens, max_tokens=error.max_tokens)
        return FillAnswer.of(version, answer)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            try:
                await self._follower.follow()
            except Exception:
                log.exception("champion.not_followed")
