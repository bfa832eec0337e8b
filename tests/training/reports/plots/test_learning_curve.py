"""The plot of what more votes taught."""

from pathlib import Path

import pytest
from support.pictures import said

from training.reports.plots.learning_curve import Line, Point, learning_curve_figure, plot_learning_curve
from training.reports.plots.style import in_style

OURS = Line("ours", (Point(12, 0.4, 0.3, 0.5), Point(150, 0.6, 0.55, 0.65)))
OTHER = Line("ce", (Point(40, 0.9, 0.85, 0.95),))


def test_every_line_has_its_points_and_a_name() -> None:
    with in_style():
        figure = learning_curve_figure([OURS, OTHER], across="queries", up="gap closed")
        figure.draw_without_rendering()
    (axes,) = figure.axes
    drawn = [container.lines[0].get_xydata() for container in axes.containers]
    assert [[tuple(point) for point in points] for points in drawn] == [
        [(12, 0.4), (150, 0.6)],
        [(40, pytest.approx(0.9))],
    ]
    text = said(figure)
    for part in ("ours", "ce", "queries", "gap closed", "12", "40", "150"):
        assert part in text


def test_without_results_the_plot_says_so(tmp_path: Path) -> None:
    plot_learning_curve([], tmp_path / "curve.png", across="queries", up="gap closed")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
