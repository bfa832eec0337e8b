"""Find and delete the queries in the folders of runs."""

import json
from pathlib import Path

from training.pipeline import run_files


def leave(home: Path, run_id: int, *queries: str) -> None:
    """What a run leaves: its retraining set, and results of its checks."""
    folder = home / "runs" / f"{run_id:05d}"
    (folder / "uptrain" / "part").mkdir(parents=True)
    lines = "".join(json.dumps({"query": query, "word": "x"}) + "\n" for query in queries)
    for name in run_files.QUERY_FILES:
        (folder / name).write_text(lines, encoding="utf-8")
    (folder / "notes.txt").write_text("kept")


def test_a_home_without_runs_has_no_queries(tmp_path: Path) -> None:
    assert run_files.queries(tmp_path) == set()
    assert run_files.drop_queries(tmp_path, {"a"}) == run_files.delete_results(tmp_path, [1]) == 0


def test_queries_are_found_and_dropped(tmp_path: Path) -> None:
    leave(tmp_path, 1, "a\u2028b", "b")
    leave(tmp_path, 2, "b")
    assert run_files.queries(tmp_path) == {"a\u2028b", "b"}
    assert run_files.drop_queries(tmp_path, {"a\u2028b"}) == len(run_files.QUERY_FILES)
    assert run_files.queries(tmp_path) == {"b"}
    assert run_files.drop_queries(tmp_path, set()) == 0


def test_a_half_written_line_is_dropped(tmp_path: Path) -> None:
    leave(tmp_path, 1, "a", "b")
    path = tmp_path / "runs" / "00001" / "retraining_set.jsonl"
    path.write_text(path.read_text() + '{"query": "a')
    run_files.drop_queries(tmp_path, {"a"})
    assert path.read_text() == '{"query": "b", "word": "x"}\n'


def test_results_of_some_runs_are_deleted_and_their_other_files_stay(tmp_path: Path) -> None:
    for run_id in (1, 2):
        leave(tmp_path, run_id, "a")
    assert run_files.delete_results(tmp_path, [2, 7]) == 1
    assert sorted(path.name for path in (tmp_path / "runs" / "00002").iterdir()) == ["notes.txt"]
    assert run_files.queries(tmp_path) == {"a"}


def test_half_a_query_is_dropped_even_with_a_truncated_character(tmp_path: Path) -> None:
    (folder := tmp_path / "runs" / "00001").mkdir(parents=True)
    path = folder / "retraining_set.jsonl"
    path.write_bytes(b'{"query": "a"}\n' + '{"query": "my caf\u00e9'.encode()[:-1])
    assert run_files.queries(tmp_path) == {"a"}
    assert run_files.drop_queries(tmp_path, set()) == 1
    assert path.read_bytes() == b'{"query": "a"}\n'
