"""Versions on their way to the storage, and out of it."""

import contextlib
import hashlib
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from training.distributed.shared_versions.history import Entry, Pointer, State, StoredVersion
from training.distributed.shared_versions.log import Log
from training.distributed.shared_versions.storage import Storage
from training.distributed.shared_versions.transfer_progress import TransferProgress
from training.errors import CorruptVersionError
from training.registry.atomic_files import MISSING, readable, sha256
from training.registry.errors import ForeignRegistryError, SharedStorageUnreachableError
from training.registry.versions import Registry

if TYPE_CHECKING:
    from training.progress import Progress

log = structlog.stdlib.get_logger(__name__)
UPLOAD = re.compile(r"v[0-9]+-([0-9]{14})-[0-9a-f]{8}")
STAMP = "%Y%m%d%H%M%S"
ABANDONED = timedelta(days=7)  # an upload that never became a version
TRIES, AGAIN_S = 4, 5.0


class Publisher:
    """Stores the files of versions, and lets them be seen."""

    def __init__(
        self, folder: Path, storage: Storage, history: Log, *, by: str, progress: "Progress | None"
    ) -> None:
        self._folder, self._storage, self._log = folder, storage, history
        self._by, self._progress = by, progress

    def upload(self, version: str, folder: Path) -> StoredVersion:
        """Store the files of a folder, each upload in a folder of its own, so that no two mix; not yet seen.

        What cannot be reached is tried again for half a minute.

        Raises:
            SharedStorageUnreachableError: it still cannot.
        """
        stamp = datetime.now(UTC).strftime(STAMP)
        for attempt in range(TRIES):
            try:
                return self._upload(version, folder, f"{version}-{stamp}-{uuid.uuid4().hex[:8]}")
            except SharedStorageUnreachableError as error:
                if attempt == TRIES - 1:
                    raise
                log.warning("model.not_uploaded", model_version=version, reason=error.reason)
                time.sleep(AGAIN_S * 2**attempt)
        raise AssertionError

    def add(self, version: str, stored: StoredVersion) -> None:
        """Let a version that is stored be seen by all; twice is the same as once.

        Raises:
            ForeignRegistryError: there is another version of that name.
        """

        def entry(state: State) -> Entry | None:
            there = state.versions.get(version)
            if there is not None and there.card != stored.card:
                raise ForeignRegistryError(self._folder, self._storage.url, f"{version} is another there")
            if there is not None:
                return None
            return Entry(
                what="added", versions=(version,), folder=stored.folder, card=stored.card, by=self._by
            )

        self._log.append(entry)

    def join(self, here: Registry, state: State) -> None:
        """The first time: what is here is there too, or nothing serves there yet, and it is brought there.

        Raises:
            ForeignRegistryError: others are there.
            CorruptVersionError: a version here is damaged.
        """
        ours = here.versions()
        for version in ours:
            stored = state.versions.get(version)
            if stored is not None and stored.card != _card_hash(here, version):
                raise ForeignRegistryError(self._folder, self._storage.url, f"{version} is another there")
        missing = [version for version in ours if version not in state.versions]
        if missing and state.champion is not None:
            reason = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there"
            raise ForeignRegistryError(self._folder, self._storage.url, reason)
        for version in missing:
            here.verify(version)
            self.add(version, self.upload(version, here.path(version)))
        self._point("domain", here.domain(), ours)
        self._point("champion", here.champion(), ours)

    def sweep(self) -> None:
        """Delete the files of what was abandoned, or pruned by a machine that crashed meanwhile."""
        kept = {stored.folder for stored in self._log.state.versions.values()}
        for name in self._storage.inside("versions"):
            match = UPLOAD.fullmatch(name)
            if match is None or name in kept:
                continue
            with contextlib.suppress(ValueError):
                begun_at = datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)
                if datetime.now(UTC) - begun_at > ABANDONED:
                    self._storage.delete(f"versions/{name}")

    def _upload(self, version: str, folder: Path, where: str) -> StoredVersion:
        """The card is the last."""
        for path in sorted(folder.iterdir()):
            if path.name != "card.json":
                transfer_progress = TransferProgress(self._progress, f"uploading {version}")
                self._storage.upload(path, f"versions/{where}/{path.name}", transfer_progress)
        card = (folder / "card.json").read_bytes()
        self._storage.create(f"versions/{where}/card.json", card)
        return StoredVersion(folder=where, card=hashlib.sha256(card).hexdigest())

    def _point(self, pointer: Pointer, version: str | None, ours: list[str]) -> None:
        """As here, unless somebody did so before."""

        def entry(state: State) -> Entry | None:
            there = state.champion if pointer == "champion" else state.domain
            if version not in ours or version is None or there is not None:
                return None
            return state.moved(pointer, version, instead_of=None, by=self._by)

        self._log.append(entry)


def _card_hash(registry: Registry, version: str) -> str:
    path = registry.path(version) / "card.json"
    try:
        with readable(path, missing=MISSING):
            return sha256(path)
    except MISSING as error:
        raise CorruptVersionError(version, "card.json is missing") from error
