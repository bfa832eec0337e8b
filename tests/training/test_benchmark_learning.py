"""The benchmark's table, from cells written by hand."""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from benchmarks.learning import (
    AIMS,
    GRIDS,
    Cell,
    Quality,
    Sentences,
    aims_table,
    cell_of,
    curve,
    losses_table,
    run,
    side_auc,
)

from training.cli import simulations
from training.cli.output import Commands

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
    cases = {
        "wanted_share": shares,
        "unwanted_at_10": [None if share is None else 10 - 10 * share for share in shares],
        "precision_at_5": shares,
        "hit_at_1": shares,
        "log_odds": [share or 0.0 for share in shares],
    }
    voted = {"rejected_before": 10, "rejected_after": rejected, "accepted": 50, "accepted_lost": 1}
    return {"cases": cases, "voted": voted, "perplexity_ratio": 1.01, "top10_kept": 0.9}


BEFORE = figures([0.5, 0.5, 0.8, 0.6, 0.9])
SKIPPED = {"status": "skipped", "challenger": None}


@pytest.fixture
def sentences(tmp_path: Path) -> Sentences:
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SENTENCES))
    return Sentences.of([tmp_path / "test.jsonl"])


def night(after: list[float | None], **changed: Any) -> dict[str, Any]:
    made = figures(after, rejected=2) if after else None
    usual = {"status": "promoted", "serving": made or BEFORE, "challenger": made, "failures": []}
    return {"nights": [{"serving": BEFORE}, {"sentence": "It is so.", **usual, **changed}]}


def test_a_cell_is_what_its_settings_say() -> None:
    cell = Cell("ce", "top1:5", taste=3, asked=40, seed=4)
    settings = {
        "loss": "ce",
        "people": "top1:5",
        "taste": [["random:3", 1]],
        "asked": 40,
        "flips": 0.1,
        "seed": 4,
    }
    assert cell_of(settings) == cell
    assert cell.name == "ce-top15-taste3-q40-flips0.1-seed4"
    assert cell_of({**settings, "taste": []}).taste is None


def test_a_cell_is_asked_for_by_options_of_simulate() -> None:
    parser = argparse.ArgumentParser()
    simulations.add(Commands(parser))
    options = parser.parse_args(["simulate", *Cell(taste=2, people="menu:5,raid:10@1").arguments])
    assert (options.people, options.taste, options.asked) == ("menu:5,raid:10@1", [("random:2", 1)], 150)


def test_files_of_different_cells_have_different_names() -> None:
    cells = {cell for grid in GRIDS.values() for cell in grid}
    assert len({cell.name for cell in cells}) == len(cells)
    assert len(GRIDS["aims"]) == 45


