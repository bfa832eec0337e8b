"""The registry of a machine that shares its versions: the table decides, object storage holds the files."""

import contextlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from types import EllipsisType
from typing import ParamSpec

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from storage.errors import StorageError
from storage.files.durable import sha256
from storage.sentences import Sentence
from training.distributed.shared_versions.cached_registry import CachedRegistry
from training.distributed.shared_versions.errors import ForeignRegistryError, UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.state import (
    Pointer,
    State,
    StoredVersion,
    name_of,
    publish,
    published_state,
)
from training.distributed.shared_versions.table import ModelVersionTable
from training.errors import RegistryError
from training.registry.card import Card
from training.registry.errors import PointerMovedError, SharedStorageUnreachableError
from training.registry.versions import Draft, Registry

log = structlog.stdlib.get_logger(__name__)
P = ParamSpec("P")
UPLOAD_RETRIES = Retrying(  # for half a minute
    retry=retry_if_exception_type(SharedStorageUnreachableError),
    stop=stop_after_attempt(4),
    wait=wait_exponential(multiplier=5),
    before_sleep=lambda state: log.warning("model.not_uploaded", attempt=state.attempt_number),
    reraise=True,
)
OLD_DATABASE = Sentence(
    "the database (FILLBOT_DATABASE_URL) has other versions, or is an older copy; restore it, or import "
    "the published versions with `python -m training import-models`"
)


