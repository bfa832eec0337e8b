"""A home in which a person left something everywhere, and looks whether anything of it is left."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from training.registry.versions import Registry


def learnt(home: Path, version: str = "v0004", *, like: str = "v0002", as_of: datetime | None = None) -> str:
    """Serve a version that learnt from all votes until now. Returns its name."""
    registry = Registry(home / "models")
    shutil.copytree(registry.path(like), registry.folder / version)
    card = json.loads((registry.folder / version / "card.json").read_text())
    card |= {"version": version, "as_of": (as_of or datetime.now(UTC)).isoformat(), "champion": "v0001"}
    (registry.folder / version / "card.json").write_text(json.dumps(card))
    registry.promote(version)
    return version


def leave_run(home: Path, run_id: int, *queries: str) -> Path:
    """What a run on these queries leaves in its folder, and in the training log."""
    folder = home / "runs" / f"{run_id:05d}"
    (folder / "uptrain").mkdir(parents=True)
    lines = "".join(json.dumps({"query": query}) + "\n" for query in queries)
    for name in ("retraining_set.jsonl", "uptrain/judgements.jsonl"):
        (folder / name).write_text(lines)
    (home / "training.log").write_text(lines)
    return folder


def copy_database(home: Path) -> list[Path]:
    """Copies as a nightly backup, a restore, a recovery and an interrupted restore leave them."""
    (home / "backups").mkdir(exist_ok=True)
    names = ("fillbot.db.before-restore-2026-03-02", "fillbot.db.damaged-2026-03-03", ".fillbot.db.new")
    copies = [home / "backups" / "2026-03-01.db", *(home / name for name in names)]
    for path in copies:
        with sqlite3.connect(home / "fillbot.db") as source, sqlite3.connect(path) as target:
            source.backup(target)
        source.close()
        target.close()
    return copies


def traces(home: Path, *needles: bytes) -> list[str]:
    """Every file of a home that holds any of these bytes."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path.relative_to(home)) for path in files if any(n in path.read_bytes() for n in needles)]


def as_stored(user_id: int) -> tuple[bytes, bytes]:
    """An id as SQLite keeps it, and as text."""
    return user_id.to_bytes(8, "big"), str(user_id).encode()
