"""What runs leave in their folders that holds queries: found, thinned out, deleted. No torch."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

QUERY_FILES = ("retraining_set.jsonl", "uptrain/judgements.jsonl")


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


def queries(home: Path) -> set[str]:
    """Every query in the folders of runs; blocking."""
    return {query for path in _files(home) for _, query in _lines(path)}


def drop_queries(home: Path, lost: Collection[str]) -> int:
    """Write the files anew without some queries. Returns how many files changed; blocking."""
    changed = 0
    for path in _files(home) if lost else ():
        lines = list(_lines(path))
        kept = [line for line, query in lines if query not in lost]
        if len(kept) < len(lines):
            beside = path.with_suffix(".partial")
            beside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            beside.replace(path)
            changed += 1
    return changed


def _files(home: Path) -> Iterator[Path]:
    for folder in sorted((home / "runs").glob("*")):
        yield from (path for name in QUERY_FILES if (path := folder / name).is_file())


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line with its query; what a crash left half-written has none and goes with the first rewriting."""
    for line in path.read_text(encoding="utf-8").split("\n"):  # not splitlines: words may hold U+2028
        try:
            yield line, json.loads(line)["query"]
        except (ValueError, KeyError, TypeError):
            continue
