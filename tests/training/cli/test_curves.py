"""`curve` on the command line, from rows that are known."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from training.cli import curves
from training.cli.output import Commands
from training.settings import Settings
from training.simulation import team_curve


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


FIGURES = {"accepted_shown": share(0.5), "rejected_shown": share(0.8), "precision": share(0.3)}
ROWS: list[dict[str, Any]] = [
    {"share": 0.0, "queries": 0, "status": "before", **FIGURES, "unjudged": share(0.4)},
    {"share": 0.5, "queries": 4, "votes": 9, "judgements": 2, "status": "skipped", "sentence": "Too few."},
    {"share": 1.0, "queries": 8, "votes": 1234, "judgements": 40, "status": "promoted", **FIGURES},
]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command with some options."""
    monkeypatch.setattr(team_curve, "team_curve", lambda *_, **__: iter(ROWS))
    parser = argparse.ArgumentParser()
    curves.add(Commands(parser))

    def run(*arguments: str) -> int:
        options = parser.parse_args(["curve", *arguments])
        code: int = options.command(options, Settings(home=tmp_path, _env_file=None))
        return code

    return run


def test_every_part_of_the_votes_is_a_row(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:1] for line in lines[1:4]] == [["0%"], ["50%"], ["100%"]]
    assert "50% (40% to 60%)" in lines[1]
    assert lines[2].split()[-4:] == ["–"] * 4
    assert "1,234" in lines[3]


def test_as_json_and_as_a_picture(call: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--json", "--out", str(tmp_path / "curve.png")) == 0
    assert json.loads(capsys.readouterr().out) == {"curve": ROWS}
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
