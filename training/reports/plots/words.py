"""Plot the ten best and the ten worst of the thousand likeliest words for each mask of a text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from storage.sentences import Sentence
from training.inference.encoder import finished
from training.inference.fill_model import FillModel
from training.reports.plots import style

LIKELIEST = 1000
SHOWN = 10
MAX_MODELS = 3
MAX_MASKS = 3  # more rows of panels would be too many for one picture
WORD_SHARE = 0.42  # of a column, at most, for the words next to the bars
LEAST_PERCENTAGE = 1e-4  # 0.01 %; less is written as 3.1e-05
LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class RankedWord:
    """A word for one mask: its rank among all offered words, from 1, and its natural-log probability."""

    rank: int
    word: str
    log_probability: float

    @property
    def probability(self) -> float:
        """Its probability, at least the smallest positive float, so that a log axis can show it."""
        return max(math.exp(self.log_probability), LEAST)


@dataclass(frozen=True, slots=True)
class Extremes:
    """Both ends of one mask's ranking, each best first and disjoint.

    Attributes:
        likeliest: How many words were ranked: `LIKELIEST`, or all of a smaller vocabulary.
    """

    best: tuple[RankedWord, ...]
    worst: tuple[RankedWord, ...]
    likeliest: int


def extremes(fill_model: FillModel, text: str) -> list[Extremes]:
    """Rank the thousand likeliest offered words for every mask of a text.

    Raises:
        QueryTooLongError: The text has more word pieces than the model reads.
    """
    found = []
    for row in fill_model.log_probabilities([fill_model.encoder.encode(text)])[0]:
        ranked = [
            RankedWord(rank, fill_model.word_of(token), float(row[token]))
            for rank, token in enumerate(fill_model.best(row, LIKELIEST), start=1)
        ]
        found.append(Extremes(tuple(ranked[:SHOWN]), tuple(ranked[SHOWN:][-SHOWN:]), len(ranked)))
    return found


def plot_words(text: str, models: Mapping[str, FillModel], path: Path) -> None:
    """Plot the best and worst words of one to three models (label → model) for a text with [MASK].

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
        QueryTooLongError: The text has more word pieces than a model reads.
    """
    with style.in_style():
        style.save(
            words_figure(text, {label: extremes(model, text) for label, model in models.items()}), path
        )


def words_figure(text: str, models: Mapping[str, Sequence[Extremes]]) -> Figure:
    """Draw two rows of panels per mask, best above worst, and one column per model (label → its masks).

    Raises:
        ValueError: There is no mask, or there are not one to three models.
    """
    masks = len(next(iter(models.values()), ()))
    if not masks or not 1 <= len(models) <= MAX_MODELS:
        raise ValueError(f"expected a mask and one to {MAX_MODELS} models, not {masks} and {len(models)}")
    column_in = style.WIDTH_IN / len(models)
    title = style.wrapped(finished(text), size=style.TITLE_PT, width_in=style.WIDTH_IN - 0.5)
    if masks > MAX_MASKS:
        title += style.say(Sentence("\n(the first {n} of {masks} masks)", n=MAX_MASKS, masks=masks))
    rows = list(zip(*(each[:MAX_MASKS] for each in models.values()), strict=True))  # (masks, models)
    headings = [
        [_heading(label, mask if masks > 1 else None, column_in) for label in models]
        for mask in range(1, len(rows) + 1)
    ]
    words = [_spelled(w, column_in) for row in rows for each in row for w in (*each.best, *each.worst)]
    heading_in = max(
        style.height_of(f"{heading}\n", size=style.TEXT_PT) for row in headings for heading in row
    )
    panel_in = heading_in + style.height_of_bars(words, places=SHOWN) + 0.15
    figure = style.blank_card(style.height_of(title, size=style.TITLE_PT) + 2 * len(rows) * panel_in)
    figure.suptitle(title, x=0.12 / style.WIDTH_IN, ha="left", fontsize=style.TITLE_PT)
    grid = figure.subplots(2 * len(rows), len(models), squeeze=False)
    for row, heads, best, worst in zip(rows, headings, grid[::2], grid[1::2], strict=True):
        highest = max(word.probability for each in row for word in each.best)
        decades = _decades([word for each in row for word in each.worst])
        for each, heading, above, below in zip(row, heads, best, worst, strict=True):
            above.set_title(style.say(Sentence("{heading}\nthe {n} best", heading=heading, n=len(each.best))))
            _draw_best(above, each.best, highest)
            style.label_bars(above, [_spelled(word, column_in) for word in each.best], places=SHOWN)
            if not each.worst:
                style.say_instead(below, style.say(Sentence("no words but these {n}", n=each.likeliest)))
                continue
            title = Sentence(
                "{heading}\nthe {n} worst of {all:,}", heading=heading, n=len(each.worst), all=each.likeliest
            )
            below.set_title(style.say(title))
            _draw_worst(below, each.worst, decades)
            style.label_bars(below, [_spelled(word, column_in) for word in each.worst], places=SHOWN)
    return figure


def _draw_best(axes: Axes, words: Sequence[RankedWord], highest: float) -> None:
    """Draw bars with one scale for all models."""
    axes.barh(range(len(words)), [word.probability for word in words], color=style.BLUE, height=0.7)
    for place, word in enumerate(words):
        share = word.probability
        style.label(axes, share, place, style.number(share, ".2%" if share >= LEAST_PERCENTAGE else ".1e"))
    axes.set_xlim(0, 1.4 * highest)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: style.say(Sentence("{n:.3g}%", n=100 * value)))
    )


def _draw_worst(axes: Axes, words: Sequence[RankedWord], decades: tuple[int, int]) -> None:
    """Draw points with one scale for all models: a bar would have no base on a log scale."""
    low, high = decades
    values = [word.probability for word in words]
    axes.set_xscale("log")
    axes.set_xlim(10.0**low, 10.0 ** (high + 0.5 * (high - low)))
    axes.hlines(range(len(values)), 10.0**low, values, color=style.VERMILION, lw=1, alpha=0.5)
    axes.plot(values, range(len(values)), "o", color=style.VERMILION, ms=6)
    for place, value in enumerate(values):
        style.label(axes, value, place, style.number(value, ".1e"))
    ticks = [10.0**power for power in range(low, high + 1, math.ceil((high - low) / 3))]
    axes.xaxis.set_major_locator(
        FixedLocator(ticks if len(ticks) > 2 else [ticks[0], 3 * ticks[0], ticks[1]])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ".0e")))


def _decades(words: Sequence[RankedWord]) -> tuple[int, int]:
    """Return the powers of ten around the probabilities, at least one apart."""
    logs = [math.log10(word.probability) for word in words] or [0.0]
    low = math.floor(min(logs))
    return low, max(low + 1, math.ceil(max(logs)))


def _heading(label: str, mask: int | None, column_in: float) -> str:
    """Return a model's label, and the number of the mask if there are several."""
    text = label if mask is None else Sentence("{label}, mask {number}", label=label, number=mask)
    return style.wrapped(style.say(text), size=style.TEXT_PT, width_in=(0.9 - WORD_SHARE) * column_in)


def _spelled(word: RankedWord, column_in: float) -> str:
    return style.wrapped(word.word, size=style.LABEL_PT, width_in=WORD_SHARE * column_in)
