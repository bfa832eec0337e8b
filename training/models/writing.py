"""Write a torch model as a version: weights, graph, vocabulary and card in one atomic step."""

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
from training.models.quantization import Int8, calibrate
from training.models.quantization_check import Agreement, agreement
from training.models.torch_model import MaskedLm, load
from training.registry.card import Card, Kind
from training.registry.publishing.model_card import is_hub_name
from training.registry.versions import Draft, Registry
from training.settings import Precision

LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "uptrain", "numpy")
INT8_GRAPH = "int8.onnx"  # until it is known whether it may serve


def write_files(
    model: MaskedLm, draft: Draft, *, shown_words: int, precision: Precision = "auto"
) -> FillModel:
    """Fill a draft's folder with everything but the card, and load it as it would serve.

    `auto` is int8 where that answers as fp32 does, by the words that people see, and fp32 elsewhere;
    `vocabulary.json` says which, and how alike they are.
    """
    exact = _write_exact(model, draft)
    if precision == "fp32":
        return exact
    export(model, draft.folder / INT8_GRAPH, products=Int8(calibrate(model)))
    agreed = agreement(exact, _load(model, draft, "int8", INT8_GRAPH), shown_words=shown_words)
    if not agreed.is_enough:
        (draft.folder / INT8_GRAPH).unlink()
        return _load(model, draft, "fp32", agreed=agreed)
    (draft.folder / INT8_GRAPH).replace(draft.folder / GRAPH)
    return _load(model, draft, "int8", agreed=agreed)


def exported(folder: Path) -> FillModel:
    """A model as the hub gives it, in fp32; nothing is kept on the disk.

    Raises:
        BaseModelError: the folder holds no model that can be loaded.
    """
    with tempfile.TemporaryDirectory() as temporary:
        return _write_exact(load(folder), Draft(folder.resolve().name, Path(temporary)))


def _write_exact(model: MaskedLm, draft: Draft) -> FillModel:
    """Fill a draft's folder as `write_files` does, in fp32."""
    model.eval()
    model.save(draft.folder)
    export(model, draft.folder / GRAPH)
    return _load(model, draft, "fp32")


def _load(
    model: MaskedLm, draft: Draft, precision: str, graph: str = GRAPH, agreed: Agreement | None = None
) -> FillModel:
    """Write `vocabulary.json`, and load the graph with it."""
    tokens = model.tokenizer.get_vocab(with_added_tokens=True)
    vocabulary.write(
        draft.folder,
        vocabulary.offered(tokens, denied=vocabulary.denied_words()),
        max_tokens=model.shape.max_tokens,
        precision=precision,
        agreement=agreed.to_json() if agreed else None,
    )
    return FillModel(draft.folder, version=draft.version, graph=graph)


def card_of(draft: Draft, *, kind: Kind, base: str, settings: dict[str, Any], **columns: Any) -> Card:
    """The card of a draft: what it was made from, with the versions of the libraries that made it."""
    libraries = {name: installed(name) for name in LIBRARIES} | {"python": platform.python_version()}
    if is_hub_name(base) and Path(base).is_dir():
        base = f"./{base}"  # else it would be taken for somebody's model on the hub
    return Card(
        version=draft.version,
        kind=kind,
        base=base,
        created_at=datetime.now(UTC),
        settings={**settings, "threads": torch.get_num_threads()},
        libraries=libraries,
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
    """Write a version that no gate judges (base, starter). Returns its name."""
    with registry.draft() as draft:
        serves_in = write_files(model, draft, precision=precision, shown_words=shown_words).precision
        card = card_of(draft, kind=kind, base=base, settings=settings, precision=serves_in, **columns)
        registry.commit(draft, card)
    return draft.version
