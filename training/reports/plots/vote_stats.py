"""Plot votes per day, and the share of 👍 of each model version."""

import math
from collections.abc import Sequence
from datetime import date

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from pydantic import BaseModel

from storage.sentences import Sentence
from training.reports.plots import style

DAYS_IN = 2.1
MAX_TICKS = 5
Z = 1.96  # of the normal distribution, for 95 %


class VoteStats(BaseModel):
    """The JSON object that the bot sends.

    Attributes:
        days: Day, 👍 and 👎, every day in order.
        versions: Version, 👍 and all votes, newest first.
    """

    days: list[tuple[date, int, int]]
    versions: list[tuple[str, int, int]]


def vote_stats_figure(stats: VoteStats) -> Figure:
    """Draw days above and versions below."""
    if any(up + down for _, up, down in stats.days):
        days = style.Panel(
            style.say(Sentence("Votes per day")), DAYS_IN, lambda axes: _draw_days(axes, stats.days)
        )
    else:
        days = style.text_panel(style.say(Sentence("there are no votes from these days")))
    if stats.versions:
        names = [name for name, _, _ in stats.versions]
        versions = style.Panel(
            style.say(Sentence("Thumbs up, by the model version that answered")),
            0.3 + style.height_of_bars(names, places=max(2, len(names))),
            lambda axes: _draw_versions(axes, stats.versions),
        )
    else:
        versions = style.text_panel(style.say(Sentence("no version was voted on")))
    return style.stacked("", [days, versions])


def interval(liked: int, votes: int) -> tuple[float, float]:
    """Compute the 95 % Wilson score interval of a share, in [0, 1]."""
    share, shrink = liked / votes, 1 + Z**2 / votes
    centre = (share + Z**2 / (2 * votes)) / shrink
    half = Z * math.sqrt(share * (1 - share) / votes + (Z / (2 * votes)) ** 2) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def _draw_days(axes: Axes, days: Sequence[tuple[date, int, int]]) -> None:
    ups, downs = [up for _, up, _ in days], [down for _, _, down in days]
    places = range(len(days))
    axes.bar(places, ups, width=0.8, color=style.BLUE)
    axes.bar(places, downs, width=0.8, bottom=ups, color=style.VERMILION)
    step = max(1, math.ceil((len(days) - 1) / (MAX_TICKS - 1)))
    shown = [*reversed(range(len(days) - 1, -1, -step))]  # today is always named
    axes.set_xticks(shown, labels=[_day(days[at][0]) for at in shown])
    axes.set_xlim(-0.8, len(days) - 0.2)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.08 * max(up + down for up, down in zip(ups, downs, strict=True)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ",.0f")))
    labels = (
        style.say(Sentence("thumbs up: {n:,}", n=sum(ups))),
        style.say(Sentence("thumbs down: {n:,}", n=sum(downs))),
    )
    patches = [Patch(color=colour) for colour in (style.BLUE, style.VERMILION)]
    style.legend(axes, patches, labels, columns=2)


def _draw_versions(axes: Axes, versions: Sequence[tuple[str, int, int]]) -> None:
    """Draw the share of 👍 of each version, with its interval."""
    for place, (_, liked, votes) in enumerate(versions):
        low, high = interval(liked, votes)
        axes.plot([low, high], [place, place], color=style.BLUE, lw=2, alpha=0.5)
        axes.plot(liked / votes, place, "o", color=style.BLUE, ms=7)
        text = style.say(Sentence("{share:.0%} of {votes:,}", share=liked / votes, votes=votes))
        axes.annotate(text, (1.06, place), va="center", fontsize=style.LABEL_PT, annotation_clip=False)
    style.label_bars(axes, [name for name, _, _ in versions], places=max(2, len(versions)))
    axes.axvline(0.5, color=style.GREY, lw=0.8)
    axes.set_xlim(0, 1.42)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ".0%")))
    style.below(axes, Sentence("line: 95 % interval"))


def _day(day: date) -> str:
    return style.say(Sentence("{day} {month}", day=day.day, month=f"{day:%b}"))
