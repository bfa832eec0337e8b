"""The checkpoint of a long training run: one file, replaced atomically."""

from pathlib import Path
from typing import Any

import torch

from storage.files.durable import fsync
from training.models.out_of_memory import is_out_of_memory


class Checkpoint:
    """The state of a training run. `key` hashes its inputs, so that other inputs never resume from it."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key

    def load(self) -> dict[str, Any] | None:
        """Return the last state saved under this key, or None if it is missing or damaged.

        Raises:
            OSError: The file cannot be read at the moment; starting over would overwrite it.
            MemoryError: The state does not fit into memory.
        """
        try:
            content = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # a truncated file or another version's: start over
            if isinstance(error, OSError) or is_out_of_memory(error):
                raise
            return None
        return content["state"] if isinstance(content, dict) and content.get("key") == self._key else None

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint atomically.

        Raises:
            OSError: The disk is full or not writable.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            torch.save({"key": self._key, "state": state}, partial)
            fsync(partial)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
            partial.unlink(missing_ok=True)  # up to half a gigabyte
            if isinstance(error, OSError) or is_out_of_memory(error):
                raise
            raise OSError(str(error)) from error
        partial.replace(self._path)

    def clear(self) -> None:
        """Delete the checkpoint. Idempotent."""
        self._path.unlink(missing_ok=True)
