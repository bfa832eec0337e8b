"""Bars for people, JSON lines for the bot."""

import io
import json

import pytest

from training import progress as module
from training.progress import JsonProgress, NoProgress, TerminalProgress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_step_is_reported_at_once_and_its_progress_at_intervals(clock: Clock) -> None:
    stream = io.StringIO()
    progress = JsonProgress(stream)
    progress.step("fine-tuning", 10)
    for _ in range(3):
        progress.advance(loss=0.5)
    clock.now += 0.5
    progress.advance(loss=0.123456)
    clock.now += 0.1
    progress.advance(2)
    progress.advance(4)  # all done
    assert lines(stream) == [
        {"event": "progress", "step": "fine-tuning", "done": 0, "total": 10},
        {"event": "progress", "step": "fine-tuning", "done": 4, "total": 10, "loss": 0.1235},
        {"event": "progress", "step": "fine-tuning", "done": 10, "total": 10},
    ]


def test_each_step_counts_from_zero(clock: Clock) -> None:
    stream = io.StringIO()
    progress = JsonProgress(stream)
    progress.step("one", 2)
    progress.advance(2)
    progress.step("two")
    assert lines(stream)[-1] == {"event": "progress", "step": "two", "done": 0, "total": 0}


def test_each_event_is_a_line() -> None:
    stream = io.StringIO()
    progress = JsonProgress(stream)
    progress.event("opened", run_id=7)
    progress.event("finished", sentence="„Été“\nis 🙂")
    assert lines(stream) == [
        {"event": "opened", "run_id": 7},
        {"event": "finished", "sentence": "„Été“\nis 🙂"},
    ]
    assert stream.getvalue().isascii()  # whatever the locale of the pipe


def test_a_bar_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = TerminalProgress()
    progress.step("looking")
    progress.advance()  # cannot be counted
    progress.step("training", 2)
    progress.advance(loss=1.25)
    progress.event("opened", run_id=7)
    progress.advance()
    progress.step("writing")
    progress.close()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "looking …" in printed.err
    assert "2/2" in printed.err
    assert "opened" not in printed.err


def test_no_progress_ignores_everything(capsys: pytest.CaptureFixture[str]) -> None:
    progress = NoProgress()
    progress.step("training", 2)
    progress.advance()
    progress.event("opened")
    assert capsys.readouterr() == ("", "")
