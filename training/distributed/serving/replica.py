"""A process that answers queries with the champion, and follows it by itself. Knows nothing of Ray."""

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
    """Answers requests as `protocol.py` has them; every answer is of one version."""

    def __init__(
        self, registry: Registry, model: FillModel, *, threads: int = 1, max_waiting: int = MAX_WAITING
    ) -> None:
        self._max_waiting = max_waiting
        self._session = Session(model)
        self._follower = ChampionFollower(registry, self, threads=threads)
        self._following = asyncio.create_task(self._follow(), name="champion")

    @property
    def version(self) -> str:
        """The version that serves."""
        return self._session.model.version

    async def respond(self, body: bytes) -> Response:
        """Answer a request: 200 with a `Reply`, 413 or 422 for what is none, 503 when too many wait."""
        if len(body) > MAX_REQUEST_BYTES:
            return 413, b'{"error":"the request is too large"}'
        try:
            request = Request.model_validate_json(body)
        except ValidationError:
            return 422, b'{"error":"not a request"}'  # what it holds is said to nobody
        if self._session.waiting + len(request.queries) > self._max_waiting:
            return 503, b'{"error":"too many queries wait"}'
        try:
            answers = await asyncio.gather(*map(self._answer, request.queries))
        except TooManyWaitingError:
            return 503, b'{"error":"too many queries wait"}'
        return 200, Reply(answers=tuple(answers)).model_dump_json().encode()

    async def check(self) -> None:
        """Ask the model, as people do, and look whether the champion is still followed.

        Raises:
            RuntimeError: it is not.
            TimeoutError: the model does not answer.
        """
        if self._following.done():
            raise RuntimeError("the champion is not followed any more") from self._following.exception()
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await self._answer(FillQuery(text=WARM_UP[0]))

    async def reload(self, model: FillModel) -> None:
        """Serve with another version from the next batch on."""
        self._session.reload(model)

    async def follow_champion(self) -> bool:
        """Reload when the champion is another version than the one that serves. True: it did."""
        return await self._follower.follow()

    async def close(self) -> None:
        """Stop serving. Idempotent."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._session.close()

    async def _answer(self, asked: FillQuery) -> FillAnswer | TooLong:
        model = self._session.model
        try:
            masks = len(model.encoder.encode(asked.text).masks)  # refuse here what would spoil a batch
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
