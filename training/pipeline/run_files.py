"""Find and delete the queries in the folders of runs. No torch."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path

QUERY_FILES = ("retraining_set.jsonl", "uptrain/judgements.jsonl", "uptrain/part/judgements.jsonl")


def delete_results(home: Path, run_ids: Iterable[int]) -> int:
    """Delete retraining sets and check results of some runs. Returns how many runs had any. Blocking."""
    deleted = 0
    for run_id in run_ids:
        folder = home / "runs" / f"{run_id:05d}"
        there = [path for path in (folder / "uptrain", folder / QUERY_FILES[0]) if path.exists()]
        for path in there:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        deleted += bool(there)
    return deleted


def delete_results_before(home: Path, at: datetime) -> int:
    """Like `delete_results`, for runs whose files were written before `at`."""
    written_at = {path.parts[len(home.parts) + 1]: path.stat().st_mtime for path in _files(home)}
    old = [int(name) for name, mtime in written_at.items() if name.isdecimal() and mtime < at.timestamp()]
    return delete_results(home, old)


def queries(home: Path) -> set[str]:
    """Every query in the folders of runs; blocking."""
    return {query for path in _files(home) for _, query in _lines(_text(path))}


def drop_queries(home: Path, lost: Collection[str]) -> int:
    """Rewrite the files without some queries. Returns how many files changed. Blocking.

    Lines that a crash left half-written are dropped, too: they may hold one of the queries.
    """
    changed = 0
    for path in _files(home):
        text = _text(path)
        kept = "".join(f"{line}\n" for line, query in _lines(text) if query not in lost)
        if kept != text:
            temporary = path.with_suffix(".partial")
            temporary.write_text(kept, encoding="utf-8")
            temporary.replace(path)
            changed += 1
    return changed


def _files(home: Path) -> Iterator[Path]:
    for folder in sorted((home / "runs").glob("*")):
        yield from (path for name in QUERY_FILES if (path := folder / name).is_file())


def _text(path: Path) -> str:
    """Return the text of a file whose last character a crash may have cut in half."""
    return path.read_text(encoding="utf-8", errors="replace")


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each whole line with its query; skips half-written lines."""
    for line in text.split("\n"):  # not splitlines: words may hold U+2028
        try:
            yield line, json.loads(line)["query"]
        except (ValueError, KeyError, TypeError):
            continue
