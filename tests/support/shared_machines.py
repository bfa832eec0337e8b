"""Machines that share their versions, each with a cache of its own."""

from collections.abc import Callable
from pathlib import Path

from storage.model_versions import ModelVersion
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.registry import SharedRegistry
from training.distributed.shared_versions.table import ModelVersionTable

Machine = Callable[[str], SharedRegistry]


def machine(folder: Path, models_url: str, database_url: str) -> SharedRegistry:
    """The registry of a machine whose home is `folder`, as a process that just began sees it."""
    return SharedRegistry(folder / "models", ObjectStorage(models_url), ModelVersionTable(database_url))


def storage_of(models_url: str) -> ObjectStorage:
    """What a test looks into, or damages."""
    return ObjectStorage(models_url)


def rows_of(database_url: str) -> dict[str, ModelVersion]:
    """The rows of the table, by the version's name."""
    return {f"v{row.number:04d}": row for row in ModelVersionTable(database_url).rows()}


def database_next_to(models_url: str) -> str:
    """The URL of a SQLite file next to a shared folder: transactions are the same there as on a server."""
    folder = Path(models_url)
    return f"sqlite+aiosqlite:///{folder.with_name(f'{folder.name}.db')}"
