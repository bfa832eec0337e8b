"""Errors of versions that several machines share.

RegistryError
├── ForeignRegistryError    the local folder and the shared storage hold different versions
└── UnsuitableStorageError  the object storage cannot be used
"""

from pathlib import Path

from training.errors import RegistryError


class ForeignRegistryError(RegistryError):
    """The local folder and the shared storage hold different versions."""

    def __init__(self, folder: Path, url: str, reason: str) -> None:
        super().__init__(
            f"The models in {folder} are not those at {url}: {reason}. Move that folder away to use the "
            "shared models on this machine, or set FILLBOT_MODELS_URL to another storage."
        )


class UnsuitableStorageError(RegistryError):
    """The object storage cannot be used; `reason` says what to do."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"Models cannot be shared at {url}: {reason}.")
