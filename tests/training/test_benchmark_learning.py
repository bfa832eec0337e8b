"""The benchmark's table, from cells written by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.learning import cell_of, clustered_means, quality, sentences_of, table

from training.evaluation.confidence_intervals import Interval, interval, means

SENTENCES = [
    {"text": "[MASK] a", "wanted": ["x"], "unwanted": ["y"], "category": "praise_plain", "pattern": "p1"},
    {"text": "[MASK] b", "wanted": ["x"], "unwanted": ["y"], "category": "praise_plain", "pattern": "p1"},
    {"text": "[MASK] c", "wanted": ["x"], "unwanted": ["y"], "category": "look"},
    {
        "text": "[MASK] d",
        "wanted": ["x"],
        "unwanted": ["y"],
        "category": "control_complaint",
        "pattern": "p2",
    },
    {"text": "[MASK] e", "wanted": ["x"], "unwanted": ["y"], "category": "retention"},
]


def figures(shares: list[float | None], rejected: int = 10) -> dict[str, Any]:
    cases = {"wanted_share": shares, "unwanted_at_10": [None if s is None else 10 - 10 * s for s in shares]}
    voted = {"rejected_before": 10, "rejected_after": rejected}
    return {"cases": cases, "voted": voted, "perplexity_ratio": 1.01, "top10_kept": 0.9}


BEFORE = figures([0.5, 0.5, 0.8, 0.6, 0.9])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SENTENCES))
    return tmp_path / "test.jsonl"


def cell(path: Path, loss: str, after: list[float | None], *, seed: int = 0, **night: Any) -> dict[str, Any]:
    settings = {"loss": loss, "flips": 0.1, "votes": "menu", "seed": seed, "test": [str(path)]}
    usual = {"status": "promoted", "serving": BEFORE, "challenger": figures(after, rejected=2)}
    return {"settings": settings, "nights": [{"serving": BEFORE}, {**usual, **night}]}


def test_a_cell_is_identified_by_its_settings(path: Path) -> None:
    assert cell_of(cell(path, "ce", [], seed=4)) == ("ce", 0.1, "menu", 4)


def test_a_sentence_without_a_pattern_is_its_own_pattern(path: Path) -> None:
    sentences = sentences_of([path])
    assert sentences.patterns == ("p1", "p1", "[MASK] c", "p2", "[MASK] e")
    assert sentences.places(control=False, scores=[0.1, None, 0.1, 0.1, 0.1]) == [0, 2]
    assert sentences.places(control=True, scores=[0.1] * 5) == [3]


def test_the_quality_is_that_of_the_new_version_even_if_rejected(path: Path) -> None:
    one = cell(path, "ours", [0.7, 0.7, 0.8, 0.5, 0.9])
    other = cell(path, "ours", [0.9, 0.9, 0.8, 0.5, 0.9], seed=1, status="rejected")
    found = quality([one, other], sentences_of([path]))
    assert found.gain[0] == pytest.approx(0.2)  # 0.6 → 0.8 on the three main sentences
    assert found.gap[0] == pytest.approx(0.5)
    assert found.unwanted == pytest.approx(-0.5)
    assert found.control[0] == pytest.approx(-0.1)
    assert found.rejected == pytest.approx(-0.8)
    assert (found.perplexity, found.kept, found.promoted) == (1.01, 0.9, "1 of 2")
    assert min(found.gain) == 0  # a resample of p2 and the third sentence alone knows of no gain


def test_a_night_without_a_version_changes_no_figure(path: Path) -> None:
    skipped = cell(path, "dpo", [], status="skipped", challenger=None)
    found = quality([skipped], sentences_of([path]))
    assert (found.gain[0], found.control[0], found.rejected) == (0, 0, 0)


def test_every_kind_of_votes_has_a_table_and_every_loss_a_row(path: Path) -> None:
    ours = cell(path, "ours", [0.6, 0.6, 0.8, 0.58, 0.9])
    usual = cell(path, "ce", [0.7, 0.7, 0.8, 0.5, 0.9])
    lines = table([ours, usual]).splitlines()
    assert lines[0] == "### menu, 10% wrong votes"
    mine, other = lines[4:6]
    assert mine.startswith("| ours | -80% | 16.7% (")
    assert mine.endswith("| × 1.010 | 0.90 | 50% | 20% | 1 of 1 |")
    assert other.endswith("| 100% | 100% | 1 of 1 |")


def test_whole_groups_are_resampled() -> None:
    # Group a has mean 1 and twice the cases: a resample is (2 + 2) / 4, (2 + 0) / 3 or (0 + 0) / 2.
    draws = clustered_means([1.0, 0.0, 1.0], ["a", "b", "a"])
    assert draws[0] == pytest.approx(2 / 3)
    assert sorted(set(draws[1:].round(6))) == [0.0, 0.666667, 1.0]
    assert np.mean(draws[1:] == 0.0) == pytest.approx(0.25, abs=0.05)


def test_repeated_cases_do_not_narrow_the_interval() -> None:
    values = list(np.random.default_rng(1).normal(size=30))
    repeated = [value for value in values for _ in range(10)]
    patterns = [pattern for pattern in range(30) for _ in range(10)]
    alone = interval(means(values))
    assert interval(clustered_means(repeated, patterns)) == Interval(
        pytest.approx(alone.value), pytest.approx(alone.low), pytest.approx(alone.high)
    )
    assert interval(means(repeated)).low > alone.low + 0.1
