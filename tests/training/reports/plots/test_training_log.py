"""Reading and drawing training logs, including unusual ones."""

import json
import math
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from support.pictures import covering, cut, said

from training.errors import NotPlottableError
from training.reports.plots.style import in_style
from training.reports.plots.training_log import curve, plot_training, read_log, smoothed, training_figure


def figures(loss: float) -> dict[str, float]:
    return {"loss": loss, "perplexity": math.exp(loss), "accuracy": 1 / (1 + loss)}


def rows(steps: int, *, every: int = 50) -> list[dict[str, Any]]:
    """A training that ends at a loss of 1.5, with an evaluation now and then."""
    log: list[dict[str, Any]] = []
    for step in range(steps + 1):
        loss = 1.5 + 3 * math.exp(-4 * step / steps) + 0.2 * math.sin(step)
        if step:
            log.append({"step": step, "epoch": step / steps, **figures(loss), "tokens_per_s": 3100.0})
        if step % every == 0:
            log.append({"step": step, "epoch": step / steps, "held_out": figures(loss + 0.3)})
    return log


def drawn(logs: dict[str, list[dict[str, Any]]]) -> Figure:
    with in_style():
        figure = training_figure(logs)
        figure.draw_without_rendering()
        return figure


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


def test_half_written_lines_of_a_log_are_skipped(tmp_path: Path) -> None:
    whole = [{"step": 1, "loss": 4.0}, {"step": 1, "held_out": {"loss": 3.0}}]
    lines = [json.dumps(row) + "\n" for row in whole]
    assert read_log(write(tmp_path / "log", *lines, '{"step": 2, "los')) == whole
    assert read_log(write(tmp_path / "log", *lines, '{"step": 2, "los\n', '{"step": 2}\n')) == [
        *whole,
        {"step": 2},
    ]
    assert read_log(write(tmp_path / "log", "[1]\n", '{"loss": 1}\n', "\n")) == []


def test_numbers_that_are_not_finite_are_read(tmp_path: Path) -> None:
    (row,) = read_log(write(tmp_path / "log", '{"step": 1, "loss": NaN, "perplexity": Infinity}\n'))
    assert math.isnan(row["loss"])
    assert math.isinf(row["perplexity"])


def test_a_missing_log_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(
        NotPlottableError, match=r"no training log at .*nowhere.* `python -m training domain`"
    ):
        read_log(tmp_path / "nowhere")


def test_steps_are_in_order_and_the_later_of_two_rows_counts() -> None:
    log = [
        {"step": 2, "loss": 9.0},
        {"step": 3, "loss": 3.0},
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 2.0},
    ]
    steps, values, missing = curve(log, "loss", held_out=False)
    assert (steps.tolist(), values.tolist(), missing) == ([1, 2, 3], [1, 2, 3], 0)


def test_training_and_held_out_text_are_separate() -> None:
    log = [{"step": 1, "loss": 4.0}, {"step": 1, "held_out": {"loss": 3.0, "own": {"loss": 9.0}}}]
    assert curve(log, "loss", held_out=False)[1].tolist() == [4.0]
    assert curve(log, "loss", held_out=True)[1].tolist() == [3.0]
    assert curve(log, "accuracy", held_out=True)[1].tolist() == []


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e304, None, "3.1", True, 0.0, -1.0])
def test_invalid_perplexities_are_dropped_and_counted(value: Any) -> None:
    steps, values, missing = curve(
        [{"step": 1, "perplexity": value}, {"step": 2, "perplexity": 8}], "perplexity", held_out=False
    )
    assert (steps.tolist(), values.tolist(), missing) == ([2], [8], 1)


def test_smoothing_is_a_centred_mean_that_narrows_at_the_ends() -> None:
    assert smoothed(np.arange(75.0))[1:-1].tolist() == pytest.approx(np.arange(75.0)[1:-1])  # of three
    assert smoothed(np.arange(75.0))[[0, -1]].tolist() == [0.5, 73.5]
    assert smoothed(np.array([3.0])).tolist() == [3.0]
    assert smoothed(np.array([])).tolist() == []


