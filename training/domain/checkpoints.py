"""How far a long training is, on the disk: one file, replaced whole, read only by the run that wrote it."""

import contextlib
import os
from pathlib import Path
from typing import Any

import torch

from training.models.out_of_memory import is_out_of_memory


class Checkpoint:
    """The state of one training; another training's, told apart by `key`, is not touched by mistake."""

    def __init__(self, path: Path, key: str) -> None:
        """Look at `path`; its folder is made when something is saved."""
        self._path, self._key = path, key

    def load(self) -> dict[str, Any] | None:
        """What was saved last under this key; None where there is nothing, or it is damaged.

        Raises:
            OSError: it cannot be read at present; beginning anew would write over it.
            MemoryError: there is too little memory for it.
        """
        try:
            content = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # half a file, another version's file: both mean to begin anew
            if isinstance(error, OSError) or is_out_of_memory(error):
                raise
            return None
        return content["state"] if isinstance(content, dict) and content.get("key") == self._key else None

    def save(self, state: dict[str, Any]) -> None:
        """Replace what is there, atomically.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            with partial.open("wb") as file:
                torch.save({"key": self._key, "state": state}, file)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:  # RuntimeError: torch's own for a full disk
            partial.unlink(missing_ok=True)  # half a gigabyte that nobody would look for
            if isinstance(error, OSError) or is_out_of_memory(error):
                raise
            raise OSError(str(error)) from error
        partial.replace(self._path)

    def clear(self) -> None:
        """Forget it: the training is done."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
