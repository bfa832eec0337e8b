"""The corpus before and after cleaning: lengths, duplicates, sentiment and frequent words."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.corpus.health import LENGTHS, CorpusHealth
from training.reports.plots import style

COLOURS = {"before": style.VERMILION, "after": style.BLUE}
FIGURES_IN = 2.0
WORD_IN = 1.6
MIN_SHARE_SHOWN = 0.05  # so that an axis without data has readable ticks


def plot_corpus_health(before: CorpusHealth, after: CorpusHealth, path: Path) -> None:
    """Plot the cells of the CSV files (before) and the sentences made of them (after) to a PNG file.

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
    """
    with style.in_style():
        style.save(corpus_health_figure(before, after), path)


def corpus_health_figure(before: CorpusHealth, after: CorpusHealth) -> Figure:
    """Lengths, duplicates, sentiment, and the most frequent words before and after."""
    sides = {"before": before, "after": after}
    counts = (f"before cleaning: {before.texts:,} cells", f"after cleaning: {after.texts:,} sentences")
    medians = [f"{h.median_length:,.0f}" if h.texts else "–" for h in sides.values()]
    duplicates = {"": {side: health.duplicate_share for side, health in sides.items()}}
    feelings = {
        feeling: {side: getattr(health.sentiment, feeling) for side, health in sides.items()}
        for feeling in ("positive", "neutral", "negative")
    }
    rated = " and ".join(f"{health.sentiment.rated:,}" for health in sides.values())

    def draw_lengths(axes: Axes) -> None:
        _draw_lengths(axes, sides)
        style.legend(axes, [Patch(color=colour) for colour in COLOURS.values()], counts)

    def draw_sentiment(axes: Axes) -> None:
        _draw_shares(axes, feelings)
        style.below(axes, f"{rated} texts rated")

    panels = [
        style.Panel(f"Words per text (median {medians[0]}, then {medians[1]})", FIGURES_IN, draw_lengths),
        style.Panel("Duplicates", FIGURES_IN - 0.5, lambda axes: _draw_shares(axes, duplicates)),
        style.Panel("Sentiment by VADER", FIGURES_IN - 0.2, draw_sentiment),
    ]
    highest = max([*_rates(before), *_rates(after)], default=1.0)
    panels += [_words_panel(side, health, highest) for side, health in sides.items()]
    return style.stacked("", panels)


def _words_panel(side: str, health: CorpusHealth, highest: float) -> style.Panel:
    words = [style.wrapped(word, size=style.LABEL_PT, width_in=WORD_IN) for word, _ in health.top_words]
    if not words:
        return style.text_panel(f"no words {side} cleaning")

    def draw(axes: Axes) -> None:
        axes.barh(range(len(words)), _rates(health), color=COLOURS[side], height=0.7)
        axes.set_xlim(0, 1.05 * highest)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        style.label_bars(axes, words, places=len(words))
        style.below(axes, "times in 1,000 words")

    height_in = 0.3 + style.height_of_bars(words, places=max(2, len(words)))
    return style.Panel(f"The {len(words)} most frequent words {side} cleaning", height_in, draw)


def _rates(health: CorpusHealth) -> list[float]:
    """Return the occurrences of the most frequent words per 1,000 words."""
    return [1000 * count / health.words for _, count in health.top_words]


def _draw_lengths(axes: Axes, sides: dict[str, CorpusHealth]) -> None:
    """Draw the shares of texts by number of words, and the medians."""
    edges = [0, *LENGTHS, LENGTHS[-1] + 5]  # the longest share the last bin
    for side, health in sides.items():
        shares = np.array(health.lengths) / max(health.texts, 1)
        axes.stairs(shares, edges, color=COLOURS[side], lw=1.5)
        axes.stairs(shares, edges, color=COLOURS[side], fill=True, alpha=0.2)
    ticks = [*range(0, LENGTHS[-1], 20), LENGTHS[-1]]
    axes.set_xticks(ticks, labels=[*map(str, ticks[:-1]), f"{ticks[-1]}+"])
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _draw_shares(axes: Axes, shares: dict[str, dict[str, float]]) -> None:
    """Draw two bars per group, each with its percentage."""
    for offset, side in ((-0.2, "before"), (0.2, "after")):
        values = [of[side] for of in shares.values()]
        places = np.arange(len(values)) + offset
        axes.bar(places, values, width=0.38, color=COLOURS[side])
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:.0%}" if value >= 0.1 or not value else f"{value:.1%}",
                (place, value),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=style.LABEL_PT,
            )
    axes.set_xticks(range(len(shares)), labels=list(shares))
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.2 * max(MIN_SHARE_SHOWN, *(value for of in shares.values() for value in of.values())))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
