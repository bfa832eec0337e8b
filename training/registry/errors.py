"""Errors of versions that several machines share.

RegistryError
├── SharedStorageUnreachableError       the shared storage of versions cannot be reached
├── PointerMovedError   another machine moved the pointer meanwhile
├── ForeignRegistryError    the folder here and the shared storage do not belong together
└── UnsuitableStorageError     a shared storage that cannot be used
"""

from pathlib import Path

from training.errors import RegistryError


class SharedStorageUnreachableError(RegistryError):
    """The shared storage of versions cannot be reached."""

    def __init__(self, url: str, reason: str) -> None:
        """Build the sentence from the storage and what it said."""
        self.url, self.reason = url, reason
        super().__init__(
            f"The models at {url} cannot be reached ({reason}). Nothing was changed here, and what serves "
            "goes on serving. Check FILLBOT_MODELS_URL, the network and this machine's rights there."
        )


class PointerMovedError(RegistryError):
    """Another machine moved the pointer meanwhile."""

    def __init__(self, pointer: str, now: str | None, wanted: str) -> None:
        """Build the sentence from where the pointer is now and where it should have gone."""
        self.pointer, self.now, self.wanted = pointer, now, wanted
        role = "champion" if pointer == "champion" else "domain model"
        super().__init__(
            f"Somebody made {now or 'nothing'} the {role} meanwhile, so {wanted} did not become it. Look "
            "again with `!versions` or `python -m training versions`, and decide anew."
        )


class ForeignRegistryError(RegistryError):
    """The folder here and the shared storage do not belong together."""

    def __init__(self, folder: Path, url: str, reason: str) -> None:
        """Build the sentence from both places and what does not fit."""
        super().__init__(
            f"The models in {folder} are not those at {url}: {reason}. Move that folder away, and this "
            "machine takes the ones there; or set FILLBOT_MODELS_URL to another place."
        )


class UnsuitableStorageError(RegistryError):
    """A shared storage that cannot be used."""

    def __init__(self, url: str, reason: str) -> None:
        """Build the sentence from the storage and the reason, which says what to do."""
        super().__init__(f"Models cannot be shared at {url}: {reason}.")
