"""The plot of a run: its panels and figures; no text is cut or covered."""

from typing import Any

import pytest
from matplotlib.figure import Figure
from support.pictures import covering, cut, said

from training.reports.plots.run_report import RunFigures, run_report_figure
from training.reports.plots.style import in_style

LONG = "Donaudampfschifffahrtselektrizitätenhaupt"
KEPT = [
    {"suite": "control", "before": 0.54, "after": 0.53, "low": -0.03, "high": 0.0, "is_limited": True},
    {"suite": "retention", "before": 0.45, "after": 0.1, "is_limited": True},
    {"suite": "praise", "before": 0.48, "after": 0.52, "is_limited": False},
]
NIGHT: dict[str, Any] = {
    "version": "v0012",
    "title": "v0012 was promoted",
    "asked": {"wanted": [153, 140, 148], "unwanted": [43, 28, 12]},
    "came": {"breathable": 4, "light": 1},
    "went": {"expensive": 6},
    "shown_words": 8,
    "kept": KEPT,
    "loss": [[10, 3.0], [20, 2.5]],
    "perplexity": [11833.9, 12.04],
}
LOG = [{"step": n, "loss": 3.0, "perplexity": 20.1, "accuracy": 0.4} for n in range(3)]


def drawn(log: list[dict[str, Any]] | None = None, **values: Any) -> Figure:
    with in_style():
        figure = run_report_figure(
            RunFigures.model_validate({"version": "v0001", "title": "v0001", **values}), log or []
        )
        figure.draw_without_rendering()
        return figure


def test_a_night_has_its_figures() -> None:
    text = said(drawn(**NIGHT))
    for part in (
        "v0012 was promoted",
        "wanted\n(153)",
        "words in the top 8",
        "148 after",
        "28 before",
        "breathable",
        "+4",
        "−6",
        "complaints and\nnegations\n54.0% → 53.0%",
        "as between 11,834 (perplexity: −99.9%, less is better)",
        "lower is better",
    ):
        assert part in text


def test_a_domain_model_has_its_training_log_below() -> None:
    figure = drawn(LOG, kept=KEPT)
    assert len(figure.axes) == 5
    assert "(perplexity)" in said(figure)


def test_bars_of_entering_words_point_right_and_of_leaving_words_left() -> None:
    moved = drawn(**NIGHT).axes[1]
    assert [bar.get_width() for bar in moved.patches] == [4, 1, -6]


ODD = {
    "nothing": {},
    "one vote": {"asked": {"wanted": [0, 0, 0], "unwanted": [1, 1, 0]}, "went": {"bad": 1}},
    "no moves": {"asked": {"wanted": [3, 1, 1], "unwanted": [1, 1, 1]}},
    "long words": {
        **NIGHT,
        "came": {f"{LONG}{n}": 100_000 for n in range(9)},
        "went": {"مريح": 99_999, "👍🏽": 1, "$_{": 1},
    },
    "a flat loss": {"loss": [[1, 0.0]]},
    "a long title": {**NIGHT, "title": "v0012 " * 60},
}


@pytest.mark.parametrize("values", ODD.values(), ids=ODD)
def test_no_text_is_cut_or_covered(values: dict[str, Any]) -> None:
    figure = drawn(**values)
    assert cut(figure) == []
    assert covering(figure) == []
