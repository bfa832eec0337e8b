"""The local folder as a cache of shared versions. It follows the published state; replicas need no more."""

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from filelock import FileLock
from pydantic import ValidationError

from storage.sentences import Sentence
from training.distributed.shared_versions.cache import Cache
from training.distributed.shared_versions.errors import ForeignRegistryError, UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.published import published_state
from training.distributed.shared_versions.state import State, number_of
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryUnreadableError,
    RegistryUnwritableError,
)
from training.registry.atomic_files import readable, replace_file
from training.registry.errors import SharedStorageUnreachableError
from training.registry.versions import SERVED_FILES, Registry

log = structlog.stdlib.get_logger(__name__)
STORED = ".shared.json"  # in the folder
STORAGE_ERRORS = (
    UnsuitableStorageError,
    ForeignRegistryError,
    RegistryUnreadableError,  # an unreachable storage, too
    RegistryUnwritableError,
)
RETRY_DAMAGED_S = 60.0  # until a version that is damaged in the storage is fetched again


class CachedRegistry(Registry):
    """Reads are local; `pull`, `stock` and `verify` may access the storage. Changes are not possible."""

    trouble: str | None = None

    def __init__(self, folder: Path, storage: ObjectStorage) -> None:
        super().__init__(folder)
        self._storage, self._cache = storage, Cache(folder, storage)
        known = self._stored_state()
        self._is_cache = known is not None  # of this storage; else the folder may hold other versions
        self._state = known or State()
        self._working = threading.RLock()
        self._damaged: dict[str, float] = {}  # version → when it is fetched again

    def pull(self) -> None:
        """Bring other machines' pointers, withdrawals and cards, and the champion's files. Blocking.

        Raises:
            SharedStorageUnreachableError: the storage or the database cannot be reached; everything here
                stays as it is.
            UnsuitableStorageError: the storage holds something else.
            ForeignRegistryError: this folder holds other versions than the storage.
            RegistryUnwritableError: the folder here cannot be written.
        """
        with self._working, self._recording_trouble():
            if self._is_cache:
                self._settle()  # finishes what a crash interrupted, even if the storage is unreachable
            state = self._newest_state()
            if self._is_cache and state.conflicts_with(self._state):
                reason = Sentence("versions of the same name have other files there")
                raise ForeignRegistryError(self.folder, self._storage.url, reason)
            if state.revision >= self._state.revision:  # what is published may be older for a moment
                self._state = state
            self._bring()
            self._settle(arrived=(self._state.champion, self._state.domain))

    def stock(self) -> None:
        """Fetch the champion's predecessor and the domain model, which serve if it cannot. Blocking.

        Raises:
            RegistryError: they cannot be fetched at present.
        """
        spare = {self.domain()}
        with contextlib.suppress(NoChampionError, NoEarlierVersionError):
            spare.add(self.previous())
        for version in filter(None, spare):
            if not self._cache.has(version):
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
            with self._written():
                self._cache.fetch(version, stored, only)
            super().verify(version, only=only)

    def _newest_state(self) -> State:
        state = published_state(self._storage)
        if state is None:
            reason = Sentence("nothing is published there: it was emptied or replaced, or is not mounted")
            raise SharedStorageUnreachableError(self._storage.url, reason)
        return state

    def _bring(self) -> None:
        """Fetch the small files of all versions, and the champion's served files.

        A version that is damaged in the storage is logged, and fetched again after `RETRY_DAMAGED_S`.
        """
        for version, stored in self._state.versions.items():
            if time.monotonic() < self._damaged.get(version, 0.0):
                continue
            try:
                with self._written():
                    if not self._cache.has(version, ["card.json"]):
                        self._cache.fetch(version, stored)
                    if version == self._state.champion and not self._cache.has(version):
                        self._cache.fetch(version, stored, SERVED_FILES)
            except CorruptVersionError as error:
                self._damaged[version] = time.monotonic() + RETRY_DAMAGED_S
                log.error("model.damaged", model_version=version, reason=error.reason)  # noqa: TRY400

    def _settle(self, arrived: Iterable[str | None] = ()) -> None:
        """Make the folder match the state. The pointer to a champion that has not `arrived` moves later."""
        with self._written():
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".shared.lock"):
                known = self._stored_state()
                if known is not None and known.revision > self._state.revision:
                    self._state = known  # another process on this machine has read a newer one
                elif known != self._state:
                    self._store_state()
                self._is_cache = True
                state = self._state
                super().withdraw(state.withdrawn)
                for version in self.versions():
                    if version not in state.versions and number_of(version) <= state.highest:  # deleted
                        self._cache.drop(version)
                for pointer, wanted in (("domain", state.domain), ("champion", state.champion)):
                    needed = SERVED_FILES if pointer == "champion" else ()
                    if wanted is None or wanted == self._pointer(pointer):
                        continue
                    if wanted in arrived or self._cache.has(wanted, ("card.json", *needed)):
                        self._write(pointer, [wanted])

    def _stored_state(self) -> State | None:
        """The last state that this machine has read; None without one of this storage."""
        path = self.folder / STORED
        try:
            with readable(path):
                content = path.read_bytes()
            state = State.model_validate_json(content)
        except (FileNotFoundError, ValidationError):
            return None
        return state if json.loads(content).get("url") == self._storage.url else None

    def _store_state(self) -> None:
        stored = {"url": self._storage.url, **self._state.model_dump(mode="json")}
        replace_file(self.folder / STORED, json.dumps(stored))

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RegistryUnwritableError(self.folder, error.strerror or str(error)) from error

    @contextlib.contextmanager
    def _recording_trouble(self) -> Iterator[None]:
        """Keep the reason why the storage cannot be used in `trouble`, until it can."""
        try:
            yield
        except STORAGE_ERRORS as error:
            self.trouble = error.sentence
            raise
        self.trouble = None
