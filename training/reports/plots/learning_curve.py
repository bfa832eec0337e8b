"""Plot what more votes taught: one line per way of learning, with its interval at every point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from training.reports.plots import style

HEIGHT_IN = 3.2
MIN_APART = 0.12  # of the axis, between two labels
COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.BROWN, style.GREY)
MARKERS = "osD^vPX"  # as many as are prime to the colours: 42 pairs before one comes again


@dataclass(frozen=True, slots=True)
class Point:
    """A share at a number of queries, with its interval."""

    at: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one way of learning, by ascending number of queries."""

    name: str
    points: tuple[Point, ...]


def plot_learning_curve(
    lines: Sequence[Line], path: Path, *, across: str, up: str, is_log: bool = True
) -> None:
    """Plot the lines to a PNG file; `across` and `up` name the axes, the first of which may be logarithmic.

    Raises:
        PlotUnwritableError: the folder or the file cannot be written.
    """
    with style.in_style():
        style.save(learning_curve_figure(lines, across=across, up=up, is_log=is_log), path)


def learning_curve_figure(lines: Sequence[Line], *, across: str, up: str, is_log: bool = True) -> Figure:
    """Draw shares over the number of queries."""
    figure = style.blank_card(HEIGHT_IN + len(lines) * style.height_of("", size=style.LABEL_PT))
    axes = figure.subplots()
    if not any(line.points for line in lines):
        style.say_instead(axes, "there are no results yet")
        return figure
    for line, colour, marker in zip(lines, cycle(COLOURS), cycle(MARKERS)):
        at, shares = [p.at for p in line.points], [p.share for p in line.points]
        below = [max(p.share - p.low, 0) for p in line.points]
        above = [max(p.high - p.share, 0) for p in line.points]
        axes.errorbar(
            at,
            shares,
            yerr=[below, above],
            color=colour,
            marker=marker,
            lw=1.8,
            capsize=3,
            label=line.name,
        )
    every = _apart(sorted({point.at for line in lines for point in line.points}), is_log=is_log)
    if is_log:
        axes.set_xscale("log")
    axes.set_xticks(every, labels=[f"{at:,}" for at in every])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    figure.legend(loc="outside lower left", fontsize=style.LABEL_PT)
    return figure


def _apart(values: Sequence[int], *, is_log: bool) -> list[int]:
    """Choose values whose labels do not cover each other; the last one is among them."""
    places = [math.log(max(value, 1)) if is_log else float(value) for value in values]
    room = MIN_APART * (places[-1] - places[0])
    kept: list[int] = []
    last = math.inf
    for value, place in zip(reversed(values), reversed(places), strict=True):
        if last - place >= room:
            kept.insert(0, value)
            last = place
    return kept
