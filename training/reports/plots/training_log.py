"""Plot loss, perplexity and accuracy over the steps of one or several training runs."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from storage.sentences import Sentence
from training.errors import NotPlottableError
from training.reports.plots import style

MEASURES = {
    "loss": Sentence("How far off the guesses were (loss)"),
    "perplexity": Sentence("How many words the model hesitated between (perplexity)"),
    "accuracy": Sentence("How often the hidden word was guessed (accuracy)"),
}
LOWER, HIGHER = Sentence("training step; lower is better"), Sentence("training step; higher is better")
MEANINGS = (
    Sentence("on the training texts (faint: each step)"),
    Sentence("on texts that it never saw"),
)
COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.BROWN)
MARKERS = "osD^vPX"  # as many as are prime to the colours: 35 pairs before one comes again
SMOOTHED_SHARE = 25  # a point is the mean of this part of the run around it
MAX_SMOOTHED = 201
MAX_MARKERS = 15
MAX_VALUE = 1e100  # axes overflow with perplexities of the e304 that a hopeless loss is logged as
PANEL_IN = 1.9

Floats = npt.NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a `training_log.jsonl`; skips a line that a crash left half-written.

    Raises:
        NotPlottableError: There is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError as error:
        raise NotPlottableError(
            f"there is no training log at {path}", "Only `python -m training domain` writes one."
        ) from error
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


def plot_training(logs: Mapping[str, Rows], path: Path) -> None:
    """Plot the training logs of recipes (label → rows, as `read_log` gives them) to a PNG file.

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
    """
    with style.in_style():
        style.save(training_figure(logs), path)


def training_figure(logs: Mapping[str, Rows]) -> Figure:
    """Draw a panel per measure with every recipe in each."""
    return style.stacked("", training_panels(logs))


def training_panels(logs: Mapping[str, Rows]) -> list[style.Panel]:
    """Make a panel per measure: training as a thin line, held-out text with markers; then what they mean."""
    labels = [style.wrapped(label, size=style.LABEL_PT, width_in=0.8 * style.INNER_IN) for label in logs]

    def panel(measure: str, heading: Sentence) -> style.Panel:
        return style.Panel(style.say(heading), PANEL_IN, lambda axes: draw_measure(axes, logs, measure))

    def explain(axes: Axes) -> None:
        axes.set_axis_off()
        pairs = [(label, *each) for label, *each in zip(labels, cycle(COLOURS), cycle(MARKERS)) if label]
        lines = [Line2D([], [], color=colour, marker=marker, lw=1.8) for _, colour, marker in pairs]
        lines += [
            Line2D([], [], color=style.GREY, lw=1.1),
            Line2D([], [], color=style.GREY, marker="o", lw=1.8),
        ]
        axes.legend(
            lines,
            [*(label for label, *_ in pairs), *map(style.say, MEANINGS)],
            loc="upper left",
            bbox_to_anchor=(0, 0, 1, 1),
            borderaxespad=0.0,
            fontsize=style.LABEL_PT,
        )

    legend_in = sum(
        style.height_of(label, size=style.LABEL_PT) + 0.04 for label in [*filter(None, labels), "", ""]
    )
    return [
        *(panel(measure, heading) for measure, heading in MEASURES.items()),
        style.Panel("", legend_in, explain),
    ]


def curve(rows: Rows, measure: str, *, held_out: bool) -> tuple[Floats, Floats, int]:
    """Return steps, values of a measure in the order of steps, and how many cannot be drawn and are left out.

    Where a step was logged twice, as after a kill, the later row counts.
    """
    by_step: dict[int, Any] = {}
    for row in rows:
        figures = row.get("held_out") if held_out else row
        if isinstance(figures, Mapping) and measure in figures:
            by_step[row["step"]] = figures[measure]
    finite = {step: float(value) for step, value in sorted(by_step.items()) if _is_drawable(value, measure)}
    return np.array([*finite], dtype=float), np.array([*finite.values()]), len(by_step) - len(finite)


def smoothed(values: Floats) -> Floats:
    """Compute a centred moving average over a fixed part of the run; the window narrows at both ends."""
    window = min(len(values) // SMOOTHED_SHARE, MAX_SMOOTHED) | 1  # odd, so that it is centred
    kernel = np.ones(window)
    if not len(values):
        return values
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _is_drawable(value: Any, measure: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_VALUE
    return is_number and (measure != "perplexity" or value > 0)


def draw_measure(axes: Axes, logs: Mapping[str, Rows], measure: str) -> None:
    """Draw one measure of every recipe."""
    drawn: list[float] = []
    left_out = 0
    for rows, colour, marker in zip(logs.values(), cycle(COLOURS), cycle(MARKERS)):
        steps, values, missing = curve(rows, measure, held_out=False)
        held_at, held, held_missing = curve(rows, measure, held_out=True)
        # The mean of logarithms: on a log axis one step of a thousand would else lift the whole line.
        line = np.exp(smoothed(np.log(values))) if measure == "perplexity" else smoothed(values)
        alone = "." if len(steps) == 1 else None
        axes.plot(steps, values, color=colour, lw=0.7, alpha=0.25)
        axes.plot(steps, line, color=colour, lw=1.1, marker=alone)
        (markers,) = axes.plot(
            held_at, held, color=colour, lw=1.8, marker=marker, ms=6, mec=style.CARD, zorder=3
        )
        markers.set_markevery(max(1, math.ceil(len(held_at) / MAX_MARKERS)))
        drawn += [*values, *held]
        left_out += missing + held_missing
    if not drawn:
        style.say_instead(axes, style.say(Sentence("nothing to show")))
        return
    _set_scale(axes, measure, min(drawn), max(drawn))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ",.0f")))
    meaning = style.say(HIGHER if measure == "accuracy" else LOWER)
    if left_out:
        meaning = style.say(Sentence("{meaning} (values left out: {n:,})", meaning=meaning, n=left_out))
    style.below(axes, meaning)


def _set_scale(axes: Axes, measure: str, low: float, high: float) -> None:
    """Fit the axis to the values, however close they are, and label it with plain numbers."""
    if measure == "perplexity":
        spread = high / low
        margin = max(1.02, spread**0.05)
        subs = (1, 1.5, 2, 3, 5, 7) if spread < 30 else (1, 2, 5) if spread < 1e4 else (1,)
        axes.set_yscale("log")
        axes.set_ylim(low / margin, high * margin)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5) if spread < 3 else LogLocator(subs=subs))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        margin = max(0.05 * (high - low), 0.02 * high, 0.001)
        axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(
        FuncFormatter(
            lambda value, _: (
                style.say(Sentence("{n:.3g}%", n=100 * value))
                if measure == "accuracy"
                else style.number(value, ",.6g")
            )
        )
    )