class SharedRegistry(CachedRegistry):
    """Changes are transactions in the database; they are published for processes that cannot read it."""

    def __init__(self, folder: Path, storage: ObjectStorage, table: ModelVersionTable) -> None:
        """Create the registry without connecting; `folder` is the cache."""
        super().__init__(folder, storage)
        self._table = table

    def pull(self) -> None:
        """Fetch other machines' changes, and publish the state if that is overdue."""
        super().pull()
        if not_yet := self.withdrawn() - set(self._state.withdrawn):
            self._change(self._table.withdraw, not_yet)

    def promote(self, version: str, *, instead_of: str | EllipsisType | None = ...) -> None:
        """Point `champion` at a version on all machines, unless another machine was first.

        Raises:
            PointerMovedError: The champion is no longer `instead_of` (`...`: the champion here).
            SharedStorageUnreachableError: The database or the storage cannot be reached.
            UnknownVersionError: There is no such version.
            WithdrawnVersionError: It must not serve again.
        """
        self._move("champion", version, self.champion() if instead_of is ... else instead_of)

    def set_domain(self, version: str) -> None:
        """Point `domain` at a version on all machines; raises like `promote`."""
        self._move("domain", version, self.domain())

    def withdraw(self, versions: Iterable[str]) -> None:
        """Mark versions as withdrawn, here first, then on all machines.

        Raises:
            SharedStorageUnreachableError: Withdrawn only here; the next `pull` shares it.
        """
        super().withdraw(versions)
        self.pull()

    def commit(self, draft: Draft, card: Card) -> None:
        """Commit a version; it is uploaded and verified before it appears anywhere."""
        self._seal(draft, card)
        self._add(draft.version, draft.folder, card.kind)
        self._apply_state()
        self._install(draft.folder, draft.version)

    def prune(self, keep: int, *, kept: Collection[str] = ()) -> list[str]:
        """Delete old versions, here and in the storage. What fails is done by the next run."""
        gone: list[str] = []
        try:
            self.pull()
            seen = self._state
            old = [version for version in self._prunable(keep, kept) if version in seen.versions]
            self._change(self._table.delete, old, seen)
            gone = [version for version in old if version not in self._state.versions]
            self._apply_state()
            with self._reached_database():
                unused = self._table.unused(self._storage.names_in("versions"))
            for folder in unused:
                self._storage.delete(f"versions/{folder}")
        except SharedStorageUnreachableError as error:
            log.warning("models.not_pruned", reason=str(error))
        self._delete_left_over()
        return gone

    def _next(self) -> str:
        """Claim a version number that no other machine gets."""
        self.pull()
        self._change(self._table.claim)
        return name_of(self._state.highest)

    def _newest_state(self) -> State:
        """Read the state of the table, and replace the published one if that is older."""
        url = self._storage.url
        published = published_state(self._storage)  # read first, so that it cannot be newer than the table
        with self._reached_database():
            state = self._table.state()
        if published is None and state.versions and published_state(self._storage) is None:
            reason = Sentence("nothing is published there: it was emptied or replaced, or is not mounted")
            raise SharedStorageUnreachableError(url, reason)
        if published is None:
            publish(self._storage, state)  # before the first version; from then on it must be there
        elif max(published.revision, self._state.revision) > state.revision or published.conflicts_with(
            state
        ):
            raise UnsuitableStorageError(url, OLD_DATABASE)
        if not self._is_cache:
            state = self._join(state)
        if published != state:
            publish(self._storage, state)
        return state

    def _join(self, state: State) -> State:
        """Check that the local versions are the shared ones; upload them if no version is shared yet.

        Raises:
            ForeignRegistryError: They are others.
            CorruptVersionError: A version here is damaged.
        """
        here, missing = Registry(self.folder), []
        for version in here.versions():
            here.card(version)  # raises if it is damaged
            stored = state.versions.get(version)
            if stored is None:
                missing.append(version)
            elif stored.card != sha256(here.path(version) / "card.json"):
                raise self._conflict(version)
        if missing and state.champion is not None:
            reason = Sentence("these versions are not there: {versions}", versions=missing)
            raise ForeignRegistryError(self.folder, self._storage.url, reason)
        self._state = state
        for version in missing:
            here.verify(version)
            self._add(version, here.path(version), here.card(version).kind)
        pointers: dict[Pointer, str | None] = {"domain": here.domain(), "champion": here.champion()}
        for pointer, wanted in pointers.items():
            if wanted in self._state.versions and getattr(self._state, pointer) is None:
                with contextlib.suppress(PointerMovedError):
                    self._change(self._table.move, pointer, wanted, None)
        return self._state

    def _add(self, version: str, folder: Path, kind: str) -> None:
        """Store the files of a version, then add its row; where it is there already, nothing changes.

        Raises:
            ForeignRegistryError: There is another version of that name.
            SharedStorageUnreachableError: The storage cannot be reached for half a minute.
        """
        stored = UPLOAD_RETRIES(self._upload, version, folder)
        self._change(self._table.add, version, stored, kind)
        if self._state.versions[version].card != stored.card:
            raise self._conflict(version)

    def _upload(self, version: str, folder: Path) -> StoredVersion:
        """Store the files in a folder of their own, so that two uploads never mix."""
        stored = StoredVersion(folder=f"{version}-{uuid.uuid4().hex[:12]}", card=sha256(folder / "card.json"))
        for path in sorted(folder.iterdir()):
            name = f"versions/{stored.folder}/{path.name}"
            self._storage.upload(path, name, step=f"uploading {version}")
        return stored

    def _move(self, pointer: Pointer, version: str, before: str | None) -> None:
        with self._working:
            self.pull()
            self.path(version)
            self._change(self._table.move, pointer, version, before)
            with contextlib.suppress(RegistryError):  # the move is done; the next pull fetches the files
                self._fetch_missing()

    def _change(self, change: Callable[P, State], *args: P.args, **kwargs: P.kwargs) -> None:
        """Change the table, then publish the new state."""
        with self._working:
            with self._reached_database():
                self._state = change(*args, **kwargs)
            with contextlib.suppress(SharedStorageUnreachableError):  # the next `pull` publishes it
                publish(self._storage, self._state)

    @contextlib.contextmanager
    def _reached_database(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            reason = Sentence("the database of versions: {error}", error=str(error).rstrip("."))
            raise SharedStorageUnreachableError(self._storage.url, reason) from error

    def _conflict(self, version: str) -> ForeignRegistryError:
        reason = Sentence("{version} has other files there", version=version)
        return ForeignRegistryError(self.folder, self._storage.url, reason)
