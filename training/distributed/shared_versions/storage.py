"""What shared storage must offer."""

from pathlib import Path
from typing import Protocol

SETTING = "FILLBOT_MODELS_URL"


class Transfer(Protocol):
    """Receives the progress of a transfer."""

    def sized(self, size: int) -> None:
        """The size of the file in bytes."""

    def moved(self, size: int) -> None:
        """Bytes transferred since the last call."""


class Storage(Protocol):
    """Names with slashes → bytes. Every method blocks.

    Raises:
        SharedStorageUnreachableError: the storage cannot be reached; from every method.
    """

    url: str  # without secrets

    def create(self, name: str, content: bytes) -> bool:
        """Durably create a name. False: it exists already and is unchanged."""

    def read(self, name: str) -> bytes | None:
        """The content of a name; None where it does not exist."""

    def read_all(self, names: list[str]) -> list[bytes]:
        """The contents of names that all exist."""

    def inside(self, folder: str) -> list[str]:
        """The sorted names directly inside a folder; empty where it does not exist."""

    def upload(self, source: Path, name: str, transfer: Transfer) -> None:
        """Durably store a file."""

    def download(self, name: str, target: Path, transfer: Transfer) -> None:
        """Fetch a file; raises FileNotFoundError where it does not exist."""

    def delete(self, folder: str) -> None:
        """Delete a folder if it exists."""
