"""Small versions in a real registry, for tests that load no model."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.registry.card import Card
from training.registry.versions import SERVED_FILES, Registry

MADE_AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def card(version: str, **columns: Any) -> Card:
    """The card of a version that no votes made, unless said otherwise."""
    return Card(**{"version": version, "kind": "base", "base": "tiny", "created_at": MADE_AT, **columns})


def write(registry: Registry, *, content: bytes = b"served", **columns: Any) -> str:
    """Write and commit a version whose files hold `content`. Returns its name."""
    with registry.draft() as draft:
        for name in SERVED_FILES:
            (draft.folder / name).write_bytes(content + name.encode())
        registry.commit(draft, card(draft.version, **columns))
    return draft.version


def registry_of(folder: Path, versions: int) -> Registry:
    """A registry with so many versions, each made while the one before it served; the last is champion."""
    registry = Registry(folder)
    for _ in range(versions):
        version = write(
            registry, champion=registry.champion(), retraining_set_hash=f"hash{len(registry.versions())}"
        )
        registry.promote(version)
    if versions:
        registry.set_domain("v0001")
    return registry
