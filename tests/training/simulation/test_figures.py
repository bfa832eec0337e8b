"""What is said of a version."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.evaluation import metrics
from training.evaluation.metrics import Case
from training.inference.fill_model import FillModel
from training.simulation.figures import Measure, area_under_curve, gap_closed

QUERIES = [Case("Nike shoes are very [MASK].", ("cheap", "great"), ("ugly", "bad"), "praise")]
TESTS = [
    Case("These boots are [MASK].", ("great", "soft"), ("ugly",), "praise_plain"),
    Case("My socks are so [MASK].", ("warm",), ("bad", "poor"), "contrast"),
    Case("The store was [MASK].", ("slow",), ("quick", "great"), "control_complaint"),
    Case("The price is [MASK].", ("fine",), ("useless",), "retention"),
]
TEXTS = ["The shoes are old and the box is broken.", "I order two socks."]


@pytest.fixture
def measure(fill_model: FillModel) -> Measure:
    return Measure(fill_model, queries=QUERIES, tests=TESTS, texts=TEXTS, shown_words=5)


def test_before_the_first_night_nothing_has_changed(measure: Measure, fill_model: FillModel) -> None:
    figures = measure.figures(fill_model, {})
    assert (figures["gap_closed"], figures["control_change"]) == (0, 0)
    assert (figures["perplexity_ratio"], figures["top10_kept"], figures["drift_nats"]) == (1, 1, 0)
    assert figures["voted"]["unwanted_before"] == figures["voted"]["unwanted_after"]
    assert "cases" not in figures


def test_main_is_everything_but_control_and_retention(measure: Measure, fill_model: FillModel) -> None:
    figures = measure.figures(fill_model, {}, with_cases=True)
    assert [figures["main"]["cases"], figures["all"]["cases"]] == [2, 4]
    assert set(figures["groups"]) == {"praise", "contrast", "control", "retention"}
    shares = [score.wanted_share for score in metrics.score_cases(fill_model, TESTS) if score]
    assert figures["cases"]["wanted_share"] == pytest.approx(shares, abs=1e-5)
    assert figures["main"]["wanted_share"] == pytest.approx(sum(shares[:2]) / 2, abs=1e-4)


def test_another_version_is_measured_against_the_first(
    measure: Measure, fill_model: FillModel, base_folders: dict[str, Path], served_folders: dict[str, Path]
) -> None:
    other = FillModel(served_folders["bert"], threads=1)
    before, after = (measure.figures(model, {}) for model in (fill_model, other))
    old, new = before["main"]["wanted_share"], after["main"]["wanted_share"]
    assert after["gap_closed"] == pytest.approx((new - old) / (1 - old), abs=1e-3)
    control = [figures["groups"]["control"]["wanted_share"] for figures in (before, after)]
    assert after["control_change"] == pytest.approx(control[1] - control[0], abs=1e-3)
    assert after["top10_kept"] < 1
    assert after["drift_nats"] > 0
    ratio = after["pseudo_perplexity"] / before["pseudo_perplexity"]
    assert after["perplexity_ratio"] == pytest.approx(ratio, abs=1e-3)


def test_rejected_words_are_counted_among_the_best_five(measure: Measure, fill_model: FillModel) -> None:
    best = [c.word for c in fill_model.fill([QUERIES[0].text], top=5)[0][0]]
    case = Case(QUERIES[0].text, ("soft",), (best[0], best[4], "elsewhere"), "praise")
    measure.judge_by([case], TESTS)
    voted = measure.figures(fill_model, {case.text: {best[0], best[4], "elsewhere"}})["voted"]
    assert (voted["rejected"], voted["rejected_before"], voted["rejected_after"]) == (3, 2, 2)
    assert (voted["unwanted_before"], voted["wanted_before"]) == (2, best.count("soft"))


def test_accepted_words_that_are_no_longer_shown_are_lost_unless_all_words_shown_are_wanted(
    measure: Measure, fill_model: FillModel, served_folders: dict[str, Path]
) -> None:
    other = FillModel(served_folders["bert"], threads=1)
    text = QUERIES[0].text
    old, new = ([c.word for c in model.fill([text], top=5)[0][0]] for model in (fill_model, other))
    gone = {*old} - {*new}
    assert gone
    measure.judge_by([Case(text, tuple(old), ("bad",), "praise")], TESTS)
    voted = measure.figures(other, {text: old})["voted"]
    assert (voted["accepted"], voted["accepted_lost"]) == (5, len(gone))
    measure.judge_by([Case(text, (*old, *new), ("bad",), "praise")], TESTS)
    assert measure.figures(other, {text: old})["voted"]["accepted_lost"] == 0


def test_a_change_of_taste_is_judged_against_the_first_version_too(
    measure: Measure, fill_model: FillModel
) -> None:
    before = measure.figures(fill_model, {})
    measure.judge_by(QUERIES, [replace(c, wanted=c.unwanted, unwanted=c.wanted) for c in TESTS])
    after = measure.figures(fill_model, {})
    shares = [figures["main"]["wanted_share"] for figures in (before, after)]
    assert shares[0] + shares[1] == pytest.approx(1, abs=1e-3)
    assert (after["gap_closed"], after["precision_gap_closed"], after["perplexity_ratio"]) == (0, 0, 1)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    assert area_under_curve([3.0, 1.0], [0.0, 1.0]) == (2 + 1 + 0.5) / 4


def test_the_gap_is_what_is_missing_to_one() -> None:
    assert gap_closed(0.8, 0.9) == 0.5
    assert gap_closed(0.8, 0.7) == -0.5
    assert gap_closed(1.0, 1.0) is None
    assert gap_closed(None, 0.5) is None
