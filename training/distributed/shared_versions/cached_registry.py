"""A local folder as a cache of shared versions. It follows the published state; replicas need no more."""

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import structlog
from filelock import FileLock
from pydantic import ValidationError

from storage.files.durable import fsync, replace_file, sha256
from storage.sentences import Sentence
from training.distributed.shared_versions.errors import ForeignRegistryError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.state import State, StoredVersion, number_of, published_state
from training.errors import CorruptVersionError, NoChampionError, NoEarlierVersionError, RegistryError
from training.registry.errors import SharedStorageUnreachableError
from training.registry.models_folder import delete, readable, writable
from training.registry.versions import SERVED_FILES, Registry

log = structlog.stdlib.get_logger(__name__)
STORED = ".shared.json"  # in the folder
LARGE = (".onnx", ".safetensors")  # fetched on demand
RETRY_DAMAGED_S = 60.0  # until a version that is damaged in the storage is fetched again
TEMPORARY = ".fetching-"
LEFT_OVER_S = 86_400.0  # older temporary folders are left from a crash


class CachedRegistry(Registry):
    """Reads are local; `pull`, `prefetch` and `verify` may access the storage. Changes are not possible.

    Files are fetched atomically and verified. Several processes may use the folder at once.
    """

    trouble: str | None = None

    def __init__(self, folder: Path, storage: ObjectStorage) -> None:
        super().__init__(folder)
        self._storage = storage
        known = self._stored_state()
        self._is_cache = known is not None  # of this storage; else the folder may hold other versions
        self._state = known or State()
        self._working = threading.RLock()
        self._damaged: dict[str, float] = {}  # version → when it is fetched again

    def pull(self) -> None:
        """Fetch other machines' pointers, withdrawals and cards, and the champion's files. Blocking.

        Raises:
            SharedStorageUnreachableError: The storage or the database cannot be reached; everything here
                stays as it is.
            UnsuitableStorageError: The storage holds something else.
            ForeignRegistryError: This folder holds other versions than the storage.
            RegistryUnwritableError: The folder here cannot be written.
        """
        with self._working:
            try:
                if self._is_cache:
                    self._apply_state()  # completes what a crash interrupted, even without the storage
                state = self._newest_state()
                if self._is_cache and state.conflicts_with(self._state):
                    reason = Sentence("versions of the same name have other files there")
                    raise ForeignRegistryError(self.folder, self._storage.url, reason)
                if state.revision >= self._state.revision:  # what is published may be older for a moment
                    self._state = state
                self._fetch_missing()
            except RegistryError as error:
                self.trouble = error.sentence
                raise
            self.trouble = None

    def prefetch(self) -> None:
        """Fetch the champion's predecessor and the domain model, in case the champion cannot serve. Blocking.

        Raises:
            RegistryError: They cannot be fetched at present.
        """
        spare = {self.domain()}
        with contextlib.suppress(NoChampionError, NoEarlierVersionError):
            spare.add(self.previous())
        for version in filter(None, spare):
            if not self._has(version, SERVED_FILES):
                self.verify(version, only=SERVED_FILES)

    def verify(self, version: str, *, only: tuple[str, ...] = ()) -> None:
        """Verify a version, and fetch its missing and damaged files first."""
        try:
            super().verify(version, only=only)
        except CorruptVersionError:
            stored = self._state.versions.get(version)
            if stored is None:
                raise
            log.info("model.fetching", model_version=version)
            self._fetch(version, stored, only or None)
            super().verify(version, only=only)

    def _newest_state(self) -> State:
        state = published_state(self._storage)
        if state is None:
            reason = Sentence("nothing is published there: it was emptied or replaced, or is not mounted")
            raise SharedStorageUnreachableError(self._storage.url, reason)
        return state

    def _fetch_missing(self) -> None:
        """Fetch the champion's served files and all versions' small ones, then follow the state."""
        for version, stored in self._state.versions.items():
            if time.monotonic() < self._damaged.get(version, 0):
                continue
            try:
                if not self._has(version, ("card.json",)):
                    self._fetch(version, stored, ())
                if version == self._state.champion and not self._has(version, SERVED_FILES):
                    self._fetch(version, stored, SERVED_FILES)
            except CorruptVersionError as error:
                self._damaged[version] = time.monotonic() + RETRY_DAMAGED_S
                log.error("model.damaged", model_version=version, reason=error.reason)  # noqa: TRY400
        self._apply_state(is_fetched=True)

    def _apply_state(self, *, is_fetched: bool = False) -> None:
        """Make the folder match the state. A pointer moves only to a version with files, unless `is_fetched`.

        A champion that is damaged in the storage becomes champion here, too, so that the bot reports it.
        """
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".shared.lock"):
                fetched = (self._state.champion, self._state.domain) if is_fetched else ()
                known = self._stored_state()
                if known is not None and known.revision > self._state.revision:
                    self._state = known  # another process on this machine has read a newer one
                elif known != self._state:
                    stored = {"url": self._storage.url, **self._state.model_dump(mode="json")}
                    replace_file(self.folder / STORED, json.dumps(stored).encode())
                self._is_cache = True
                state = self._state
                super().withdraw(state.withdrawn)
                for version in self.versions():
                    if version not in state.versions and number_of(version) <= state.highest:  # deleted
                        with self._temporary_folder() as temporary:
                            (self.folder / version).rename(temporary / version)
                for pointer, wanted, needed in (
                    ("domain", state.domain, ("card.json",)),
                    ("champion", state.champion, ("card.json", *SERVED_FILES)),
                ):
                    if wanted is None or wanted == self._pointer(pointer):
                        continue
                    if wanted in fetched or self._has(wanted, needed):
                        self._write(pointer, [wanted])

    def _stored_state(self) -> State | None:
        """Return the last state that this machine has read; None without one of this storage."""
        path = self.folder / STORED
        try:
            with readable(path):
                content = path.read_bytes()
            state = State.model_validate_json(content)
        except (FileNotFoundError, ValidationError):
            return None
        return state if json.loads(content).get("url") == self._storage.url else None

    def _has(self, version: str, names: Collection[str]) -> bool:
        """Whether these files exist here; does not verify them."""
        return all((self.folder / version / name).is_file() for name in names)

    def _fetch(self, version: str, stored: StoredVersion, names: Collection[str] | None) -> None:
        """Fetch the missing and damaged ones of a version's small files and of `names` (None: of all).

        Raises:
            CorruptVersionError: The stored files do not match the hashes.
            SharedStorageUnreachableError: The storage cannot be reached.
        """
        with writable(self.folder), self._temporary_folder() as temporary:
            fetched, folder = Registry(temporary), temporary / version
            folder.mkdir()
            try:
                self._download(stored, ["card.json"], folder)
                card = fetched.card(version)
                _require(version, folder / "card.json", stored.card)
                wanted = [
                    name
                    for name, expected in card.files.items()
                    if (names is None or name in names or not name.endswith(LARGE))
                    and Path(name).name == name  # else `verify` refuses it
                    and not _matches(self.folder / version / name, expected)
                ]
                self._download(stored, wanted, folder)
                if wanted:
                    fetched.verify(version, only=tuple(wanted))
            except CorruptVersionError as error:
                reason = Sentence("at {url}, {reason}", url=self._storage.url, reason=error.reason)
                raise CorruptVersionError(version, reason) from error
            for path in folder.iterdir():
                fsync(path)
            self._install(folder, version)

    def _download(self, stored: StoredVersion, names: Collection[str], folder: Path) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # `verify` reports a missing file
                source = f"versions/{stored.folder}/{name}"
                self._storage.download(source, folder / name, step=f"fetching {folder.name}")

    def _install(self, folder: Path, version: str) -> None:
        """Move the files in a folder to those of a version."""
        target = self.folder / version
        try:
            folder.rename(target)
        except OSError:  # some files are here already, perhaps because another process fetched them
            for path in folder.iterdir():
                path.replace(target / path.name)
            fsync(target)
        fsync(self.folder)

    @contextlib.contextmanager
    def _temporary_folder(self) -> Iterator[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self.folder) as folder:
            yield Path(folder)

    def _delete_left_over(self) -> None:
        """Delete temporary folders that crashes left."""
        for folder in self.folder.glob(f"{TEMPORARY}*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > LEFT_OVER_S:
                    delete(folder)


def _matches(path: Path, expected: str) -> bool:
    with contextlib.suppress(OSError):
        return sha256(path) == expected
    return False


def _require(version: str, card: Path, expected: str) -> None:
    if not _matches(card, expected):
        raise CorruptVersionError(version, Sentence("{name} is not what was written", name=card.name))
