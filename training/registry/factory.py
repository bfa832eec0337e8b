"""The registry that the settings ask for. No torch."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import structlog

from training.registry.errors import SharedStorageUnreachableError
from training.registry.sharing import pull
from training.registry.versions import Registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.distributed.shared_versions.storage import Storage
    from training.progress import Progress

log = structlog.stdlib.get_logger(__name__)


def open_registry(settings: Settings, *, progress: "Progress | None" = None) -> Registry:
    """The versions in `models_dir`, with the storage of FILLBOT_MODELS_URL behind it where that is set.

    Nothing is read yet: see `sharing.pull`.

    Args:
        settings: where.
        progress: told of large files on their way.

    Raises:
        ExtraMissingError: what reaches the storage is not installed.
        UnsuitableStorageError: nothing is known to reach it.
    """
    if settings.models_url is None:
        return Registry(settings.models_dir)
    from training.distributed.shared_versions.registry import SharedRegistry

    return SharedRegistry(settings.models_dir, _storage_at(settings.models_url), progress=progress)


def current_registry(settings: Settings) -> Registry:
    """The same, with what other machines did; while their storage is away, as it was. Blocking.

    Raises:
        RegistryError: there is nothing here to go on with, or the storage is not ours.
    """
    registry = open_registry(settings)
    try:
        pull(registry)
    except SharedStorageUnreachableError as error:
        if not registry.versions():
            raise
        log.warning("models.unreachable", reason=str(error))
    return registry


def probe(settings: Settings) -> int:
    """Read, write and delete in the storage of FILLBOT_MODELS_URL. Returns how many versions are there.

    Raises:
        TrainingError: something of that cannot be done.
    """
    from training.distributed.shared_versions.write_access import probe_write_access

    return probe_write_access(_storage_at(settings.models_url or ""))


def _storage_at(url: str) -> "Storage":
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        from training.distributed.shared_versions.folder import FolderStorage

        return FolderStorage(Path(unquote(parts.path) if parts.scheme else url).absolute())
    from training.distributed.shared_versions.objects import ObjectStorage

    return ObjectStorage(url)
