"""The files of shared versions on this machine, fetched atomically and verified."""

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

LARGE = (".onnx", ".safetensors")  # fetched on demand
LEFT_OVER_S = 86_400.0  # older temporary files are left from a crash


class Cache:
    """Fetches into the folder of the registry. Blocking; safe for several processes at once."""

    def __init__(self, folder: Path, storage: Storage, progress: "Progress | None" = None) -> None:
        self._folder, self._storage, self._progress = folder, storage, progress

    def fetch(self, version: str, stored: StoredVersion) -> None:
        """Fetch a version except its large files.

        Raises:
            CorruptVersionError: the stored files do not match the hashes.
            SharedStorageUnreachableError: the storage cannot be reached.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f".{version}.{uuid.uuid4().hex}.fetched"
        temporary.mkdir()
        try:
            card = self._card(version, stored, temporary)
            for name, expected in card.files.items():
                if not name.endswith(LARGE):
                    self._fetch(version, stored, name, expected, temporary)
            fsync(temporary)
            try:
                temporary.rename(self._folder / version)
            except OSError:
                if not (self._folder / version).is_dir():  # else another process was first
                    raise
            fsync(self._folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def repair(self, version: str, stored: StoredVersion, names: tuple[str, ...] = ()) -> None:
        """Fetch missing and damaged files of a version; of all files where `names` is empty.

        Raises:
            CorruptVersionError: the stored files do not match the hashes.
            SharedStorageUnreachableError: the storage cannot be reached.
        """
        folder = self._folder / version
        card = self._card(version, stored, folder)
        for name in names or {*SERVED_FILES, *card.files}:
            expected = card.files.get(name)
            if expected is not None and not _has_hash(folder / name, expected):
                self._fetch(version, stored, name, expected, folder)

    def has(self, version: str, names: tuple[str, ...] = SERVED_FILES) -> bool:
        """Whether these files exist here; does not verify them."""
        return all((self._folder / version / name).is_file() for name in names)

    def drop(self, version: str) -> None:
        """Delete a version here; renamed first, so that no half-deleted version is visible."""
        gone = (self._folder / version).rename(self._folder / f".{version}.{uuid.uuid4().hex}.fetched")
        gone.unlink() if gone.is_symlink() else shutil.rmtree(gone, ignore_errors=True)

    def clear(self) -> None:
        """Delete temporary files that crashes left."""
        for path in self._folder.glob(".*.fetched"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_OVER_S:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _card(self, version: str, stored: StoredVersion, folder: Path) -> Card:
        """The card with the hash from the log; fetched where the local one differs."""
        path = folder / "card.json"
        if not _has_hash(path, stored.card):
            self._fetch(version, stored, "card.json", stored.card, folder)
        try:
            return Card.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise CorruptVersionError(version, "card.json cannot be read") from error

    def _fetch(self, version: str, stored: StoredVersion, name: str, expected: str, folder: Path) -> None:
        if Path(name).name != name:
            raise CorruptVersionError(version, f"its card lists {name}")
        temporary = self._folder / f".{uuid.uuid4().hex}.fetched"
        try:
            source = f"versions/{stored.folder}/{name}"
            try:
                self._storage.download(
                    source, temporary, TransferProgress(self._progress, f"fetching {version}")
                )
            except FileNotFoundError as error:
                reason = f"{name} is not at {self._storage.url} any more"
                raise CorruptVersionError(version, reason) from error
            if sha256(temporary) != expected:
                raise CorruptVersionError(version, f"{name} is damaged at {self._storage.url}")
            fsync(temporary)
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            temporary.replace(folder / name)
            fsync(folder)
        finally:
            temporary.unlink(missing_ok=True)


def _has_hash(path: Path, expected: str) -> bool:
    try:
        return sha256(path) == expected
    except OSError:
        return False
