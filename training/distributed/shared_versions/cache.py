"""The files of shared versions on this machine, fetched atomically and verified."""

import contextlib
import hashlib
import shutil
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from storage.sentences import Sentence
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.state import StoredVersion
from training.errors import CorruptVersionError
from training.registry.atomic_files import delete, fsync, replace_file, sha256
from training.registry.card import Card
from training.registry.versions import SERVED_FILES

LARGE = (".onnx", ".safetensors")  # fetched on demand
LEFT_OVER_S = 86_400.0  # older temporary files are left from a crash


class Cache:
    """Fetches into the folder of the registry. Blocking; safe for several processes at once."""

    def __init__(self, folder: Path, storage: ObjectStorage) -> None:
        self._folder, self._storage = folder, storage

    def fetch(self, version: str, stored: StoredVersion, names: Collection[str] | None = None) -> None:
        """Fetch missing and damaged files of a version; `names` None: all but the large ones, empty: all.

        Raises:
            CorruptVersionError: the stored files do not match the hashes.
            SharedStorageUnreachableError: the storage cannot be reached.
        """
        content = self._storage.read(f"versions/{stored.folder}/card.json") or b""
        if hashlib.sha256(content).hexdigest() != stored.card:
            raise CorruptVersionError(version, _damaged("card.json", self._storage.url))
        try:
            card = Card.model_validate_json(content)
        except ValidationError as error:
            raise CorruptVersionError(version, Sentence("{name} cannot be read", name="card.json")) from error
        if any(Path(name).name != name for name in card.files):
            raise CorruptVersionError(version, Sentence("its card lists files of other folders"))
        if names is None:
            names = [name for name in card.files if not name.endswith(LARGE)]
        target = self._folder / version
        folder = target if target.is_dir() else self._temporary()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name in names or {*SERVED_FILES, *card.files}:
                if (expected := card.files.get(name)) is not None:
                    self._fetch(version, f"versions/{stored.folder}/{name}", folder / name, expected)
            replace_file(folder / "card.json", content.decode())
            if folder != target:
                try:
                    folder.rename(target)
                except OSError:
                    if not target.is_dir():  # else another process was first
                        raise
                fsync(self._folder)
        finally:
            if folder != target:
                shutil.rmtree(folder, ignore_errors=True)

    def has(self, version: str, names: Collection[str] = SERVED_FILES) -> bool:
        """Whether these files exist here; does not verify them."""
        return all((self._folder / version / name).is_file() for name in names)

    def drop(self, version: str) -> None:
        """Delete a version here; renamed first, so that no half-deleted version is visible."""
        delete((self._folder / version).rename(self._temporary()))

    def clear(self) -> None:
        """Delete temporary files that crashes left."""
        for path in self._folder.glob(".*.fetched"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_OVER_S:
                    delete(path) if path.is_dir() else path.unlink()

    def _fetch(self, version: str, source: str, path: Path, expected: str) -> None:
        """Fetch a file unless it is here undamaged."""
        with contextlib.suppress(OSError):
            if sha256(path) == expected:
                return
        temporary = self._temporary()
        try:
            try:
                self._storage.download(source, temporary, step=f"fetching {version}")
            except FileNotFoundError as error:
                reason = Sentence("{name} is not at {url} any more", name=path.name, url=self._storage.url)
                raise CorruptVersionError(version, reason) from error
            if sha256(temporary) != expected:
                raise CorruptVersionError(version, _damaged(path.name, self._storage.url))
            fsync(temporary)
            if path.is_dir():
                shutil.rmtree(path)
            temporary.replace(path)
            fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def _temporary(self) -> Path:
        return self._folder / f".{uuid.uuid4().hex}.fetched"


def _damaged(name: str, url: str) -> Sentence:
    return Sentence("{name} is damaged at {url}", name=name, url=url)
