"""The service on a real cluster of two nodes: the same answers, also while replicas reload and die."""

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.everything import Service, service_on
from cluster.nodes import Nodes
from support.wire import eventually, wired

from bot.answering.predictor import Predictor
from bot.distributed.remote_predictor import RemotePredictor
from bot.operations.metrics import Metrics
from training.distributed.serving import deployment
from training.inference.errors import ServeClusterUnreachableError
from training.inference.fill_model import FillModel
from training.progress import NoProgress
from training.registry.versions import Registry
from training.settings import Settings

RATE, SOON_S = 30.0, 10.0
SENTENCES = ("the red shoes are [MASK].", "these boots feel very [MASK].", "[MASK] shoes are [MASK].")


@pytest.fixture(scope="module")
def service(nodes: Nodes, models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(models_folder, home / "models")
    with service_on(nodes, home) as service:
        yield service


@pytest.fixture
async def predictor(service: Service) -> Any:
    metrics = Metrics()
    registry = Registry(service.settings.home / "models")
    model = FillModel(registry.path("v0001"))
    predictor = Predictor(model, metrics=metrics, remote=RemotePredictor(service.url, metrics=metrics))
    yield predictor
    await predictor.close()


def answered(predictor: Predictor) -> Counter[str]:
    """How many queries the service answered, and how many the session here."""
    found: Counter[str] = Counter()
    for metric in predictor._metrics._answered.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                found[sample.labels["by"]] += int(sample.value)
    return found


async def test_the_service_answers_as_the_bot_itself_would(predictor: Predictor) -> None:
    local = Predictor(predictor._model)
    try:
        for sentence in SENTENCES:
            far, near = await predictor.predict(sentence), await local.predict(sentence)
            assert (far.masks, far.sentences, far.model_version) == (
                near.masks,
                near.sentences,
                near.model_version,
            )
    finally:
        await local.close()
    assert answered(predictor) == {"service": len(SENTENCES), "fallback": 0}


async def test_people_in_chat_are_answered_by_the_service(service: Service, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(service.settings.home, home)
    async with wired(home, serving_url=service.url) as wire, wire.person("ben") as ben:
        reply = await wire.ask(ben, "the red shoes are [MASK]")
        assert "v0001" in reply["embeds"][0]["footer"]["text"]
        told = await wire.say(ben, "!model")
        assert "The service on the cluster answers" in str(told["embeds"])


async def test_versions_are_promoted_and_replicas_killed_under_load_and_nobody_notices(
    service: Service, predictor: Predictor
) -> None:
    registry = Registry(service.settings.home / "models")
    asked: list[tuple[float, asyncio.Task[Any]]] = []
    began, events = time.monotonic(), {}
    for number in range(int(RATE * 24)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))  # the rate
        now = time.monotonic() - began
        if "promoted" not in events and now > 2:
            registry.promote("v0002")
            events["promoted"] = now
        if "killed" not in events and now > 13:
            os.kill(service.replicas()[0]["pid"], signal.SIGKILL)
            events["killed"] = time.monotonic() - began
        asked.append((now, asyncio.create_task(predictor.predict(f"number {number} shoes are [MASK]."))))
    answers = [(at, await task) for at, task in asked]
    try:
        assert {answer.model_version for _, answer in answers} == {"v0001", "v0002"}
        late = Counter(
            a.model_version for at, a in answers if events["promoted"] + SOON_S < at < events["killed"]
        )
        assert late.keys() == {"v0002"}
        by = answered(predictor)
        assert by["service"] + by["fallback"] == len(answers)
        assert by["service"] > 0.5 * len(answers)
    finally:
        registry.promote("v0001")

    async def are_two_again() -> bool:
        return len(await asyncio.to_thread(service.replicas)) == 2 and predictor.is_answered_remotely

    await eventually(are_two_again, timeout_s=60)


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, ray_address="http://127.0.0.1:9")
    with pytest.raises(ServeClusterUnreachableError, match="No Ray cluster answers"):
        deployment.deploy(settings, NoProgress(), host="127.0.0.1", port=0)
