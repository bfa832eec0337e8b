"""Finds the base model in a folder, the hub's cache or the hub; within 5 s, unless it is downloaded."""

import re
from pathlib import Path

import structlog

from storage.files.text import read_text
from storage.sentences import Sentence
from training.errors import BaseModelError
from training.hub import hub_is_reachable
from training.settings import DEFAULT_BASE_MODEL, Settings

log = structlog.stdlib.get_logger(__name__)
UNREACHABLE = Sentence("it is not in the hub's cache and the hub cannot be reached")
LICENCE = re.compile(r"^license:\s*(\S+)", re.MULTILINE)  # in the front matter of a README on the hub
FILES = [
    "README.md",
    "config.json",
    "*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
]


class _HubError(Exception):
    """The hub answers, but does not deliver the model."""


def find_base(name: str) -> Path | None:
    """Return a folder with the base model's files, or None if it is the default model and unavailable.

    Raises:
        BaseModelError: A base model that was configured explicitly is unavailable.
    """
    if (here := _on_this_machine(name)) is not None:
        return here
    reason = UNREACHABLE
    if hub_is_reachable():
        try:
            return _download(name)
        except _HubError as error:  # a proxy that answers in its place, or a model that was deleted
            reason = Sentence("the hub did not deliver it ({error})", error=str(error).splitlines()[0])
    if name == DEFAULT_BASE_MODEL:
        log.info("base.not_found", base=name, reason=reason)
        return None
    raise BaseModelError(name, reason)


def locate_base(name: str) -> str | None:
    """Say where `find_base` would find the model, without downloading it; None if it would return None.

    Raises:
        BaseModelError: A base model that was configured explicitly is unavailable.
    """
    if (folder := _on_this_machine(name)) is not None:
        return f"on this machine, {weights_mb(folder):,.0f} MB, licence: {licence(folder) or 'not said'}"
    if hub_is_reachable():
        return "the hub can be reached"
    if name == DEFAULT_BASE_MODEL:
        return None
    raise BaseModelError(name, UNREACHABLE)


def known_blanks(settings: Settings) -> float | None:
    """Load the base model, and return the share of the easy blanks that it knows.

    None if it would be downloaded first, or if there are no easy blanks in the corpus's language. Imports
    torch only when called.

    Raises:
        BaseModelError: The model cannot be loaded.
        WeakBaseError: It knows too few, and the settings do not allow that.
    """
    if (folder := _on_this_machine(settings.base_model)) is None:
        return None
    from training.models import torch_model
    from training.models.base_check import require_usable

    check = require_usable(torch_model.load(folder, base=settings.base_model), settings)
    return None if check is None else check.share


def weights_mb(folder: Path) -> float:
    """The size of a model's weights on the disk."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6


def licence(folder: Path) -> str | None:
    """Return the licence that a model's README names; None if it names none."""
    path = folder / "README.md"
    found = LICENCE.search(read_text(path, fallback="cp1252")) if path.is_file() else None
    return found[1] if found else None


def _on_this_machine(name: str) -> Path | None:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise BaseModelError(name, Sentence("there is no such folder"))
    names = [name, f"distilbert/{name}"] if name == DEFAULT_BASE_MODEL else [name]
    return next((cached for one in names if (cached := _cached(one)) is not None), None)


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, FileNotFoundError):
        return None
    except HFValidationError as error:
        raise BaseModelError(name, Sentence("that is neither a folder nor a name on the hub")) from error
    return folder if _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    """Whether the download was completed; files of the cache are links, which may dangle."""
    has_tokenizer = any((folder / name).exists() for name in ("tokenizer.json", "vocab.txt", "vocab.json"))
    has_weights = any(path.exists() for path in folder.glob("*.safetensors"))
    return (folder / "config.json").exists() and has_tokenizer and has_weights


def _download(name: str) -> Path:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx.HTTPError) as error:
        raise _HubError(str(error).strip() or type(error).__name__) from error
    except OSError as error:
        raise BaseModelError(name, Sentence("it could not be stored ({error})", error=str(error))) from error
