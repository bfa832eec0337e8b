"""The registry of a machine that shares its versions; its folder is a cache of the shared storage."""

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING

import structlog
from filelock import FileLock

from training.distributed.shared_versions.cache import Cache
from training.distributed.shared_versions.history import Entry, Pointer, State, StoredVersion
from training.distributed.shared_versions.log import Log
from training.distributed.shared_versions.publishing import Publisher
from training.distributed.shared_versions.storage import Storage
from training.distributed.shared_versions.stored_state_file import store_state, stored_state
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryError,
    RegistryUnreadableError,
    RegistryUnwritableError,
)
from training.registry.atomic_files import fsync
from training.registry.card import Card
from training.registry.errors import (
    ForeignRegistryError,
    SharedStorageUnreachableError,
    UnsuitableStorageError,
)
from training.registry.versions import SERVED_FILES, Draft, Registry

if TYPE_CHECKING:
    from training.progress import Progress

log = structlog.stdlib.get_logger(__name__)
STORAGE_ERRORS = (
    SharedStorageUnreachableError,
    UnsuitableStorageError,
    ForeignRegistryError,
    RegistryUnreadableError,
    RegistryUnwritableError,
)
RETRY_DAMAGED_S = 60.0  # until a version that is damaged in the storage is fetched again


