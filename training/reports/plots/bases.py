"""Plot base models side by side: what a night teaches them, and how long a query takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reports.plots import style

BAR_IN, AXIS_IN = 0.34, 0.9


@dataclass(frozen=True, slots=True)
class Bars:
    """What is drawn of a base: wanted shares before and after a night, and milliseconds a query."""

    name: str
    before: float
    after: float
    milliseconds: float


def plot_bases(bases: Sequence[Bars], path: Path) -> None:
    """Plot them to a PNG file.

    Raises:
        PlotUnwritableError: the folder or the file cannot be written.
    """
    with style.in_style():
        style.save(bases_figure(bases), path)


def bases_figure(bases: Sequence[Bars]) -> Figure:
    """Draw the wanted share before and after the night, and below it milliseconds a query."""
    height = AXIS_IN + BAR_IN * max(1, len(bases))

    def shares(axes: Axes) -> None:
        for place, base in enumerate(bases):
            before, after = base.before, base.after
            axes.plot([before, after], [place, place], color=style.GREY, lw=2)
            axes.plot(before, place, "o", color=style.GREY)
            axes.plot(after, place, "o", color=style.BLUE)
            style.label(axes, max(before, after), place, f"{before:.2f} → {after:.2f}")
        axes.set_xlim(0, 1.25)  # room for the labels
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        style.label_bars(axes, [base.name for base in bases], places=max(1, len(bases)))

    def milliseconds(axes: Axes) -> None:
        taken = [base.milliseconds for base in bases]
        axes.barh(range(len(bases)), taken, color=style.BLUE, height=0.5)
        for place, value in enumerate(taken):
            style.label(axes, value, place, f"{value:.1f} ms")
        axes.set_xlim(0, 1.25 * max(taken, default=1.0))
        style.label_bars(axes, [base.name for base in bases], places=max(1, len(bases)))

    return style.stacked(
        "Base models side by side",
        [
            style.Panel("Wanted share on praise, before → after a night", height, shares),
            style.Panel("Median of a query", height, milliseconds),
        ],
    )
