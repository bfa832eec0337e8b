"""Build the registry for the settings: a local folder, or one that several machines share. No torch."""

from typing import TYPE_CHECKING

import structlog

from training.registry.errors import SharedStorageUnreachableError
from training.registry.sharing import pull
from training.registry.versions import Registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.progress import Progress

log = structlog.stdlib.get_logger(__name__)


def open_registry(settings: Settings, *, progress: "Progress | None" = None) -> Registry:
    """Open the versions in `models_dir`; with FILLBOT_MODELS_URL that folder is a cache of shared storage.

    Nothing is read yet: see `sharing.pull`.

    Args:
        settings: The folder, and the shared storage if there is one.
        progress: Reports transfers of large files.

    Raises:
        ExtraMissingError: The client of the storage is not installed.
        RegistryError: The kind of storage is not supported.
    """
    if settings.models_url is None:
        return Registry(settings.models_dir)
    from training.distributed.shared_versions.object_storage import ObjectStorage
    from training.distributed.shared_versions.registry import SharedRegistry
    from training.distributed.shared_versions.table import ModelVersionTable

    storage = ObjectStorage(settings.models_url, progress)
    return SharedRegistry(settings.models_dir, storage, ModelVersionTable(settings.url))


def current_registry(settings: Settings) -> Registry:
    """Open the registry and fetch the other machines' changes. Blocking.

    While the shared storage cannot be reached, the versions on this machine are used as they are.

    Raises:
        RegistryError: This machine has no versions either, or the storage holds different ones.
    """
    registry = open_registry(settings)
    try:
        pull(registry)
    except SharedStorageUnreachableError as error:
        if not registry.versions():
            raise
        log.warning("models.unreachable", reason=str(error))
    return registry


def probe_shared_storage(settings: Settings) -> int:
    """Check that FILLBOT_MODELS_URL can be read, written and deleted from. Returns its number of versions.

    Raises:
        TrainingError: One of these is not possible.
    """
    from training.distributed.shared_versions.object_storage import ObjectStorage
    from training.distributed.shared_versions.state import published_state

    storage = ObjectStorage(settings.models_url or "")
    storage.probe()
    state = published_state(storage)
    return len(state.versions) if state is not None else 0


def import_shared_versions(settings: Settings) -> str:
    """Import the versions at FILLBOT_MODELS_URL that the database lacks. Returns a sentence on the result.

    Raises:
        TrainingError: There are none, or the storage cannot be reached.
        StorageError: The database cannot be reached.
    """
    from training.distributed.shared_versions.importing import import_versions

    return import_versions(settings.models_url or "", settings.url)