class SharedRegistry(Registry):
    """Reads are local. Changes, `pull`, `stock` and `verify` may access the storage."""

    trouble: str | None = None

    def __init__(self, folder: Path, storage: Storage, *, progress: "Progress | None" = None) -> None:
        super().__init__(folder)
        self._storage = storage
        self._cache = Cache(folder, storage, progress)
        known = stored_state(folder, storage.url)
        self._log = Log(storage, known or State(url=storage.url))
        self._is_joined = known is not None
        self._working = threading.RLock()
        self._damaged: dict[str, float] = {}  # version → when it is fetched again
        self._here = socket.gethostname()
        self._publisher = Publisher(folder, storage, self._log, by=self._here, progress=progress)

    def pull(self) -> None:
        """Bring other machines' pointers, withdrawals and cards, and the champion's files. Blocking.

        Raises:
            SharedStorageUnreachableError: the storage cannot be reached; everything here stays as it is.
            ForeignRegistryError: this folder holds other versions than the storage.
            RegistryUnwritableError: the folder here cannot be written.
        """
        with self._working, self._recording_trouble():
            if self._is_joined:
                self._settle()  # finishes what a crash interrupted, even if the storage is unreachable
            state = self._log.catch_up()
            if not self._is_joined:
                self._publisher.join(Registry(self.folder), state)
                self._is_joined = True
            if mine := self.withdrawn() - self._log.state.withdrawn:
                self._append_withdrawn(mine)
            self._bring(self._log.state)
            self._settle(arrived=(self._log.state.champion, self._log.state.domain))

    def stock(self) -> None:
        """Fetch the champion's predecessor and the domain model, which serve if it cannot. Blocking.

        Raises:
            RegistryError: they cannot be fetched at present.
        """
        spare = {self.domain()}
        with contextlib.suppress(NoChampionError, NoEarlierVersionError):
            spare.add(self.previous())
        for version in spare - {None}:
            assert version is not None
            if not self._cache.has(version):
                self.verify(version, only=SERVED_FILES)

    def verify(self, version: str, *, only: tuple[str, ...] = ()) -> None:
        """Verify a version, and fetch its missing and damaged files first."""
        try:
            super().verify(version, only=only)
        except CorruptVersionError:
            stored = self._log.state.versions.get(version)
            if stored is None:
                raise
            log.info("model.fetching", model_version=version)
            with self._written():
                self._cache.repair(version, stored, only)
            super().verify(version, only=only)

    def promote(self, version: str, *, instead_of: str | EllipsisType | None = ...) -> None:
        """Point `champion` at a version on all machines, unless another machine was first.

        Raises:
            PointerMovedError: the champion is no longer `instead_of` (`...`: the champion here).
            SharedStorageUnreachableError: the storage cannot be reached.
            UnknownVersionError: there is no such version.
            WithdrawnVersionError: it must not serve again.
        """
        self._move("champion", version, self.champion() if instead_of is ... else instead_of)

    def set_domain(self, version: str) -> None:
        """Point `domain` at a version on all machines; raises like `promote`."""
        self._move("domain", version, self.domain())

    def withdraw(self, versions: Iterable[str]) -> None:
        """Mark versions as withdrawn, here first, then on all machines.

        Raises:
            SharedStorageUnreachableError: withdrawn only here; the next `pull` tells the other machines.
        """
        super().withdraw(versions)
        self.pull()

    def commit(self, draft: Draft, card: Card) -> None:
        """Commit a version; it is uploaded before it appears here."""
        self._seal(draft, card)
        stored = self._publisher.upload(draft.version, draft.folder)
        with self._working, self._recording_trouble():
            self._publisher.add(draft.version, stored)
            self._settle()
        target = self.folder / draft.version
        try:
            draft.folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            for path in draft.folder.iterdir():  # the bot was first, and fetched some of the files
                path.replace(target / path.name)
        fsync(self.folder)

    def prune(self, keep: int) -> list[str]:
        """Delete old versions, here and in the storage."""
        gone: list[str] = []
        stored_versions: dict[str, StoredVersion] = {}

        def entry(state: State) -> Entry | None:
            nonlocal gone
            self._settle(arrived=(state.champion, state.domain))
            gone = [version for version in self._prunable(keep) if version in state.versions]
            stored_versions.update(state.versions)
            return Entry(what="pruned", versions=tuple(gone), by=self._here) if gone else None

        try:
            self.pull()
            with self._working, self._recording_trouble():
                self._log.append(entry)
                self._settle()
                for version in gone:
                    self._storage.delete(f"versions/{stored_versions[version].folder}")
                self._publisher.sweep()
        except SharedStorageUnreachableError as error:  # the next run prunes again
            log.warning("models.not_pruned", reason=error.reason)
        self._cache.clear()
        return gone

    def _next(self) -> str:
        """Claim a version number that no other machine gets."""
        version = ""

        def entry(state: State) -> Entry:
            nonlocal version
            number = max(state.highest, int(super(SharedRegistry, self)._next()[1:]) - 1) + 1
            version = f"v{number:04d}"
            return Entry(what="claimed", versions=(version,), by=self._here)

        self.pull()
        with self._working, self._recording_trouble():
            self._log.append(entry)
        return version

    def _move(self, pointer: Pointer, version: str, before: str | None) -> None:
        with self._working:
            self.pull()
            self.path(version)
            with self._recording_trouble():
                self._log.append(
                    lambda state: state.moved(pointer, version, instead_of=before, by=self._here)
                )
            with contextlib.suppress(RegistryError):  # the move is done; the next pull fetches and settles
                self._bring(self._log.state)
                self._settle()

    def _append_withdrawn(self, names: frozenset[str]) -> None:
        def entry(state: State) -> Entry | None:
            more = tuple(sorted(names - state.withdrawn))
            return Entry(what="withdrawn", versions=more, by=self._here) if more else None

        self._log.append(entry)

    def _bring(self, state: State) -> None:
        """Fetch the cards of all versions, and the champion's served files."""
        for version, stored in state.versions.items():
            if not (self.folder / version).is_dir():
                self._unless_damaged(version, functools.partial(self._cache.fetch, version, stored))
        champion = state.champion
        if champion in self.versions() and not self._cache.has(champion):
            repair = functools.partial(self._cache.repair, champion, state.versions[champion], SERVED_FILES)
            self._unless_damaged(champion, repair)

    def _unless_damaged(self, version: str, bring: Callable[[], None]) -> None:
        """Log a version that is damaged in the storage once, and retry after `RETRY_DAMAGED_S`."""
        if time.monotonic() < self._damaged.get(version, 0.0):
            return
        try:
            with self._written():
                bring()
        except CorruptVersionError as error:
            self._damaged[version] = time.monotonic() + RETRY_DAMAGED_S
            log.error("model.damaged", model_version=version, reason=error.reason)  # noqa: TRY400

    def _settle(self, arrived: Iterable[str | None] = ()) -> None:
        """Make the folder match the state. The pointer to a champion that has not `arrived` moves later."""
        with self._written():
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".shared.lock"):
                known = stored_state(self.folder, self._storage.url)
                if known is not None and known.position > self._log.state.position:
                    self._log.state = known  # another process on this machine has read more
                elif known != self._log.state:
                    store_state(self.folder, self._log.state)
                state = self._log.state
                super().withdraw(state.withdrawn)
                for version in self.versions():
                    if version not in state.versions and int(version[1:]) <= state.highest:  # pruned
                        self._cache.drop(version)
                for pointer, wanted in (("domain", state.domain), ("champion", state.champion)):
                    needed = SERVED_FILES if pointer == "champion" else ()
                    if wanted is None or wanted == self._pointer(pointer):
                        continue
                    if wanted in arrived or self._cache.has(wanted, ("card.json", *needed)):
                        self._write(pointer, [wanted])

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
