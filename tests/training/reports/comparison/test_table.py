"""The text output of a comparison."""

from collections.abc import Sequence

import pytest

from training.evaluation.confidence_intervals import Interval
from training.inference.fill_model import Candidate
from training.reports.comparison.figures import Difference, Figure, Finding
from training.reports.comparison.measuring import METRICS, Comparison, Material
from training.reports.comparison.table import table_of
from training.tables import MAX_WIDTH

MODELS = ("v0001", "v0002", "v0003")
PAIRS = (("v0003", "v0002"), ("v0002", "v0001"), ("v0003", "v0001"))


def figure(
    group: str,
    *,
    cases: int = 20,
    metric: str = "hit_at_5",
    models: Sequence[str] = MODELS,
    finding: Finding = "better",
    material: str = "main",
) -> Figure:
    differences = [Difference(*pair, Interval(-0.0001, -0.25, 0.5), finding) for pair in PAIRS]
    intervals = {model: Interval(0.51234, 0.25, 0.75) for model in models}
    return Figure(material, group, metric, cases, intervals, tuple(differences))


def comparison(
    *figures: Figure, dropped: Sequence[str] = (), skipped: int = 0, own: float = 0.5123
) -> Comparison:
    candidates = [Candidate("comfortable", 7, 0.5), Candidate("soft", 8, 0.0625)]
    own_words = {model: dict.fromkeys(METRICS, own) for model in MODELS}
    return Comparison(
        versions=MODELS[1:],
        base=MODELS[0],
        answers={"Nike shoes are very [MASK]": {m: candidates[: 1 + (m != "v0002")] for m in MODELS}},
        suites=(Material("main", 20, skipped, figures, tuple(dropped), own_words),),
        texts=(
            Material("texts", 9, 1, (figure("all", cases=9, metric="pseudo_perplexity", material="texts"),)),
        ),
        conclusion="v0003 is better than v0002.",
    )


def test_the_whole_table() -> None:
    table = table_of(comparison(figure("all"), figure("look", cases=12, finding="worse"), dropped=["chic"]))
    expected = """\
Nike shoes are very [MASK]
      v0001 (base)        v0002               v0003
   1   50.0% comfortable   50.0% comfortable   50.0% comfortable
   2    6.2% soft                               6.2% soft

hit_at_5 (more is better)
        cases  v0001 (base)          v0002                 v0003
main       20  0.512 [0.250, 0.750]  0.512 [0.250, 0.750]  0.512 [0.250, 0.750]
  look     12  0.512 [0.250, 0.750]  0.512 [0.250, 0.750]  0.512 [0.250, 0.750]

        v0003 − v0002                   v0002 − v0001                   v0003 − v0001
main    +0.000 [-0.250, +0.500] better  +0.000 [-0.250, +0.500] better  +0.000 [-0.250, +0.500] better
  look  +0.000 [-0.250, +0.500] worse   +0.000 [-0.250, +0.500] worse   +0.000 [-0.250, +0.500] worse

pseudo_perplexity (less is better)
       texts  v0001 (base)       v0002              v0003
texts      9  0.51 [0.25, 0.75]  0.51 [0.25, 0.75]  0.51 [0.25, 0.75]

       v0003 − v0002                v0002 − v0001                v0003 − v0001
texts  +0.00 [-0.25, +0.50] better  +0.00 [-0.25, +0.50] better  +0.00 [-0.25, +0.50] better

Left out of main: 0 of 20 cases; 1 words that not all models have (chic).
Left out of texts: 1 of 10 texts.
[low, high] is the 95 % interval of 2,000 bootstrap resamples. A difference is marked if its interval
excludes zero. Without any real difference, one in twenty is marked by chance.

v0003 is better than v0002.
"""
    assert table == expected


def test_small_groups_and_groups_of_all_cases_are_not_shown() -> None:
    table = table_of(comparison(figure("all"), figure("look", cases=9), figure("main", cases=20)))
    assert [line.split()[0] for line in table.splitlines() if " 20 " in line] == ["main"]
    assert "look" not in table


@pytest.mark.parametrize("finding", ["no clear difference", "too few cases"])
def test_only_clear_differences_are_marked(finding: Finding) -> None:
    table = table_of(comparison(figure("all", finding=finding)))
    assert table.count("better  ") == 2  # of the texts
    assert finding not in table


def test_figures_with_own_words_are_shown_where_they_differ() -> None:
    title = "the same over all words of each model, as it serves"
    table = table_of(comparison(figure("all"), own=0.75))
    assert table.split(title)[1].startswith(
        "\n                     v0001 (base)  v0002  v0003\n"
        "main wanted_share    0.750         0.750  0.750\n"
        "main hit_at_1        0.750         0.750  0.750\n"
    )
    assert title not in table_of(comparison(figure("all"), own=0.5123))


def test_without_omissions_none_are_listed() -> None:
    assert "Left out of main" not in table_of(comparison(figure("all")))


def test_many_dropped_words_are_counted_and_a_few_named() -> None:
    words = [f"word{number}" for number in range(30)]
    table = table_of(comparison(figure("all"), dropped=words, skipped=2))
    assert "Left out of main: 2 of 22 cases; 30 words that not all models have (word0, word1, " in table
    assert "word7, …)." in " ".join(table.split())
    assert "word8" not in table


def test_no_line_is_wider_than_the_page() -> None:
    many = tuple(f"v{number:04}" for number in range(12))
    wide = comparison(figure("all", models=many), dropped=[f"word{number}" * 6 for number in range(9)])
    assert max(map(len, table_of(wide).splitlines())) <= MAX_WIDTH
