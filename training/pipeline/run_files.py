"""What runs leave in their folders that holds queries: found, thinned out, deleted. No torch."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path

QUERY_FILES = ("retraining_set.jsonl", "uptrain/judgements.jsonl", "uptrain/part/judgements.jsonl")


def delete_results(home: Path, run_ids: Iterable[int]) -> int:
    """Delete retraining sets and results of checks of some runs. Returns how many had any; blocking."""
    deleted = 0
    for run_id in run_ids:
        folder = home / "runs" / f"{run_id:05d}"
        there = [path for path in (folder / "uptrain", folder / QUERY_FILES[0]) if path.exists()]
        for path in there:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        deleted += bool(there)
    return deleted


def delete_results_before(home: Path, at: datetime) -> int:
    """Delete what `delete_results` does, of runs that wrote it before then. Returns how many had any."""
    written_at = {path.parts[len(home.parts) + 1]: path.stat().st_mtime for path in _files(home)}
    old = [int(name) for name, mtime in written_at.items() if name.isdecimal() and mtime < at.timestamp()]
    return delete_results(home, old)


def queries(home: Path) -> set[str]:
    """Every query in the folders of runs; blocking."""
    return {query for path in _files(home) for _, query in _lines(_text(path))}


def drop_queries(home: Path, lost: Collection[str]) -> int:
    """Write the files anew without some queries, and without what a crash left half-written: it may be one.

    Returns how many files changed; blocking.
    """
    changed = 0
    for path in _files(home):
        text = _text(path)
        kept = "".join(f"{line}\n" for line, query in _lines(text) if query not in lost)
        if kept != text:
            beside = path.with_suffix(".partial")
            beside.write_text(kept, encoding="utf-8")
            beside.replace(path)
            changed += 1
    return changed


def _files(home: Path) -> Iterator[Path]:
    for folder in sorted((home / "runs").glob("*")):
        yield from (path for name in QUERY_FILES if (path := folder / name).is_file())


def _text(path: Path) -> str:
    """A file's, also where a crash cut its last letter in two."""
    return path.read_text(encoding="utf-8", errors="replace")


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line with its query; what a crash left half-written has none."""
    for line in text.split("\n"):  # not splitlines: words may hold U+2028
        try:
            yield line, json.loads(line)["query"]
        except (ValueError, KeyError, TypeError):
            continue
