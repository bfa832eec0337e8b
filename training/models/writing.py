"""Writes a torch model as a version: weights, graph, vocabulary and card."""

import contextlib
import platform
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import torch

from training.inference import vocabulary
from training.inference.fill_model import GRAPH, FillModel
from training.models.onnx_export import export
from training.models.quantization import ActivationRange, Int8Level, Int8Ops, calibrate, int8_levels
from training.models.quantization_check import QuantizationCheck, check_quantization
from training.models.torch_model import MaskedLm, load
from training.progress import NO_PROGRESS, Progress
from training.registry.card import Card, Kind
from training.registry.publishing.model_card import is_hub_name
from training.registry.versions import Draft, Registry
from training.settings import Precision

LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "uptrain", "numpy")
INT8_GRAPH = "int8.onnx"  # until the quantization check has passed


def write_files(
    model: MaskedLm,
    draft: Draft,
    *,
    shown_words: int,
    precision: Precision = "auto",
    queries: Sequence[str] = (),
    denied: Collection[str] = (),
    progress: Progress = NO_PROGRESS,
) -> FillModel:
    """Write everything but the card to a draft's folder, and load it as it would serve.

    `auto` means int8 if a level of it passes the quantization check, otherwise fp32. `vocabulary.json`
    records the precision, the level and the check; of several failed checks, the one with the most agreement.

    Args:
        model: the model to write.
        draft: the draft of the version.
        shown_words: words per mask in a reply.
        precision: the setting.
        queries: the voted queries, which int8 is calibrated on if it fails the check without them.
        denied: words that the team denies, in addition to the shipped ones.
        progress: gets a step for each further attempt.
    """
    exact = _write_exact(model, draft, denied=denied)
    if precision == "fp32":
        return exact
    closest: QuantizationCheck | None = None
    calibrated: dict[bool, dict[str, ActivationRange]] = {}
    for number, level in enumerate(int8_levels(has_queries=bool(queries))):
        if number:
            progress.step("making int8 more exact")
        covers = level.covers_queries
        if covers not in calibrated:
            calibrated[covers] = calibrate(model, queries if covers else ())
        ops = Int8Ops(calibrated[covers], outlier_share=level.outlier_share)
        export(model, draft.folder / INT8_GRAPH, ops=ops)
        quick = _load(model, draft, "int8", INT8_GRAPH, level=level, denied=denied)
        agreed = check_quantization(exact, quick, shown_words=shown_words)
        if agreed.is_passed:
            (draft.folder / INT8_GRAPH).replace(draft.folder / GRAPH)
            return _load(model, draft, "int8", agreed=agreed, level=level, denied=denied)
        if closest is None or agreed.top1 > closest.top1:
            closest = agreed
    (draft.folder / INT8_GRAPH).unlink()
    return _load(model, draft, "fp32", agreed=closest, denied=denied)


@contextlib.contextmanager
def exported_like(served: FillModel, model: MaskedLm) -> Iterator[FillModel]:
    """Export a model in the precision and at the level of another one, for as long as the context lasts.

    For comparing their speed: which values the scales of int8 have makes no difference to that.
    """
    with tempfile.TemporaryDirectory() as temporary:
        draft = Draft(f"{served.version} like", Path(temporary))
        exact = _write_exact(model, draft)
        if served.outlier_share is None:
            yield exact
            return
        level = Int8Level(served.outlier_share, covers_queries=False)
        ops = Int8Ops(calibrate(model), outlier_share=level.outlier_share)
        export(model, draft.folder / INT8_GRAPH, ops=ops)
        yield _load(model, draft, "int8", INT8_GRAPH, level=level)


def export_base(folder: Path) -> FillModel:
    """Load a model from the hub's format as it would serve in fp32, without keeping files.

    Raises:
        BaseModelError: The folder does not contain a usable model.
    """
    with tempfile.TemporaryDirectory() as temporary:
        return _write_exact(load(folder), Draft(folder.resolve().name, Path(temporary)))


def _write_exact(model: MaskedLm, draft: Draft, *, denied: Collection[str] = ()) -> FillModel:
    """Write the files in fp32, and load them."""
    model.eval()
    model.save(draft.folder)
    export(model, draft.folder / GRAPH)
    return _load(model, draft, "fp32", denied=denied)


def _load(
    model: MaskedLm,
    draft: Draft,
    precision: str,
    graph: str = GRAPH,
    *,
    agreed: QuantizationCheck | None = None,
    level: Int8Level | None = None,
    denied: Collection[str] = (),
) -> FillModel:
    """Write `vocabulary.json`, and load the graph with it."""
    tokens = model.tokenizer.get_vocab(with_added_tokens=True)
    vocabulary.write(
        draft.folder,
        vocabulary.offered_ids(tokens, denied=[*vocabulary.denied_words(), *denied]),
        max_tokens=model.shape.max_tokens,
        precision=precision,
        agreement=agreed.to_json() if agreed else None,
        quantization=asdict(level) if level else None,
    )
    return FillModel(draft.folder, version=draft.version, graph=graph)


def installed_libraries() -> dict[str, str]:
    """Return the versions of what a model version is made with."""
    return {name: installed(name) for name in LIBRARIES} | {"python": platform.python_version()}


def make_card(draft: Draft, *, kind: Kind, base: str, settings: dict[str, Any], **columns: Any) -> Card:
    """Make the card of a draft: its origin, and the versions of the libraries that made it."""
    if is_hub_name(base) and Path(base).is_dir():
        base = f"./{base}"  # otherwise it would read as the name of a model on the hub
    return Card(
        version=draft.version,
        kind=kind,
        base=base,
        created_at=datetime.now(UTC),
        settings={**settings, "threads": torch.get_num_threads()},
        libraries=installed_libraries(),
        **columns,
    )


def write_version(
    registry: Registry,
    model: MaskedLm,
    *,
    kind: Kind,
    base: str,
    settings: dict[str, Any],
    shown_words: int,
    precision: Precision = "auto",
    **columns: Any,
) -> str:
    """Write a version that does not pass through the gate (base, starter), and return its name."""
    with registry.draft() as draft:
        served = write_files(model, draft, precision=precision, shown_words=shown_words)
        columns |= {"precision": served.precision, "quantization": served.quantization}
        card = make_card(draft, kind=kind, base=base, settings=settings, **columns)
        registry.commit(draft, card)
    return draft.version
