"""Machines that share their versions, each with a cache of its own."""

import json
from collections.abc import Callable
from pathlib import Path

from training.distributed.shared_versions.folder import FolderStorage
from training.distributed.shared_versions.objects import ObjectStorage
from training.distributed.shared_versions.registry import SharedRegistry
from training.distributed.shared_versions.storage import Storage
from training.registry.factory import open_registry
from training.settings import Settings

Machine = Callable[[str], SharedRegistry]


def machine(folder: Path, models_url: str) -> SharedRegistry:
    """The registry of a machine whose home is `folder`, as a process that just began sees it."""
    registry = open_registry(Settings(home=folder, models_url=models_url))
    assert isinstance(registry, SharedRegistry)
    return registry


def storage_of(models_url: str) -> Storage:
    """What a test looks into, or damages."""
    if "://" in models_url:
        return ObjectStorage(models_url)
    return FolderStorage(Path(models_url))


def history(models_url: str) -> list[tuple[str, ...]]:
    """What happened, entry by entry: what, and to which versions; without gaps."""
    storage = storage_of(models_url)
    names = storage.inside("log")
    assert [int(name) for name in names] == list(range(1, len(names) + 1))
    entries = [json.loads(content) for content in storage.read_all([f"log/{name}" for name in names])]
    return [(entry["what"], *entry["versions"]) for entry in entries]


def champions(models_url: str) -> list[str]:
    """Every champion there was, in order."""
    return [names[0] for what, *names in history(models_url) if what == "champion"]
