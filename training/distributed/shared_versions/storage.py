"""What shared storage must be able to do."""

from pathlib import Path
from typing import Protocol

SETTING = "FILLBOT_MODELS_URL"


class Transfer(Protocol):
    """Who is told how far a file is on its way."""

    def sized(self, size: int) -> None:
        """It has so many bytes."""

    def moved(self, size: int) -> None:
        """So many more have arrived."""


class Storage(Protocol):
    """Names with slashes → bytes. Every method blocks.

    Raises:
        SharedStorageUnreachableError: the storage cannot be reached; from every method.
    """

    url: str  # without secrets

    def create(self, name: str, content: bytes) -> bool:
        """Durably store what was not there. False: something is there, and stays as it is."""

    def read(self, name: str) -> bytes | None:
        """What is stored; None: nothing."""

    def read_all(self, names: list[str]) -> list[bytes]:
        """What is stored under each of them; all are there."""

    def inside(self, folder: str) -> list[str]:
        """The names right inside a folder, in order; none where there is none."""

    def upload(self, source: Path, name: str, transfer: Transfer) -> None:
        """Durably store a file."""

    def download(self, name: str, target: Path, transfer: Transfer) -> None:
        """Fetch a file; FileNotFoundError where there is none."""

    def delete(self, folder: str) -> None:
        """Delete a folder, if it is there."""
