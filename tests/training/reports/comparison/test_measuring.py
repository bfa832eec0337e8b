"""Comparisons of models, with figures computed by hand."""

import math
from typing import Any

import pytest
from support.vocabularies import speaker

from training.errors import QueryTooLongError
from training.evaluation.confidence_intervals import Interval
from training.evaluation.metrics import Case
from training.inference.fill_model import FillModel
from training.reports.comparison.figures import Figure
from training.reports.comparison.measuring import Comparison, Material, compare

QUERY = "Nike shoes are very [MASK]"


class Counting:
    """Adds up the progress."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []

    def step(self, name: str, total: int = 0) -> None:
        self.steps.append([total, 0])

    def advance(self, units: int = 1, **figures: float) -> None:
        self.steps[-1][1] += units

    def event(self, name: str, **values: Any) -> None:
        raise AssertionError(name)


def case(wanted: str, unwanted: str, category: str) -> Case:
    return Case("Nike shoes are [MASK].", tuple(wanted.split()), tuple(unwanted.split()), category)


# Ten cases of each of two groups, and one that the base cannot answer.
CASES = [
    *[case("comfortable stylish", "cheap", "comfort_shoes")] * 10,
    *[case("great", "poor cheap", "quality")] * 10,
    case("stylish", "cheap", "look"),
]


def models() -> dict[str, FillModel]:
    return {
        "base": speaker({"cheap": 0.4, "comfortable": 0.2, "poor": 0.1, "great": 0.05}),
        "v1": speaker({"comfortable": 0.4, "cheap": 0.2, "poor": 0.1, "great": 0.05}, added=["stylish"]),
        "v2": speaker({"stylish": 0.5, "comfortable": 0.2, "great": 0.15, "cheap": 0.05}, added=["stylish"]),
    }


def compared(**changed: Any) -> Comparison:
    arguments: dict[str, Any] = {
        "models": models(),
        "base": "base",
        "versions": ["v1", "v2"],
        "queries": [],
        "suites": {},
        "texts": {},
        "progress": Counting(),
    }
    arguments |= changed
    return compare(arguments.pop("models"), **arguments)


def figure_of(material: Material, group: str, metric: str) -> Figure:
    (found,) = [f for f in material.figures if (f.group, f.metric) == (group, metric)]
    return found


def values(figure: Figure) -> dict[str, float]:
    return {model: round(interval.value, 4) for model, interval in figure.intervals.items()}


def test_suites_by_hand() -> None:
    (suite,) = compared(suites={"main": CASES}).suites
    assert (suite.name, suite.cases, suite.skipped) == ("main", 20, 1)
    assert suite.dropped_words == ("stylish",)
    assert {(f.group, f.cases) for f in suite.figures} == {("all", 20), ("comfort", 10), ("quality", 10)}
    # "stylish" counts for no model: comfortable / (comfortable + cheap).
    shares = values(figure_of(suite, "comfort", "wanted_share"))
    assert shares == {"base": 0.3333, "v1": 0.6667, "v2": 0.8}
    # great / (great + poor + cheap); v2 gives poor what is left, 0.1 over its 103 or so tokens.
    rest = 0.1 / len(models()["v2"].encoder.words.ids)
    quality = values(figure_of(suite, "quality", "wanted_share"))
    assert quality == {"base": 0.0909, "v1": 0.1429, "v2": round(0.15 / (0.2 + rest), 4)}
    whole = values(figure_of(suite, "all", "wanted_share"))
    assert whole["base"] == pytest.approx((1 / 3 + 1 / 11) / 2, abs=1e-4)


def test_a_word_of_only_one_model_has_no_rank() -> None:
    (suite,) = compared(suites={"main": CASES}).suites
    # v2's best word is "stylish", then "comfortable"; base's is "cheap".
    assert values(figure_of(suite, "comfort", "hit_at_1")) == {"base": 0.0, "v1": 1.0, "v2": 1.0}
    # "cheap" and "poor" are among the first ten of those where they have more than what is left.
    assert values(figure_of(suite, "quality", "unwanted_at_10"))["base"] == 2.0


def test_each_model_is_also_measured_with_its_own_words() -> None:
    (suite,) = compared(suites={"main": CASES}).suites
    assert {model: (of["cases"], of["skipped"]) for model, of in suite.own_words.items()} == {
        "base": (20, 1),
        "v1": (21, 0),
        "v2": (21, 0),
    }
    # v2 says "stylish" first: a hit of the ten cases that want it too, and of the one that wants only it.
    assert suite.own_words["v2"]["hit_at_1"] == round(11 / 21, 4)


def test_every_pair_is_measured_over_the_same_cases() -> None:
    (suite,) = compared(suites={"main": CASES}).suites
    differences = figure_of(suite, "comfort", "wanted_share").differences
    assert [(d.model, d.against) for d in differences] == [("v2", "v1"), ("v1", "base"), ("v2", "base")]
    assert [round(d.interval.value, 4) for d in differences] == [0.1333, 0.3333, 0.4667]
    assert [d.finding for d in differences] == ["better"] * 3
    # All cases of a group are alike here, so nothing is left to chance.
    assert all(d.interval.low == pytest.approx(d.interval.high) for d in differences)


def test_the_conclusion_is_about_the_versions() -> None:
    comparison = compared(suites={"main": CASES})
    assert comparison.conclusion.startswith("v2 is better than v1 in wanted_share (main)")
    assert comparison.conclusion.count("figures.") == 1


def test_more_than_two_versions_are_compared_in_pairs() -> None:
    comparison = compared(versions=["v1", "v2", "base"], suites={"main": CASES})
    pairs = [(d.model, d.against) for d in comparison.figures[0].differences]
    assert pairs == [("v2", "v1"), ("base", "v1"), ("base", "v2")]
    assert comparison.conclusion.count("figures.") == 3


def test_without_a_base_the_versions_are_compared_alone() -> None:
    alone = {name: model for name, model in models().items() if name != "base"}
    comparison = compared(models=alone, base=None, suites={"main": CASES})
    assert comparison.base is None
    (suite,) = comparison.suites
    assert (suite.cases, suite.dropped_words) == (21, ())  # both can say "stylish"
    assert [(d.model, d.against) for d in suite.figures[0].differences] == [("v2", "v1")]


def test_a_base_that_is_one_of_the_versions_is_measured_once() -> None:
    comparison = compared(versions=["base", "v2"], suites={"main": CASES})
    assert [(d.model, d.against) for d in comparison.figures[0].differences] == [("v2", "base")]
    assert comparison.to_json()["versions"] == ["base", "v2"]
    assert "v2 is better than base" in comparison.conclusion


def test_perplexity_by_hand() -> None:
    uniform = {"v1": speaker(), "v2": speaker(added=["stylish"])}
    size = len(uniform["v1"].encoder.words.ids)
    texts = ["shoes boots", "washable boots", "boots ☃"]  # two pieces, three, and an unknown character
    comparison = compared(models=uniform, base=None, texts={"own": texts})
    (own,) = comparison.texts
    assert (own.name, own.cases, own.skipped) == ("own", 2, 1)
    (figure,) = own.figures
    # Five pieces in four words; resamples have four, five or six.
    assert figure.intervals["v1"] == Interval(
        pytest.approx(size ** (5 / 4), rel=1e-4),
        pytest.approx(size, rel=1e-4),
        pytest.approx(size ** (6 / 4), rel=1e-4),
    )
    assert figure.intervals["v2"].value == pytest.approx((size + 1) ** (5 / 4), rel=1e-4)
    (difference,) = figure.differences
    assert difference.interval.value == pytest.approx((size + 1) ** 1.25 - size**1.25, rel=1e-3)
    assert difference.interval.low > 0
    assert difference.finding == "too few cases"


def test_less_perplexity_is_better() -> None:
    both = {"v1": speaker({"shoes": 0.1}), "v2": speaker({"shoes": 0.2})}
    comparison = compared(models=both, base=None, texts={"own": ["shoes"] * 10})
    assert values(comparison.figures[0]) == pytest.approx({"v1": 10.0, "v2": 5.0}, rel=1e-3)
    assert comparison.conclusion == (
        "v2 is better than v1 in pseudo_perplexity (own); worse in none; without a clear difference "
        "in 0 of 1 figures."
    )


def test_without_material_there_are_no_figures() -> None:
    comparison = compared(suites={"main": CASES[-1:]}, texts={"own": ["☃"]})
    assert comparison.figures == []
    assert (comparison.suites[0].cases, comparison.suites[0].skipped) == (0, 1)
    assert (comparison.texts[0].cases, comparison.texts[0].skipped) == (0, 1)
    assert comparison.conclusion == "There is nothing that both v2 and v1 could be measured on."
    assert comparison.to_json()["suites"]["main"]["groups"] == {}


def test_the_best_words_of_each_model() -> None:
    answers = compared(queries=[QUERY]).answers
    assert list(answers) == [QUERY]
    assert [len(of_model) for of_model in answers[QUERY].values()] == [10, 10, 10]
    assert {model: of_model[0].word for model, of_model in answers[QUERY].items()} == {
        "base": "cheap",
        "v1": "comfortable",
        "v2": "stylish",
    }


def test_a_text_with_several_masks_is_answered_at_each() -> None:
    assert list(compared(queries=["[MASK] boots are [mask]"]).answers) == [
        "[MASK] boots are [mask] (mask 1)",
        "[MASK] boots are [mask] (mask 2)",
    ]


def test_a_text_that_is_too_long_is_rejected_before_measuring() -> None:
    progress = Counting()
    with pytest.raises(QueryTooLongError):
        compared(queries=["shoes " * 60 + "[MASK]"], suites={"main": CASES}, progress=progress)
    assert progress.steps == []


def test_the_progress_reaches_its_total() -> None:
    progress = Counting()
    compared(suites={"main": CASES}, texts={"own": ["shoes", "☃"]}, progress=progress)
    assert progress.steps == [[126, 126], [6, 6]]  # of three models; each case twice


def test_a_category_named_all_is_counted_once() -> None:
    (suite,) = compared(suites={"main": [case("great", "cheap", "all")] * 3}).suites
    assert [(f.group, f.cases) for f in suite.figures] == [("all", 3)] * 5


def test_the_same_models_give_the_same_figures() -> None:
    mixed = CASES[5:15]
    assert compared(suites={"main": mixed}) == compared(suites={"main": mixed})


def test_as_json() -> None:
    found = compared(queries=[QUERY], suites={"main": CASES}, texts={"own": ["shoes boots"]}).to_json()
    assert set(found) == {"versions", "base", "texts", "suites", "perplexity", "differences", "conclusion"}
    assert (found["versions"], found["base"]) == (["v1", "v2"], "base")
    assert found["texts"][QUERY]["base"][0] == {"word": "cheap", "score": pytest.approx(0.4, abs=0.01)}
    main = found["suites"]["main"]
    assert (main["cases"], main["skipped"], main["dropped_words"]) == (20, 1, ["stylish"])
    assert main["groups"]["comfort"]["cases"] == 10
    assert main["groups"]["comfort"]["wanted_share"]["v2"] == {"value": 0.8, "low": 0.8, "high": 0.8}
    own = found["perplexity"]["own"]
    assert own["cases"] == 1
    assert set(own["groups"]["all"]["pseudo_perplexity"]) == {"base", "v1", "v2"}
    assert len(found["differences"]) == (3 * 5 + 1) * 3  # groups × metrics and texts, for three pairs
    assert set(main["own_words"]) == {"base", "v1", "v2"}
    assert set(main["own_words"]["v1"]) >= {"cases", "wanted_share", "unwanted_at_10"}
    assert set(own) == {"cases", "skipped", "groups"}
    assert found["differences"][0] == {
        "version": "v2",
        "against": "v1",
        "material": "main",
        "group": "all",
        "metric": "wanted_share",
        "value": pytest.approx(0.368, abs=0.001),  # (0.133 + 0.603) / 2
        "low": pytest.approx(0.27, abs=0.03),
        "high": pytest.approx(0.47, abs=0.03),
        "finding": "better",
    }
    assert math.isfinite(own["groups"]["all"]["pseudo_perplexity"]["v1"]["value"])
