"""Answers a second of one and two replicas on Ray Serve, and training steps a second of one and two workers.

    python tests/benchmarks/bench.py --only replicas,workers

A model of distilbert-base-uncased's size; a cluster of one node on this machine. Two that share its cores are
hardly faster than one: what is seen is what sharing costs.
"""

import asyncio
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import Row
from sized import distilbert, registry_of, sentences

from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.fine_tune import fine_tune
from training.inference.fill_model import FillModel
from training.settings import NightSettings
from training.votes.retraining_set import Example

SECONDS, ASKERS, CPUS, STEPS, WARM = 10.0, 16, 4, 14, 4


def replicas() -> list[Row]:
    """Nothing where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        return []
    from cluster.everything import service_on
    from cluster.nodes import ray_nodes

    with tempfile.TemporaryDirectory() as folder, ray_nodes(1, cpus=CPUS) as nodes:
        registry = registry_of(Path(folder), precision="int8")
        version = registry.path("v0001")
        here = asyncio.run(_answers(version, None))
        rates = []
        for count in (1, 2):
            with service_on(nodes, Path(folder), count=count) as service:
                asyncio.run(_answers(version, service.url, seconds=2.0))
                rates.append(asyncio.run(_answers(version, service.url)))
    one, two = rates
    return [
        Row(
            "answers of one replica", one, "/s", here, is_rate=True, note="alternative: the bot's own session"
        ),
        Row("answers of two replicas", two, "/s", one, is_rate=True, note="alternative: one replica"),
    ]


async def _answers(version: Path, url: str | None, seconds: float = SECONDS) -> float:
    """So many a second, with as many on their way as there are askers; no sentence twice."""
    from bot.answering.predictor import Predictor
    from bot.distributed.remote_predictor import RemotePredictor
    from bot.operations.metrics import Metrics

    metrics = Metrics()
    remote = RemotePredictor(url, metrics=metrics) if url else None
    predictor = Predictor(FillModel(version), metrics=metrics, remote=remote)
    texts, ends, done = iter(sentences(20_000, seed=int(time.time()))), time.perf_counter() + seconds, 0

    async def ask() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await predictor.predict(next(texts))
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(ASKERS)))
    took_s = time.perf_counter() - began
    assert url is None or predictor.is_answered_remotely
    await predictor.close()
    return done / took_s


class _Clock:
    """Progress that notes when each step was told."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def step(self, name: str, total: int = 0) -> None:
        self.at = []

    def advance(self, done: int = 1, **figures: object) -> None:
        self.at += [time.perf_counter()] * done

    def event(self, name: str, **about: object) -> None:
        pass

    @property
    def rate(self) -> float:
        """Steps a second, without the first ones."""
        return (len(self.at) - 1 - WARM) / (self.at[-1] - self.at[WARM])


def workers() -> list[Row]:
    """Nothing where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        return []
    import torch
    from cluster.nodes import ray_nodes

    night = _night()
    torch.set_num_threads(1)  # as each worker has
    alone = _Clock()
    fine_tune(distilbert(), device=torch.device("cpu"), progress=alone, **night)
    with tempfile.TemporaryDirectory() as folder, ray_nodes(1, cpus=CPUS) as nodes:
        one, two = (_shared_rate(nodes.address, count, folder, night) for count in (1, 2))
    note = "alternative: without Ray, one thread"
    return [
        Row("steps of one worker", one, "/s", alone.rate, is_rate=True, note=note),
        Row("steps of two workers", two, "/s", one, is_rate=True, note="alternative: one worker"),
    ]


def _shared_rate(address: str, count: int, folder: str, night: dict[str, Any]) -> float:
    """Ray is imported here, after `cluster.nodes` has said that loopback stays loopback."""
    import ray

    from training.distributed.ray.fine_tuning import fine_tune_together
    from training.distributed.ray.group import WorkerGroup
    from training.finetuning.objective import DEFAULT_OBJECTIVE

    ray.init(address=address, log_to_driver=False)
    clock = _Clock()
    group = WorkerGroup(workers=count, device="cpu", storage=folder, wait_s=200)
    fine_tune_together(
        distilbert(), group=group, name=f"of-{count}", progress=clock, objective=DEFAULT_OBJECTIVE, **night
    )
    ray.shutdown()
    return clock.rate


def _night() -> dict[str, Any]:
    """What is learnt: enough rows that every batch is full."""
    asked = sentences(200, seed=1)
    words = distilbert().tokenizer.get_vocab()
    known = [word for word in words if word.isalpha() and len(word) > 3]
    token_of: Callable[[str], int | None] = words.get
    return {
        "examples": [
            Example(text, str(n), 0, ((known[n], 1.0),), ((known[n + 200], 1.0),))
            for n, text in enumerate(asked)
        ],
        "token_of": token_of,
        "offered": [words[word] for word in known],
        "replay_sentences": ReplaySentences(
            texts=tuple(text.replace("[MASK]", "good") for text in asked),
            praise=tuple(asked[:40]),
            blame=tuple((text, known[0]) for text in asked[40:80]),
            others=tuple(asked[80:120]),
        ),
        "settings": NightSettings(min_steps=STEPS, max_steps=STEPS),
        "shown_words": 5,
    }
