"""Metrics computed by hand, and invalid suites."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support.oracles import Oracle, oracle

from training.errors import SuiteError
from training.evaluation import metrics
from training.evaluation.metrics import Case, read_suite, read_texts
from training.inference.fill_model import FillModel


def case(wanted: Sequence[str], unwanted: Sequence[str], *, category: str = "comfort_shoes") -> Case:
    return Case("Nike shoes are very [MASK].", tuple(wanted), tuple(unwanted), category)


# Ranks from 0: cheap, comfortable, ugly, soft, great, poor, light, heavy, warm, useless, broken (10).
RANKED = oracle(
    cheap=0.4,
    comfortable=0.2,
    ugly=0.1,
    soft=0.05,
    great=0.04,
    poor=0.03,
    light=0.025,
    heavy=0.02,
    warm=0.015,
    useless=0.01,
    broken=0.009,
)


def test_metrics_of_one_case_by_hand() -> None:
    (score,) = metrics.score_cases(RANKED, [case(["comfortable", "soft"], ["cheap", "poor", "broken"])])
    assert score is not None
    # P(wanted) = 0.2 + 0.05, P(unwanted) = 0.4 + 0.03 + 0.009.
    assert score.wanted_share == pytest.approx(0.25 / (0.25 + 0.439), abs=1e-5)
    assert (score.hit_at_1, score.hit_at_5, score.hit_at_10) == (False, True, True)
    assert score.precision_at_5 == 2 / 5  # comfortable and soft
    assert score.unjudged_at_5 == 2  # ugly and great
    assert score.reciprocal_rank == 1 / 2  # of the best wanted word, here the second of all
    assert score.unwanted_at_10 == 2
    assert score.group == "comfort"


@pytest.mark.parametrize(
    ("wanted", "hits"),
    [
        ("cheap", (True, True, True)),
        ("comfortable", (False, True, True)),
        ("great", (False, True, True)),  # fifth
        ("poor", (False, False, True)),  # sixth
        ("useless", (False, False, True)),  # tenth
        ("broken", (False, False, False)),  # eleventh
    ],
)
def test_hits_at_their_limits(wanted: str, hits: tuple[bool, bool, bool]) -> None:
    (score,) = metrics.score_cases(RANKED, [case([wanted], ["bad"])])
    assert score is not None
    assert (score.hit_at_1, score.hit_at_5, score.hit_at_10) == hits


def test_only_offered_words_have_ranks() -> None:
    model = cast("FillModel", Oracle({".": 0.5, "##s": 0.2, "42": 0.1, "cheap": 0.1}))
    (score,) = metrics.score_cases(model, [case(["cheap"], ["ugly"])])
    assert score is not None
    assert score.hit_at_1


def test_ranks_can_be_among_fewer_words() -> None:
    ids = RANKED.encoder.words.ids
    some = np.asarray(sorted(token for word, token in ids.items() if word not in {"cheap", "ugly", "soft"}))
    (score,) = metrics.score_cases(RANKED, [case(["comfortable"], ["cheap", "broken"])], among=some)
    assert score is not None
    assert score.hit_at_1  # "cheap" is no rival
    assert score.wanted_share == pytest.approx(0.2 / (0.2 + 0.409), abs=1e-5)
    assert score.unwanted_at_10 == 2  # eight words are left before "broken"


def test_the_best_five_are_among_the_same_words_as_the_ranks() -> None:
    ids = RANKED.encoder.words.ids
    some = np.asarray(sorted(token for word, token in ids.items() if word not in {"cheap", "ugly", "soft"}))
    (score,) = metrics.score_cases(RANKED, [case(["comfortable", "heavy"], ["cheap", "poor"])], among=some)
    assert score is not None  # comfortable, great, poor, light, heavy
    assert (score.precision_at_5, score.unjudged_at_5) == (2 / 5, 2)


def test_unknown_words_are_dropped_and_duplicates_count_once() -> None:
    (score,) = metrics.score_cases(
        RANKED, [case(["comfortable", "Comfortable", "orthopaedic", "washable"], ["cheap", "expensive"])]
    )
    assert score is not None
    assert score.wanted_share == pytest.approx(0.2 / 0.6, abs=1e-5)


def test_a_case_that_loses_a_side_is_skipped() -> None:
    result = metrics.evaluate(
        RANKED,
        [case(["comfortable"], ["cheap"]), case(["orthopaedic"], ["cheap"]), case(["comfortable"], [])],
    )
    assert result["all"]["cases"] == 1
    assert result["all"]["skipped"] == 2


def test_means_of_all_and_of_each_group() -> None:
    cases = [
        case(["cheap"], ["comfortable"], category="comfort_shoes"),  # share 2/3, hits
        case(["comfortable"], ["cheap"], category="comfort_socks"),  # share 1/3
        case(["broken"], ["ugly"], category="control"),  # share 0.009 / 0.109 = 0.0826, misses
    ]
    result = metrics.evaluate(RANKED, cases)
    assert result == {
        "version": "v0042",
        "all": {
            "cases": 3,
            "skipped": 0,
            "wanted_share": 0.3609,
            "hit_at_1": 0.3333,
            "hit_at_5": 0.6667,
            "hit_at_10": 0.6667,
            "precision_at_5": 0.1333,
            "unjudged_at_5": 3.3333,
            "mrr": 0.5303,
            "unwanted_at_10": 1.0,
        },
        "groups": {
            "comfort": {
                "cases": 2,
                "skipped": 0,
                "wanted_share": 0.5,
                "hit_at_1": 0.5,
                "hit_at_5": 1.0,
                "hit_at_10": 1.0,
                "precision_at_5": 0.2,
                "unjudged_at_5": 3.0,
                "mrr": 0.75,
                "unwanted_at_10": 1.0,
            },
            "control": {
                "cases": 1,
                "skipped": 0,
                "wanted_share": 0.0826,
                "hit_at_1": 0.0,
                "hit_at_5": 0.0,
                "hit_at_10": 0.0,
                "precision_at_5": 0.0,
                "unjudged_at_5": 4.0,
                "mrr": 0.0909,
                "unwanted_at_10": 1.0,
            },
        },
        "pseudo_perplexity": None,
    }


def test_a_suite_without_scored_cases_has_no_figures() -> None:
    assert metrics.summary([None]) == {
        "cases": 0,
        "skipped": 1,
        "wanted_share": None,
        "hit_at_1": None,
        "hit_at_5": None,
        "hit_at_10": None,
        "precision_at_5": None,
        "unjudged_at_5": None,
        "mrr": None,
        "unwanted_at_10": None,
    }


def test_a_case_is_judged_at_its_first_mask(fill_model: FillModel) -> None:
    one = Case("Nike [MASK] are late.", ("shoes",), ("ugly",), "x")
    two = Case("Nike [mask] are late.", ("shoes",), ("ugly",), "x")
    assert metrics.score_cases(fill_model, [one]) == metrics.score_cases(fill_model, [two])
    both = Case("Nike [MASK] are [MASK].", ("shoes",), ("ugly",), "x")
    (score,) = metrics.score_cases(fill_model, [both])
    encoded = fill_model.encoder.encode(both.text)
    first = np.exp(fill_model.log_probabilities([encoded])[0][0])
    shoes, ugly = first[fill_model.encoder.words.ids["shoes"]], first[fill_model.encoder.words.ids["ugly"]]
    assert score is not None
    assert score.wanted_share == pytest.approx(shoes / (shoes + ugly), rel=1e-4)


def write(path: Path, *lines: Any) -> Path:
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines),
        encoding="utf-8",
    )
    return path


def test_a_suite_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "suite.jsonl",
        {"text": "Ça [mask]\u2028!", "wanted": ["été"], "unwanted": [], "category": "a_b_c", "more": 1},
        "",
        {"text": "It [MASK]."},
    )
    first, second = read_suite(path)
    assert first == Case("Ça [mask]\u2028!", ("été",), (), "a_b_c")
    assert first.group == "a"
    assert second == Case("It [MASK].", (), (), "all")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{not json", "this is not JSON"),
        ("[1, 2]", "this is not a JSON object"),
        ({"wanted": ["a"]}, "no text with a [MASK]"),
        ({"text": 5}, "no text with a [MASK]"),
        ({"text": "no mask", "wanted": [], "unwanted": []}, "no text with a [MASK]"),
        ({"text": "[MASK]", "wanted": "word"}, "must be lists of words"),
        ({"text": "[MASK]", "unwanted": [1]}, "must be lists of words"),
        ({"text": "[MASK]", "wanted": None}, "must be lists of words"),
    ],
)
def test_a_bad_line_of_a_suite_is_named(tmp_path: Path, line: Any, reason: str) -> None:
    path = write(tmp_path / "suite.jsonl", {"text": "fine [MASK]."}, "", line)
    with pytest.raises(SuiteError) as caught:
        read_suite(path)
    assert f"{path}, line 3: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("line", [{"text": "  "}, {"texts": "x"}, {"text": ["x"]}])
def test_a_bad_line_of_texts_is_named(tmp_path: Path, line: Any) -> None:
    path = write(tmp_path / "texts.jsonl", {"text": "fine."}, line)
    with pytest.raises(SuiteError, match=r"line 2: there is no text"):
        read_texts(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        read_suite(tmp_path / "missing.jsonl")
    with pytest.raises(SuiteError, match="cannot be read"):
        read_texts(tmp_path)
    (tmp_path / "latin").write_bytes('{"text": "été [MASK]"}'.encode("latin-1"))
    with pytest.raises(SuiteError, match="cannot be read"):
        read_suite(tmp_path / "latin")


def test_the_shipped_suites_are_valid() -> None:
    for name in ("main", "control", "retention"):
        assert len(read_suite(metrics.suites_folder() / f"{name}.jsonl")) >= 30
    assert len(read_texts(metrics.suites_folder() / "texts.jsonl")) >= 30


@pytest.mark.parametrize("line", ["[" * 100_000, "9" * 5000, r'{"text": "\ud800 [MASK]"}'])
def test_json_beyond_the_limits_of_python_is_located(tmp_path: Path, line: str) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text(f'{{"text": "fine [MASK]."}}\n{line}\n')
    for read in (read_suite, read_texts):
        with pytest.raises(SuiteError, match=r"line 2: this is not JSON"):
            read(path)
