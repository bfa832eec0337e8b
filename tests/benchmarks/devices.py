"""A GPU next to the CPU: the same runs and verdicts, the memory of a step, and a step without enough memory.

`FILLBOT_DEVICE=cpu` compares the CPU with itself, so that the script can be tried without a GPU.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from measure import Row, device, device_name, peak_mb
from nights import vote
from sized import distilbert, sentences
from support.homes import write_compact_version

from storage import runs
from storage.database import Database
from training.finetuning.batches import CorpusBatches
from training.finetuning.losses import masked_lm
from training.finetuning.trainer import Step, Trainer
from training.inference.fill_model import FillModel
from training.pipeline.run import run_domain, run_night
from training.progress import NoProgress
from training.registry.versions import Registry
from training.settings import DomainSettings, Settings

RECIPES: tuple[Literal["full", "curated"], ...] = ("full", "curated")
CORPUS_SENTENCES, ASKED = 4_000, 40
ROWS = 64  # of a step
LEAST_SHARE = 0.02  # of the GPU's memory, while it is short of it

Verdict = dict[str, bool]  # criterion → whether it passed


def run() -> list[Row]:
    """All rows."""
    return [*_same_runs(), *_short_of_memory()]


def _same_runs() -> list[Row]:
    """A night and both domain recipes on the CPU and on the device: verdicts, and what the models say."""
    works: dict[str, Callable[[Settings], Any]] = {
        "night": lambda settings: run_night(settings, NoProgress(), trigger="retrain")
    }
    for recipe in RECIPES:
        domain = DomainSettings(recipe=recipe, sentences=CORPUS_SENTENCES)
        works[f"domain, {recipe}"] = lambda settings, domain=domain: run_domain(
            settings, NoProgress(), trigger="domain", domain=domain
        )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        base = Registry(write_compact_version(Path(folder) / "base"))
        for name, work in works.items():
            (cpu, on_cpu), (other, on_other) = (
                _made(base, Path(folder) / f"{name} {place}", kind, work)
                for place, kind in (("cpu", "cpu"), ("device", device().type))
            )
            same = sum(cpu[criterion] == passed for criterion, passed in other.items())
            rows.append(
                Row(
                    f"same findings, {name}",
                    same,
                    "criteria",
                    limit=len(cpu),
                    note=device_name(),
                    is_rate=True,
                )
            )
            rows.append(Row(f"largest difference of a score, {name}", _difference(on_cpu, on_other), ""))
    return rows


def _made(
    base: Registry, home: Path, kind: str, work: Callable[[Settings], Any]
) -> tuple[Verdict, FillModel]:
    """Run in a home of its own; return the findings and the version that was made."""
    settings = Settings(
        _env_file=None,
        home=home,
        base_model=str(base.path("v0001")),
        device=cast(Literal["cpu", "cuda"], kind),
        min_judgements=1,
    )
    shutil.copytree(base.folder, settings.models_dir)
    registry = Registry(settings.models_dir)
    asyncio.run(vote(home, FillModel(registry.path("v0001")), queries=ASKED))
    work(settings)
    return asyncio.run(_findings(settings.url)), FillModel(registry.path("v0002"))


async def _findings(url: str) -> Verdict:
    database = await Database.open(url)
    latest = await runs.latest(database)
    await database.close()
    assert latest is not None
    assert latest.verdict is not None
    return {reason["name"]: reason["passed"] for reason in latest.verdict["reasons"]}


def _difference(ours: FillModel, other: FillModel) -> float:
    """The largest difference of the probability of a word, over a hundred queries."""
    queries = sentences(100, seed=9)
    pairs = zip(
        *(
            model.log_probabilities([model.encoder.encode(query) for query in queries])
            for model in (ours, other)
        ),
        strict=True,
    )
    return max(float(np.abs(np.exp(one) - np.exp(two)).max()) for one, two in pairs)


def _short_of_memory() -> list[Row]:
    """The same step with enough memory and with too little: micro-batches, and the loss."""
    place = device()
    losses, memory, parts = [], 0.0, 1
    for is_short in (False, True):
        with _little_memory(place) if is_short else _nothing():
            loss, parts, used = _one_step(place, fails_above=ROWS // 4 if is_short else None)
        losses.append(loss)
        memory = memory or used
    return [
        Row("memory of a step", memory, "MB", note=f"{ROWS} texts, {device_name()}"),
        Row("micro-batches when memory runs out", parts, ""),
        Row("the loss then", losses[1], "", alternative=losses[0]),
    ]


def _one_step(place: torch.device, *, fails_above: int | None) -> tuple[float, int, float]:
    """Train one step; return the loss, the micro-batches that it took, and the memory in MB."""
    model = distilbert().to(place)
    texts = sentences(4 * ROWS, seed=7)
    batch = next(
        iter(CorpusBatches(texts, model.encoder, batch_examples=ROWS, mask_share=0.15, max_tokens=64, seed=0))
    ).to(place)
    tried = 1

    def loss(micro_batches: int) -> torch.Tensor:
        nonlocal tried
        tried = micro_batches
        if place.type == "cpu" and fails_above is not None and ROWS / micro_batches > fails_above:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated on the CPU)")
        (logits,) = batch.forward(model, micro_batches=micro_batches)
        assert batch.targets is not None
        return masked_lm(logits, batch.targets)

    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainer = Trainer(model, steps=1, rates=DomainSettings(), device=place)
    (point,) = trainer.train(lambda _step: Step(loss, rows=ROWS), progress=NoProgress())
    used = torch.cuda.max_memory_allocated() / 2**20 if place.type == "cuda" else peak_mb()
    return point.loss, tried, used


@contextmanager
def _little_memory(place: torch.device) -> Iterator[None]:
    """Leave the model its weights and the optimiser's state, and a little more."""
    if place.type == "cpu":
        yield
        return
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(LEAST_SHARE)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
