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
FIGURES_IN, LEGEND_IN = 3.0, 0.3
WORD_IN = 1.6
MIN_PLACES = 5
MIN_SHARE_SHOWN = 0.05  # so that an axis without data has readable ticks


def plot_corpus_health(before: CorpusHealth, after: CorpusHealth, path: Path) -> None:
    """Plot the cells of the CSV files (before) and the sentences made of them (after) to a PNG file.

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
    """
    with style.in_style():
        style.save(corpus_health_figure(before, after), path)


def corpus_health_figure(before: CorpusHealth, after: CorpusHealth) -> Figure:
    """Lengths, duplicates and sentiment above; the most frequent words, before and after, below."""
    sides = {"before": before, "after": after}
    words = {
        side: [style.wrapped(word, size=style.LABEL_PT, width_in=WORD_IN) for word, _ in health.top_words]
        for side, health in sides.items()
    }
    places = max(MIN_PLACES, len(words["before"]), len(words["after"]))
    words_in = 0.6 + style.height_of_bars(["", *words["before"], *words["after"]], places=places)
    figure = style.blank_card(FIGURES_IN + words_in + LEGEND_IN)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(FIGURES_IN, words_in))[:, 0]
    lengths, duplicates, sentiment = above.subplots(1, 3, width_ratios=(5, 2, 4))
    _draw_lengths(lengths, sides)
    duplicates.set_title("Duplicates")
    _draw_shares(duplicates, {"": {side: health.duplicate_share for side, health in sides.items()}})
    sentiment.set_title("Sentiment by VADER")
    feelings = ("positive", "neutral", "negative")
    _draw_shares(
        sentiment,
        {f: {side: getattr(health.sentiment, f) for side, health in sides.items()} for f in feelings},
    )
    rated = " and ".join(f"{health.sentiment.rated:,}" for health in sides.values())
    sentiment.set_xlabel(f"{rated} texts rated", fontsize=style.LABEL_PT)
    rates = {side: _rates(health) for side, health in sides.items()}
    highest = max([*rates["before"], *rates["after"]], default=1.0)
    for axes, side in zip(below.subplots(1, 2), sides, strict=True):
        if not words[side]:
            style.say_instead(axes, f"no words {side} cleaning")
            continue
        axes.set_title(f"The {len(words[side])} most frequent words {side} cleaning")
        axes.barh(range(len(words[side])), rates[side], color=COLOURS[side], height=0.7)
        axes.set_xlim(0, 1.05 * highest)
        axes.set_xlabel("times in 1,000 words", fontsize=style.LABEL_PT)
        style.label_bars(axes, words[side], places=places)
    counts = (f"before cleaning: {before.texts:,} cells", f"after cleaning: {after.texts:,} sentences")
    patches = [Patch(color=colour) for colour in COLOURS.values()]
    figure.legend(patches, counts, loc="outside upper left", ncols=2, borderaxespad=0.7)
    return figure


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
    medians = [f"{h.median_length:,.0f}" if h.texts else "–" for h in sides.values()]
    axes.set_title(f"Words per text (median {medians[0]}, then {medians[1]})")
    ticks = [*range(0, LENGTHS[-1], 20), LENGTHS[-1]]
    axes.set_xticks(ticks, labels=[*map(str, ticks[:-1]), f"{ticks[-1]}+"])
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("words", fontsize=style.LABEL_PT)


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
