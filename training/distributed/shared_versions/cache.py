"""The files of shared versions on this machine: fetched whole and right, or not there."""

import contextlib
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from training.distributed.shared_versions.history import StoredVersion
from training.distributed.shared_versions.storage import Storage
from training.distributed.shared_versions.transfer_progress import TransferProgress
from training.errors import CorruptVersionError
from training.registry.atomic_files import fsync, sha256
from training.registry.card import Card
from training.registry.versions import SERVED_FILES

if TYPE_CHECKING:
    from training.progress import Progress

LARGE = (".onnx", ".safetensors")  # fetched where they are needed
LEFT_OVER_S = 86_400.0  # after which what was being fetched is a crash's


class Cache:
    """Fetches into the folder of the registry. Blocking; several processes may do the same at once."""

    def __init__(self, folder: Path, storage: Storage, progress: "Progress | None" = None) -> None:
        self._folder, self._storage, self._progress = folder, storage, progress

    def bring(self, version: str, stored: StoredVersion) -> None:
        """Let a version appear here, with all but its large files.

        Raises:
            CorruptVersionError: what is stored is not what was written.
            SharedStorageUnreachableError: the storage cannot be reached.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f".{version}.{uuid.uuid4().hex}.fetched"
        beside.mkdir()
        try:
            card = self._card(version, stored, beside)
            for name, expected in card.files.items():
                if not name.endswith(LARGE):
                    self._fetch(version, stored, name, expected, beside)
            fsync(beside)
            try:
                beside.rename(self._folder / version)
            except OSError:
                if not (self._folder / version).is_dir():  # else another process was first
                    raise
            fsync(self._folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def repair(self, version: str, stored: StoredVersion, names: tuple[str, ...] = ()) -> None:
        """Fetch what is missing or damaged among the files of a version (all where none are named).

        Raises:
            CorruptVersionError: what is stored is not what was written.
            SharedStorageUnreachableError: the storage cannot be reached.
        """
        folder = self._folder / version
        card = self._card(version, stored, folder)
        for name in names or {*SERVED_FILES, *card.files}:
            expected = card.files.get(name)
            if expected is not None and not _is_right(folder / name, expected):
                self._fetch(version, stored, name, expected, folder)

    def has(self, version: str, names: tuple[str, ...] = SERVED_FILES) -> bool:
        """Whether these files are here; what they hold is not looked at."""
        return all((self._folder / version / name).is_file() for name in names)

    def drop(self, version: str) -> None:
        """Delete a version here; renamed first, so that no half-deleted one can be seen."""
        gone = (self._folder / version).rename(self._folder / f".{version}.{uuid.uuid4().hex}.fetched")
        gone.unlink() if gone.is_symlink() else shutil.rmtree(gone, ignore_errors=True)

    def clear(self) -> None:
        """Delete what crashes left half fetched."""
        for path in self._folder.glob(".*.fetched"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_OVER_S:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _card(self, version: str, stored: StoredVersion, folder: Path) -> Card:
        """The card that the log vouches for, in this folder too."""
        path = folder / "card.json"
        if not _is_right(path, stored.card):
            self._fetch(version, stored, "card.json", stored.card, folder)
        try:
            return Card.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise CorruptVersionError(version, "card.json cannot be read") from error

    def _fetch(self, version: str, stored: StoredVersion, name: str, expected: str, folder: Path) -> None:
        if Path(name).name != name:
            raise CorruptVersionError(version, f"its card lists {name}")
        beside = self._folder / f".{uuid.uuid4().hex}.fetched"
        try:
            source = f"versions/{stored.folder}/{name}"
            try:
                self._storage.download(
                    source, beside, TransferProgress(self._progress, f"fetching {version}")
                )
            except FileNotFoundError as error:
                reason = f"{name} is not at {self._storage.url} any more"
                raise CorruptVersionError(version, reason) from error
            if sha256(beside) != expected:
                raise CorruptVersionError(version, f"{name} is damaged at {self._storage.url}")
            fsync(beside)
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            beside.replace(folder / name)
            fsync(folder)
        finally:
            beside.unlink(missing_ok=True)


def _is_right(path: Path, expected: str) -> bool:
    try:
        return sha256(path) == expected
    except OSError:
        return False
