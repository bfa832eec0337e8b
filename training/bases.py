"""Where the base model comes from: a folder, the hub's cache, the hub. Finding out takes at most five seconds."""

import os
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

from training.errors import BaseModelError
from training.settings import DEFAULT_BASE_MODEL

REACH_TIMEOUT_S = 4.0
FILES = [
    "config.json",
    "*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "special_tokens_map.json",
]


def find_base(name: str) -> Path | None:
    """A folder with the base model's files; None when the default one is neither cached nor to be had.

    Raises:
        BaseModelError: a base that was asked for by name or folder cannot be had.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise BaseModelError(name, "there is no such folder")
    names = [name, f"distilbert/{name}"] if name == DEFAULT_BASE_MODEL else [name]
    for candidate in names:
        if (cached := _cached(candidate)) is not None:
            return cached
    if hub_is_reachable():
        return _download(name)
    if name == DEFAULT_BASE_MODEL:
        return None
    raise BaseModelError(name, "it is not in the hub's cache and the hub cannot be reached")


def hub_is_reachable() -> bool:
    """Whether the hub answers within `REACH_TIMEOUT_S`, a slow name server included."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(os.environ.get("HF_ENDPOINT") or constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    answered = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((address.hostname or "", port), timeout=REACH_TIMEOUT_S).close()
        except OSError:
            return
        answered.set()

    # In a thread of its own: the name server's own time-out is longer than anybody waits.
    prober = threading.Thread(target=connect, daemon=True)
    prober.start()
    prober.join(REACH_TIMEOUT_S)
    return answered.is_set()


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, FileNotFoundError):
        return None
    except HFValidationError as error:
        raise BaseModelError(name, "that is neither a folder nor a name on the hub") from error
    complete = (folder / "config.json").exists() and any(folder.glob("*.safetensors"))
    return folder if complete else None


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except Exception as error:
        raise BaseModelError(name, f"the hub did not give it ({str(error).splitlines()[0]})") from error
