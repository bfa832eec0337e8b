"""Write a torch model as a version: weights, graph, vocabulary and card in one atomic step."""

import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import torch

from training import vocabulary
from training.export import export
from training.fill_model import FillModel
from training.model import MaskedLm, load
from training.publishing.model_card import is_hub_name
from training.registry import Card, Draft, Kind, Registry

LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "uptrain", "numpy")
DENIED_WORDS = Path(__file__).with_name("denied.txt")


def denied_words() -> list[str]:
    """Words that are never offered and that no vote can teach."""
    lines = DENIED_WORDS.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def write_files(model: MaskedLm, draft: Draft) -> FillModel:
    """Fill a draft's folder with everything but the card, and load it as it would serve."""
    model.eval()
    model.save(draft.folder)
    export(model, draft.folder / "model.onnx")
    ids = vocabulary.offered(model.tokenizer.get_vocab(with_added_tokens=True), denied=denied_words())
    vocabulary.write(draft.folder, ids, max_tokens=model.shape.max_tokens, precision="fp32")
    return FillModel(draft.folder, version=draft.version)


def exported(folder: Path) -> FillModel:
    """A model as the hub gives it, as it would serve; nothing is kept on the disk.

    Raises:
        BaseModelError: the folder holds no model that can be loaded.
    """
    with tempfile.TemporaryDirectory() as temporary:
        return write_files(load(folder), Draft(folder.resolve().name, Path(temporary)))


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
    registry: Registry, model: MaskedLm, *, kind: Kind, base: str, settings: dict[str, Any], **columns: Any
) -> str:
    """Write a version that no gate judges (base, starter, domain model). Returns its name."""
    with registry.draft() as draft:
        write_files(model, draft)
        registry.commit(draft, card_of(draft, kind=kind, base=base, settings=settings, **columns))
    return draft.version
