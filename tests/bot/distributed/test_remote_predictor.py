"""The service asked over HTTP: the answers of a session here, and no question lost when it is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from support.wire import eventually

from bot.answering.predictor import Prediction, Predictor
from bot.distributed.remote_predictor import RemotePredictor
from bot.operations.metrics import Metrics
from training.distributed.serving.protocol import PATH
from training.distributed.serving.replica import Replica
from training.errors import QueryTooLongError
from training.inference.fill_model import FillModel
from training.registry.versions import Registry

SENTENCE, SEVERAL = "the red shoes are [MASK].", "[MASK] shoes are [MASK]."
DEADLINE_S = 0.3
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """A server that speaks the protocol with a real replica, until a test has it do something else."""

    def __init__(self, replica: Replica) -> None:
        self.replica, self.asked, self.url = replica, 0, ""
        self.handler: Handler = self.answers

    async def answers(self, request: web.Request) -> web.StreamResponse:
        status, said = await self.replica.respond(await request.read())
        return web.Response(status=status, body=said, content_type="application/json")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.handler(request)


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home / "models")


@pytest.fixture
async def service(registry: Registry) -> AsyncIterator[Service]:
    replica = Replica(registry, FillModel(registry.path("v0001")))
    service = Service(replica)
    app = web.Application()
    app.router.add_post(PATH, service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    yield service
    await runner.cleanup()
    await replica.close()


@contextlib.asynccontextmanager
async def asking(registry: Registry, url: str | None, *, version: str = "v0001") -> AsyncIterator[Predictor]:
    metrics = Metrics()
    remote = RemotePredictor(url, metrics=metrics, deadline_s=DEADLINE_S) if url else None
    predictor = Predictor(FillModel(registry.path(version)), metrics=metrics, remote=remote)
    yield predictor
    await predictor.close()


def told(prediction: Prediction) -> tuple[object, ...]:
    return prediction.masks, prediction.sentences, prediction.model_version


async def test_its_answers_are_those_of_a_session_here(service: Service, registry: Registry) -> None:
    async with asking(registry, service.url) as far, asking(registry, None) as near:
        for sentence in (SENTENCE, SEVERAL, "no blank at all"):
            assert told(await far.predict(sentence)) == told(await near.predict(sentence))
    assert service.asked == 2


async def test_many_at_once_are_few_requests(service: Service, registry: Registry) -> None:
    async with asking(registry, service.url) as far, asking(registry, None) as near:
        sentences = [f"number {n} shoes are [MASK]." for n in range(60)]
        found = await asyncio.gather(*map(far.predict, sentences))
        assert [told(one) for one in found] == [told(await near.predict(s)) for s in sentences]
    assert service.asked < 30


async def test_an_answer_names_the_version_that_made_it(service: Service, registry: Registry) -> None:
    async with asking(registry, service.url, version="v0002") as far, asking(registry, None) as near:
        assert told(await far.predict(SENTENCE)) == told(await near.predict(SENTENCE))
        assert (far.version, far.service) == (
            "v0002",
            "The service on the cluster answers with v0001; this machine will have it in a few seconds.",
        )


async def test_a_query_that_is_too_long_is_refused_as_here(service: Service, registry: Registry) -> None:
    async with asking(registry, service.url) as far:
        with pytest.raises(QueryTooLongError):
            await far.predict("shoes " * 600 + "[MASK]")


async def refuses(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def hangs(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(4 * DEADLINE_S)  # the deadline is measured in real time
    raise AssertionError


async def talks_nonsense(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"answers": [{"kind": "filled", "version": "../v1"}]}')


async def answers_too_few(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"answers": []}')


async def breaks(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPInternalServerError


@pytest.mark.parametrize("trouble", [refuses, hangs, talks_nonsense, answers_too_few, breaks])
async def test_when_it_does_not_answer_the_session_here_does(
    service: Service, registry: Registry, trouble: Handler
) -> None:
    async with asking(registry, service.url) as far, asking(registry, None) as near:
        service.handler = trouble
        assert told(await far.predict(SENTENCE)) == told(await near.predict(SENTENCE))
        assert far.service is not None
        assert far.service.endswith("does not answer: this machine answers until it is back.")
        asked = service.asked
        assert told(await far.predict(SEVERAL)) == told(await near.predict(SEVERAL))
        assert (
            service.asked == asked
        )  # nothing is asked while it is away but now and then, whether it is back


async def test_when_nobody_listens_the_session_here_answers(registry: Registry) -> None:
    async with asking(registry, "http://127.0.0.1:9/fill") as far, asking(registry, None) as near:
        assert told(await far.predict(SENTENCE)) == told(await near.predict(SENTENCE))


async def test_a_connection_that_breaks_once_is_tried_again(service: Service, registry: Registry) -> None:
    async def breaks_once(request: web.Request) -> web.StreamResponse:
        service.handler = service.answers
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with asking(registry, service.url) as far:
        service.handler = breaks_once
        await far.predict(SENTENCE)
        assert far.is_answered_remotely
        assert service.asked == 2


async def test_once_it_is_back_it_answers_again(
    service: Service, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.distributed.remote_predictor.PROBE_EVERY_S", 0.05)
    async with asking(registry, service.url) as far:
        service.handler = breaks
        await far.predict(SENTENCE)
        assert not far.is_answered_remotely
        service.handler = service.answers

        async def is_back() -> bool:
            return far.is_answered_remotely

        await eventually(is_back)
        asked = service.asked
        await far.predict(SEVERAL)
        assert service.asked == asked + 1


async def test_a_replica_follows_the_champion_and_refuses_a_damaged_one(registry: Registry) -> None:
    replica = Replica(registry, FillModel(registry.path("v0001")))
    try:
        registry.promote("v0002")
        assert await replica.follow_champion()
        assert replica.version == "v0002"
        (registry.path("v0003") / "model.onnx").write_bytes(b"damaged")
        registry.promote("v0003")
        assert not await replica.follow_champion()
        assert replica.version == "v0002"
        await replica.check()
    finally:
        await replica.close()


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 422), (b'{"queries": []}', 422), (b"[" * 100, 422), (b" " * (1 << 21), 413)]
)
async def test_what_is_no_request_is_refused(service: Service, body: bytes, status: int) -> None:
    assert (await service.replica.respond(body))[0] == status


async def test_a_replica_refuses_what_would_wait_too_long(registry: Registry) -> None:
    replica = Replica(registry, FillModel(registry.path("v0001")), max_waiting=0)
    try:
        assert (await replica.respond(b'{"queries": [{"text": "the [MASK]"}]}'))[0] == 503
    finally:
        await replica.close()
