"""Writes a torch model as a version: weights, graph, vocabulary and card."""

import contextlib
import platform
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import torch

from training.inference import vocabulary
from training.inference.fill_model import GRAPH, FillModel
from training.models.onnx_export import export
from training.models.quantization import OUTLIER_SHARES, Int8Ops, calibrate
from training.models.quantization_check import QuantizationCheck, check_quantization, has_suites
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
    least_outliers: float | None = None,
    progress: Progress = NO_PROGRESS,
) -> FillModel:
    """Write everything but the card to a draft's folder, and load it as it would serve.

    `auto` means int8 if it passes the quantization check with one of `OUTLIER_SHARES`, otherwise fp32.
    `vocabulary.json` records the precision, the share and the check; of several failed checks, the one with
    the most agreement.

    Args:
        model: the model to write.
        draft: the draft of the version.
        shown_words: words per mask in a reply.
        precision: the setting.
        queries: the voted queries, which int8 is calibrated on as well.
        denied: words that the team denies, in addition to the shipped ones.
        least_outliers: the outlier share of the model that it was trained from, which needs as many at least;
            None if that is in fp32.
        progress: gets a step for each further attempt.
    """
    exact = _write_exact(model, draft, denied=denied)
    if precision == "fp32" or not has_suites():
        return (
            exact  # without a suite in the language of the corpus, nothing tells whether int8 answers alike
        )
    closest: QuantizationCheck | None = None
    ranges = calibrate(model, queries)
    for share in OUTLIER_SHARES:
        if share < (least_outliers or 0.0):
            continue
        if closest is not None:
            progress.step("making int8 more exact")
        export(model, draft.folder / INT8_GRAPH, ops=Int8Ops(ranges, outlier_share=share))
        quick = _load(model, draft, "int8", INT8_GRAPH, outlier_share=share, denied=denied)
        agreed = check_quantization(exact, quick, shown_words=shown_words)
        if agreed.is_passed:
            (draft.folder / INT8_GRAPH).replace(draft.folder / GRAPH)
            return _load(model, draft, "int8", agreed=agreed, outlier_share=share, denied=denied)
        if closest is None or agreed.top1 > closest.top1:
            closest = agreed
    (draft.folder / INT8_GRAPH).unlink()
    return _load(model, draft, "fp32", agreed=closest, denied=denied)


@contextlib.contextmanager
def exported_like(served: FillModel, model: MaskedLm) -> Iterator[FillModel]:
    """Export a model in the precision of another one, for as long as the context lasts.

    For comparing their speed: which values the scales of int8 have makes no difference to that.
    """
    with tempfile.TemporaryDirectory() as temporary:
        draft = Draft(f"{served.version} like", Path(temporary))
        exact = _write_exact(model, draft)
        if served.outlier_share is None:
            yield exact
            return
        share = served.outlier_share
        export(model, draft.folder / INT8_GRAPH, ops=Int8Ops(calibrate(model), outlier_share=share))
        yield _load(model, draft, "int8", INT8_GRAPH, outlier_share=share)


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
    outlier_share: float | None = None,
    denied: Collection[str] = (),
) -> FillModel:
    """Write `vocabulary.json`, and load the graph with it."""
    vocabulary.write(
        draft.folder,
        vocabulary.offered_ids(model.encoder.words, denied=vocabulary.denied_words().union(denied)),
        max_tokens=model.shape.max_tokens,
        precision=precision,
        special_tokens=model.special_tokens,
        agreement=agreed.to_json() if agreed else None,
        quantization=None if outlier_share is None else {"outlier_share": outlier_share},
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
    progress: Progress = NO_PROGRESS,
    **columns: Any,
) -> str:
    """Write a version that does not pass through the gate (base, starter), and return its name."""
    with registry.draft() as draft:
        served = write_files(model, draft, precision=precision, shown_words=shown_words, progress=progress)
        columns |= {"precision": served.precision, "quantization": served.quantization}
        card = make_card(draft, kind=kind, base=base, settings=settings, **columns)
        registry.commit(draft, card)
    return draft.version
