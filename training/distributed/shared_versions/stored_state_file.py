"""What a machine knows of the log, kept beside its cache, so that it need not be read from its beginning."""

import os
from pathlib import Path

from pydantic import ValidationError

from training.distributed.shared_versions.history import State
from training.registry.atomic_files import fsync, readable

NAME = ".shared.json"


def stored_state(folder: Path, url: str) -> State | None:
    """What was kept; None where that is nothing, damaged, or of another storage.

    Raises:
        RegistryUnreadableError: nobody can say at present.
    """
    path = folder / NAME
    try:
        with readable(path):
            state = State.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return state if state.url == url else None


def store_state(folder: Path, state: State) -> None:
    """Atomic and durable."""
    beside = folder / f"{NAME}.{os.getpid()}"
    beside.write_text(state.model_dump_json(), encoding="utf-8")
    fsync(beside)
    beside.replace(folder / NAME)
    fsync(folder)