def test_both_recipes_are_in_every_panel() -> None:
    figure = drawn({"full v0002": rows(200), "curated v0003": rows(300)})
    for measure in ("loss", "perplexity", "accuracy"):
        assert f"({measure})" in said(figure)
    *panels, _legend = figure.axes
    assert [axes.get_yscale() for axes in panels] == ["linear", "log", "linear"]
    for axes in panels:
        raw, line, held, *others = axes.get_lines()
        assert [len(each.get_xdata()) for each in (raw, line, held)] == [200, 200, 5]
        assert [len(each.get_xdata()) for each in others] == [300, 300, 7]
        assert raw.get_alpha() < 1
        assert held.get_marker() == "o"
        assert np.std(np.diff(line.get_ydata())) < np.std(np.diff(raw.get_ydata()))
    loss = [row["loss"] for row in rows(200) if "loss" in row]
    assert figure.axes[0].get_lines()[0].get_ydata() == pytest.approx(loss)


def test_the_legend_names_every_line_and_covers_nothing() -> None:
    figure = drawn({"full v0002": rows(60), "curated v0003": rows(60)})
    legend = figure.axes[-1].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["full v0002", "curated v0003"]
    assert {"on texts that it never saw"} < set(texts)
    panels = figure.axes[:-1]
    assert not any(legend.get_window_extent().overlaps(axes.get_tightbbox()) for axes in panels)


@pytest.mark.parametrize(
    "logs",
    [
        {"full v0002": rows(200), "curated v0003": rows(300)},
        {f"recipe number {n} v{n:04d}": rows(60 + n) for n in range(9)},
        {"$masked_language$ modelling on the team's corpus, a name that goes on and on 👍 v0002": rows(60)},
        {"full": rows(100_000, every=1000)},
    ],
)
def test_no_text_is_cut_or_covered(logs: dict[str, list[dict[str, Any]]]) -> None:
    figure = drawn(logs)
    assert cut(figure) == []
    assert covering(figure) == []


@pytest.mark.parametrize(
    "log",
    [
        [{"step": 1, **figures(3.0)}],
        [{"step": 0, "held_out": figures(3.0)}],
        [{"step": step, **figures(3.0)} for step in range(1, 4)],  # the same all the time
        [{"step": 1, "loss": 900.0, "perplexity": math.inf, "accuracy": 0.0}, {"step": 2, **figures(3.0)}],
        [
            {"step": 1, "loss": 690.0, "perplexity": math.exp(690), "accuracy": 0.0},
            {"step": 2, **figures(0.1)},
        ],
        [{"step": 1, "loss": math.nan, "perplexity": math.nan, "accuracy": math.nan}],
        [{"step": 1, "loss": 0.0, "accuracy": 0.0}],
        [{"step": 1, "loss": 2.0}],  # neither perplexity nor accuracy
        [],
    ],
    ids=[
        "one row",
        "one evaluation",
        "flat",
        "infinite",
        "enormous",
        "nothing finite",
        "all zero",
        "loss alone",
        "no rows",
    ],
)
def test_odd_logs_are_drawn(log: list[dict[str, Any]]) -> None:
    figure = drawn({"full": log})
    assert cut(figure) == []
    assert covering(figure) == []


def test_dropped_values_are_mentioned() -> None:
    log = [{"step": 1, "loss": 900.0, "perplexity": math.inf}, {"step": 2, **figures(3.0)}]
    assert said(drawn({"full": log})).count("lower is better (values left out: 1)") == 1
    assert "nothing to show" in said(drawn({"full": []}))


def test_a_single_point_is_visible() -> None:
    figure = drawn({"full": [{"step": 7, **figures(3.0)}]})
    assert figure.axes[0].get_lines()[1].get_marker() == "."


@pytest.mark.parametrize(("low", "high"), [(9.6, 9.9), (8, 25), (1.5, 1e5), (3, 1e30)])
def test_perplexity_has_plain_numbers_on_its_axis(low: float, high: float) -> None:
    log = [{"step": 1, "perplexity": high}, {"step": 2, "perplexity": low}]
    axes = drawn({"full": log}).axes[1]
    shown = [
        tick.label1.get_text()
        for tick in axes.yaxis.get_major_ticks()
        if axes.get_ylim()[0] <= tick.get_loc() <= axes.get_ylim()[1]
    ]
    assert 2 <= len(shown) <= 12
    assert all(float(label.replace(",", "")) > 0 for label in shown)


@pytest.mark.parametrize("logs", [{"full": rows(60)}, {}])
def test_the_file_is_a_png(logs: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    plot_training(logs, tmp_path / "log.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "log.png").shape
    assert width == 1350
    assert 1800 < height < 3000