def test_cells_that_exist_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def simulate(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="{}\n")

    monkeypatch.setattr(subprocess, "run", simulate)
    first, second = Cell(seed=0), Cell(seed=1)
    run([first], tmp_path)
    run([first, second], tmp_path)
    assert ["--seed=0" in command for command in commands] == [True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{c.name}.json" for c in (first, second)]


def test_a_sentence_without_a_pattern_is_its_own_pattern(sentences: Sentences) -> None:
    assert sentences.patterns == ("p1", "p1", "[MASK] c", "p2", "[MASK] e")
    assert [sentences.places(group) for group in ("main", "control", "retention")] == [[0, 1, 2], [3], [4]]


def test_the_quality_is_that_of_the_new_version_even_if_rejected(sentences: Sentences) -> None:
    other = night([0.9, 0.9, 0.8, 0.5, 0.9], status="rejected", serving=BEFORE)
    found = Quality([night([0.7, 0.7, 0.8, 0.5, 0.9]), other], sentences)
    assert found.closed("wanted_share")[0] == pytest.approx(0.5)  # 0.6 → 0.8 on the three main sentences
    assert found.fall("unwanted_at_10")[0] == pytest.approx(0.5)
    assert found.change("wanted_share", "control")[0] == pytest.approx(-0.1)
    assert found.rejected_shown == pytest.approx(-0.8)
    assert (found.mean("perplexity_ratio"), found.mean("top10_kept"), found.promoted) == (1.01, 0.9, 1)
    assert min(found.change("wanted_share")) == 0  # a resample of the third sentence alone knows of no gain


def test_sentences_that_a_taste_leaves_without_a_side_are_left_out(sentences: Sentences) -> None:
    found = Quality([night([0.7, None, 0.8, 0.5, 0.9])], sentences)
    assert found.change("wanted_share")[0] == pytest.approx(0.1)  # 0.65 → 0.75 on two sentences


def test_a_night_without_a_version_changes_no_figure(sentences: Sentences) -> None:
    found = Quality([night([], **SKIPPED)], sentences)
    assert (found.closed("wanted_share")[0], found.change("wanted_share", "control")[0]) == (0, 0)
    assert found.rejected_shown == 0


def test_every_kind_of_votes_has_a_table_and_every_loss_a_row(sentences: Sentences) -> None:
    ours, usual = night([0.6, 0.6, 0.8, 0.58, 0.9]), night([0.7, 0.7, 0.8, 0.5, 0.9])
    lines = losses_table({Cell("ce"): usual, Cell(): ours}, sentences).splitlines()
    assert lines[0] == "### menu:5, 150 queries, 10% wrong votes"
    mine, other = lines[4:6]
    assert mine.startswith("| ours | -80% | 16.7% (")
    assert mine.endswith("| × 1.010 | 0.90 | 50% | 20% | 1 of 1 |")
    assert other.endswith("| 100% | 100% | 1 of 1 |")


def test_every_aim_has_a_figure_from_its_cells(sentences: Sentences) -> None:
    good, poor = [0.9, 0.9, 0.9, 0.6, 0.9], [0.6, 0.6, 0.8, 0.6, 0.9]
    cells = {
        Cell(): night(good),
        Cell(seed=1): night(good),
        Cell(taste=0): night(poor, status="rejected", serving=BEFORE),
        Cell(flips=1.0): night([], status="rejected", challenger=None, failures=["praise fell"]),
    }
    rows = [line.split(" | ") for line in aims_table(cells, sentences).splitlines()[2:]]
    table = {row[0].removeprefix("| "): row[1:] for row in rows}
    assert len(table) == len(AIMS)
    lists = table["lists' own taste, menu, 150 queries: gap closed"]
    assert (lists[0], lists[1].split()[0], lists[2:]) == ("60%", "75.0%", ["yes", "2 |"])
    taste = table["five random tastes, menu, 150 queries: gap closed"]
    assert (taste[1].split()[0], taste[2]) == ("16.7%", "no")
    assert table["five random tastes, menu, 150 queries: promoted"][1:3] == ["0 of 1", "no"]
    assert table["inverted votes"][1] == "rejected, gap +0.0%: praise fell"
    assert table["a raid of ten new accounts"][1:] == ["not run", "no", "0 |"]
    assert table["accepted words that fall out of the shown words, promoted versions"][1] == "2 of 100 (2.0%)"
    assert table["AUC of main against control by log-odds"][1].startswith("1.000 (")


def test_sentences_that_cannot_be_known_are_left_out_of_the_auc(sentences: Sentences, tmp_path: Path) -> None:
    odds = {"cases": {"log_odds": [0.1, 0.1, 0.9, 0.5, 0.0]}}
    unknowable = tmp_path / "unknowable.jsonl"
    unknowable.write_text("")
    assert side_auc([odds], sentences, unknowable=unknowable)[0] == pytest.approx(1 / 3)
    unknowable.write_text(json.dumps({"pattern": "p1", "reason": "either"}) + "\n")
    assert side_auc([odds], sentences, unknowable=unknowable)[0] == 1


def test_the_curve_is_drawn_and_listed(sentences: Sentences, tmp_path: Path) -> None:
    cells = {
        Cell(asked=12): night([0.6, 0.6, 0.8, 0.6, 0.9]),
        Cell(asked=150): night([0.8, 0.8, 0.8, 0.6, 0.9]),
        Cell("ce", asked=150): night([0.9, 0.9, 0.9, 0.2, 0.9]),
    }
    table = curve(cells, sentences, tmp_path / "curve.png").splitlines()
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| ours, menu", "12"],
        ["| ours, menu", "150"],
        ["| ce, menu", "150"],
    ]
    assert (tmp_path / "curve.png").exists()
