"""The last state that this machine read, kept in its cache so that it need not read the whole log."""

import os
from pathlib import Path

from pydantic import ValidationError

from training.distributed.shared_versions.history import State
from training.registry.atomic_files import fsync, readable

NAME = ".shared.json"


def stored_state(folder: Path, url: str) -> State | None:
    """The kept state; None where it is missing, damaged or of another storage.

    Raises:
        RegistryUnreadableError: the file cannot be read at present.
    """
    path = folder / NAME
    try:
        with readable(path):
            state = State.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return state if state.url == url else None


def store_state(folder: Path, state: State) -> None:
    """Write the state. Atomic and durable."""
    temporary = folder / f"{NAME}.{os.getpid()}"
    temporary.write_text(state.model_dump_json(), encoding="utf-8")
    fsync(temporary)
    temporary.replace(folder / NAME)
    fsync(folder)
