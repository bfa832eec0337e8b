"""What a training log holds."""

import json
import math
from pathlib import Path

import pytest
import torch

from training.domain.fixed_masks import HeldOutScore
from training.domain.step_log import StepLog


def note(log: StepLog, step: int, loss: float = 2.0) -> None:
    log.note(step, torch.tensor(loss), torch.tensor(0.25), tokens=100)


def test_a_row_a_step() -> None:
    log = StepLog()
    log.steps_per_epoch = 4
    for step in (1, 2, 3):
        note(log, step)
    assert log.rows == []
    log.flush()
    assert [row["step"] for row in log.rows] == [1, 2, 3]
    row = log.rows[-1]
    assert row["epoch"] == 0.75
    assert (row["loss"], row["accuracy"], row["tokens"]) == (2.0, 0.25, 100)
    assert row["perplexity"] == pytest.approx(math.exp(2), abs=1e-3)
    assert row["tokens_per_s"] > 0
    assert log.tokens_per_s == pytest.approx(300 / log.seconds)


def test_figures_are_read_every_ten_steps() -> None:
    log = StepLog()
    for step in range(1, 16):
        note(log, step)
    assert len(log.rows) == 10


def test_an_evaluation_is_the_mean_of_its_parts() -> None:
    log = StepLog()
    assert (
        log.evaluated(0, {"generated": HeldOutScore(1.0, 0.5, 10), "own": HeldOutScore(3.0, 0.1, 90)}) == 2.0
    )
    held_out = log.rows[0]["held_out"]
    assert (held_out["loss"], held_out["accuracy"]) == (2.0, 0.3)
    assert held_out["own"] == {"loss": 3.0, "perplexity": 20.086, "accuracy": 0.1, "words": 90}


def test_it_is_written_as_json_lines(tmp_path: Path) -> None:
    log = StepLog()
    note(log, 1, loss=float("1e9"))
    log.flush()
    log.evaluated(1, {"generated": HeldOutScore(1.0, 0.5, 10)})
    log.write(tmp_path / "log.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == log.rows
