"""Writes a torch model as a version: weights, graph, vocabulary and card."""

import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import torch

from training.inference import vocabulary
from training.inference.fill_model import GRAPH, FillModel
from training.models.onnx_export import export
from training.models.quantization import Int8Ops, calibrate
from training.models.quantization_check import QuantizationCheck, check_quantization
from training.models.torch_model import MaskedLm, load
from training.registry.card import Card, Kind
from training.registry.publishing.model_card import is_hub_name
from training.registry.versions import Draft, Registry
from training.settings import Precision

LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "uptrain", "numpy")
INT8_GRAPH = "int8.onnx"  # until the quantization check has passed


def write_files(
    model: MaskedLm, draft: Draft, *, shown_words: int, precision: Precision = "auto"
) -> FillModel:
    """Write everything but the card to a draft's folder, and load it as it would serve.

    `auto` means int8 if that passes the quantization check, otherwise fp32. `vocabulary.json` records the
    precision and the check.
    """
    exact = _write_exact(model, draft)
    if precision == "fp32":
        return exact
    export(model, draft.folder / INT8_GRAPH, ops=Int8Ops(calibrate(model)))
    agreed = check_quantization(exact, _load(model, draft, "int8", INT8_GRAPH), shown_words=shown_words)
    if not agreed.is_passed:
        (draft.folder / INT8_GRAPH).unlink()
        return _load(model, draft, "fp32", agreed=agreed)
    (draft.folder / INT8_GRAPH).replace(draft.folder / GRAPH)
    return _load(model, draft, "int8", agreed=agreed)


def export_base(folder: Path) -> FillModel:
    """Load a model from the hub's format as it would serve in fp32, without keeping files.

    Raises:
        BaseModelError: The folder does not contain a usable model.
    """
    with tempfile.TemporaryDirectory() as temporary:
        return _write_exact(load(folder), Draft(folder.resolve().name, Path(temporary)))


def _write_exact(model: MaskedLm, draft: Draft) -> FillModel:
    """Write the files in fp32, and load them."""
    model.eval()
    model.save(draft.folder)
    export(model, draft.folder / GRAPH)
    return _load(model, draft, "fp32")


def _load(
    model: MaskedLm, draft: Draft, precision: str, graph: str = GRAPH, agreed: QuantizationCheck | None = None
) -> FillModel:
    """Write `vocabulary.json`, and load the graph with it."""
    tokens = model.tokenizer.get_vocab(with_added_tokens=True)
    vocabulary.write(
        draft.folder,
        vocabulary.offered_ids(tokens, denied=vocabulary.denied_words()),
        max_tokens=model.shape.max_tokens,
        precision=precision,
        agreement=agreed.to_json() if agreed else None,
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
        serves_in = write_files(model, draft, precision=precision, shown_words=shown_words).precision
        card = make_card(draft, kind=kind, base=base, settings=settings, precision=serves_in, **columns)
        registry.commit(draft, card)
    return draft.version
