"""`draw`: a JSON object in, a PNG out; called in this process to save time."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from support.versions import write

from training.__main__ import main
from training.cli import for_the_bot
from training.registry.versions import TRAINING_LOG, Registry

Draw = Callable[..., tuple[int, bytes]]
HARM = {"suite": "control", "before": 0.5, "after": 0.4, "low": -0.2, "high": 0.0, "is_limited": True}


@pytest.fixture
def drawn(tmp_path: Path, models_folder_of_two: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Ask for a picture. Returns the exit code and what was written."""
    monkeypatch.setenv("FILLBOT_HOME", str(models_folder_of_two.parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(for_the_bot, "limit_for_the_bot", lambda: None)

    def ask(body: Any) -> tuple[int, bytes]:
        given = body if isinstance(body, bytes) else json.dumps(body).encode()
        stdin, stdout = io.TextIOWrapper(io.BytesIO(given)), io.TextIOWrapper(io.BytesIO())
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            patched.setattr(sys, "stdout", stdout)
            code = main(["draw"])
            stdout.flush()
        return code, stdout.buffer.getvalue()  # type: ignore[attr-defined]

    return ask


@pytest.fixture
def models_folder_of_two(tmp_path: Path, served_folders: dict[str, Path]) -> Path:
    """v0001, and v0002 that has a training log."""
    registry = Registry(tmp_path / "home" / "models")
    for _ in range(2):
        write(registry)
    for version in registry.versions():
        for path in served_folders["distilbert"].iterdir():
            (registry.path(version) / path.name).write_bytes(path.read_bytes())
    row = {"step": 1, "loss": 3.0, "perplexity": 20.1, "accuracy": 0.4}
    (registry.path("v0002") / TRAINING_LOG).write_text(json.dumps(row) + "\n")
    return registry.folder


def size_of(png: bytes) -> tuple[int, int]:
    height, width, _ = matplotlib.image.imread(io.BytesIO(png)).shape
    return width, height


def test_scores_mark_the_version_before(drawn: Draw) -> None:
    code, both = drawn({"kind": "scores", "text": "It is [MASK].", "versions": ["v0002", "v0001"]})
    assert (code, size_of(both)[0]) == (0, 1350)
    _, alone = drawn({"kind": "scores", "text": "It is [MASK].", "versions": ["v0002", "v0099"]})
    assert size_of(alone)[1] < size_of(both)[1]  # without the legend's second line
    assert size_of(alone)[0] == 1350


def test_a_missing_champion_is_one_sentence(drawn: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = drawn({"kind": "scores", "text": "It is [MASK].", "versions": ["v0099"]})
    assert code == 1
    assert json.loads(printed)["sentence"].startswith("There is no model version")
    assert "It is" not in printed.decode() + capsys.readouterr().err


def test_a_report_has_the_training_log_of_its_version(drawn: Draw) -> None:
    _, without = drawn({"kind": "report", "version": "v0001", "title": "v0001", "kept": [HARM]})
    _, with_log = drawn({"kind": "report", "version": "v0002", "title": "v0002", "kept": [HARM]})
    assert size_of(with_log)[1] > size_of(without)[1]


def test_stats_are_drawn(drawn: Draw) -> None:
    code, png = drawn({"kind": "stats", "days": [["2026-03-01", 1, 2]], "versions": [["v0001", 1, 3]]})
    assert (code, size_of(png)[0]) == (0, 1350)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {"kind": "nonsense"}, {}])
def test_an_unknown_kind_of_plot_is_one_sentence(drawn: Draw, body: Any) -> None:
    code, printed = drawn(body)
    assert code == 1
    assert "Kinds: scores, report, stats." in json.loads(printed)["sentence"]
