"""Answers: one query, 64 people at once, and how alike int8 and fp32 are."""

import asyncio
import os
import tempfile
from pathlib import Path

from measure import PROJECT, Row, bandwidth, in_turn, int8_operations
from sized import distilbert, registry_of, sentences, weight_bytes

from bot.answering.predictor import Predictor
from training.inference.fill_model import FillModel

PEOPLE, BATCH, ROUNDS, TIMES = 64, 32, 9, 6
SHOWN_WORDS = 5
HIDDEN, INNER, LAYERS, VOCABULARY = 768, 3072, 6, 30_522


def run() -> list[Row]:
    """One query and many, against the pipeline of transformers."""
    with tempfile.TemporaryDirectory() as home:
        folders = {p: registry_of(Path(home) / p, precision=p).path("v0001") for p in ("int8", "fp32")}
        pipeline = _pipeline(Path(home) / "theirs")
        return [*_one(folders, pipeline), *_many(folders, pipeline)]


def _one(folders: dict[str, Path], pipeline) -> list[Row]:
    queries = iter(sentences(4 * (ROUNDS + 1) * TIMES, seed=1))
    models = {precision: FillModel(folder) for precision, folder in folders.items()}
    works = {p: lambda m=model: m.fill([next(queries)], top=20) for p, model in models.items()}
    works["pipeline"] = lambda: pipeline(next(queries), top_k=20)
    seconds = in_turn(works, rounds=ROUNDS, times=TIMES)
    read = bandwidth()
    return [
        Row(
            f"one query, {precision}",
            seconds[precision] * 1e3,
            "ms",
            seconds["pipeline"] * 1e3,
            weight_bytes(folder) / read * 1e3,
            note=f"limit: {weight_bytes(folder) / 1e6:.0f} MB of weights at {read / 1e9:.1f} GB/s",
        )
        for precision, folder in folders.items()
    ]


def _many(folders: dict[str, Path], pipeline) -> list[Row]:
    """64 people at once through the bot's own predictor: tokenising, batching and ranking included."""
    sets = iter([sentences(PEOPLE, seed=seed) for seed in range(10, 10 + 5 * (ROUNDS + 1))])
    loop = asyncio.new_event_loop()

    async def start(folder: Path) -> Predictor:
        return Predictor(FillModel(folder))

    predictors = {precision: loop.run_until_complete(start(folder)) for precision, folder in folders.items()}

    def ask(predictor: Predictor) -> None:
        async def all_at_once() -> None:
            await asyncio.gather(*(predictor.predict(query) for query in next(sets)))

        loop.run_until_complete(all_at_once())

    works = {precision: lambda p=predictor: ask(p) for precision, predictor in predictors.items()}
    works["one by one"] = lambda: [pipeline(query, top_k=20) for query in next(sets)]
    works["in batches"] = lambda: pipeline(next(sets), top_k=20, batch_size=BATCH)
    seconds = in_turn(works, rounds=ROUNDS)
    for predictor in predictors.values():
        loop.run_until_complete(predictor.close())
    loop.close()
    encode = FillModel(folders["int8"]).encoder.encode
    tokens = sum(len(encode(query).ids) for query in sentences(PEOPLE, seed=10)) / PEOPLE
    limit = int8_operations() / _operations(tokens)
    return [
        Row(
            f"{PEOPLE} people at once, {precision}",
            PEOPLE / seconds[precision],
            "queries/s",
            PEOPLE / seconds[name],
            limit if precision == "int8" else None,
            is_rate=True,
            note=f"{tokens:.0f} tokens a query, against the pipeline {name}",
        )
        for precision in folders
        for name in ("one by one", "in batches")
    ]


def _operations(tokens: float) -> float:
    """Of one query with one mask; of the last layer only keys and values for all tokens."""
    attention, feed_forward = 4 * HIDDEN * HIDDEN, 2 * HIDDEN * INNER
    layer = attention + feed_forward
    last = 2 * HIDDEN * HIDDEN * tokens + 2 * HIDDEN * HIDDEN + feed_forward
    head = HIDDEN * HIDDEN + HIDDEN * VOCABULARY
    return 2 * ((LAYERS - 1) * layer * tokens + last + head)


def _pipeline(folder: Path):
    """`pipeline("fill-mask")` on the same architecture, in fp32 on the CPU."""
    import warnings

    from transformers import PreTrainedTokenizerFast, pipeline

    model = distilbert()
    model.save(folder)
    warnings.filterwarnings("ignore")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return pipeline("fill-mask", model=str(folder), tokenizer=tokenizer, device="cpu")


def agreement_rows() -> list[Row]:
    """Trained models: the starter, made here in a minute, and support-base where it is at hand."""
    import torch

    from training.domain.starter import train_starter
    from training.models import torch_model as models
    from training.models.writing import write_files
    from training.progress import NoProgress
    from training.registry.versions import Draft
    from training.settings import StarterSettings

    trained = {
        "starter": train_starter(StarterSettings(), device=torch.device("cpu"), progress=NoProgress())[0]
    }
    base = Path(os.environ.get("FILLBOT_BASE_MODEL", PROJECT.parent / "shared/models/support-base"))
    if base.is_dir():
        trained[base.name] = models.load(base)
    rows = []
    for name, model in trained.items():
        with tempfile.TemporaryDirectory() as folder:
            made = {}
            for precision in ("fp32", "auto"):
                draft = Draft("v0001", Path(folder) / precision)
                draft.folder.mkdir()
                made[precision] = write_files(model, draft, precision=precision, shown_words=SHOWN_WORDS)
            rows += _agreement_of(name, made["fp32"], made["auto"])
    return rows


def _agreement_of(name: str, exact: FillModel, served: FillModel) -> list[Row]:
    from training.models.quantization_check import check_quantization

    agreed = check_quantization(exact, served, shown_words=SHOWN_WORDS)
    moved = ", ".join(agreed.moved) or "no suite moved"
    note = f"{name} serves in {served.precision}; {agreed.masks} sentences, {moved}"
    queries = sentences(PEOPLE, seed=5)
    works = {model: lambda m=model: m.fill(queries, top=20) for model in (served, exact)}
    seconds = in_turn(works, rounds=ROUNDS)
    return [
        Row("best word as in fp32", agreed.top1 * 100, "%", limit=95, is_rate=True, note=note),
        Row("best five as in fp32", agreed.shown * 100, "%", limit=95, is_rate=True, note=name),
        Row(
            f"{PEOPLE} queries, {name}",
            seconds[served] * 1e3,
            "ms",
            seconds[exact] * 1e3,
            note="against fp32",
        ),
    ]
