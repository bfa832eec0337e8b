"""Plot a run: judged words, words that entered and left the shown ones, guarded suites, and the loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from pydantic import BaseModel

from storage.sentences import Sentence
from training.evaluation.gate import limit_of
from training.evaluation.guarded_suites import GUARDED_SUITES
from training.reports.plots import style
from training.reports.plots.training_log import training_panels

MAX_MOVED = 4  # words that entered the shown ones, and as many that left
WORD_IN = 1.8
Draw = Callable[[Axes], None]


class SuiteChange(BaseModel):
    """The wanted share of one suite in [0, 1], before and after, with the 95 % interval of the change."""

    suite: str
    before: float
    after: float
    low: float | None = None
    high: float | None = None
    is_limited: bool

    @property
    def may_lose(self) -> float | None:
        """The loss that the gate allows; None if it sets no limit."""
        return limit_of(self.suite) if self.is_limited else None


class JudgedWords(NamedTuple):
    """The number of wanted or unwanted words, and how many of them were shown before and after."""

    words: int
    before: int
    after: int


class RunFigures(BaseModel):
    """The JSON object that the bot sends about a run; empty parts get no panel.

    Attributes:
        version: The version whose training log is drawn, if it has one.
        title: One line above all panels.
        asked: Side ("wanted" or "unwanted") → its judged words.
        came, went: Word → number of sentences on which it entered or left the shown words.
        shown_words: Words that people see for each mask.
        kept: The guarded suites.
        loss: (step, loss) of a short training.
        perplexity: Before and after.
    """

    version: str
    title: str
    asked: dict[str, JudgedWords] = {}
    came: dict[str, int] = {}
    went: dict[str, int] = {}
    shown_words: int = 0
    kept: list[SuiteChange] = []
    loss: list[tuple[int, float]] = []
    perplexity: tuple[float, float] | None = None


def run_report_figure(figures: RunFigures, log: Sequence[Mapping[str, Any]] = ()) -> Figure:
    """Draw the panels below one another, a domain model's training log last."""
    title = style.wrapped(figures.title, size=style.TITLE_PT, width_in=style.INNER_IN)
    panels: list[style.Panel] = []
    top = figures.shown_words
    if figures.asked:
        heading = Sentence("What people voted for: words in the top {n}", n=top)
        panels.append(_panel(heading, 1.25, lambda axes: _draw_asked(axes, figures)))
    if moves := _moves(figures):
        height = 0.25 + style.height_of_bars([_spelled(word) for word, _ in moves], places=len(moves))
        heading = Sentence("Words that entered and left the top {n}", n=top)
        panels.append(_panel(heading, max(1.0, height), lambda axes: _draw_moved(axes, moves)))
    elif figures.asked:
        panels.append(
            style.text_panel(style.say(Sentence("no word came into a top {n}, none left one", n=top)))
        )
    if figures.kept:
        heading = Sentence("What must not get worse: change in percentage points")
        height = 0.75 + 0.42 * len(figures.kept)
        panels.append(_panel(heading, height, lambda axes: _draw_kept(axes, figures.kept)))
    if figures.perplexity:
        panels.append(_perplexity_panel(*figures.perplexity))
    if figures.loss:
        heading = Sentence("How far off the guesses were during training (loss)")
        panels.append(_panel(heading, 1.25, lambda axes: _draw_loss(axes, figures.loss)))
    if log:
        panels += training_panels({"": log})
    if not panels:
        panels.append(style.text_panel(style.say(Sentence("there are no figures of this version"))))
    return style.stacked(title, panels)


def _panel(heading: Sentence, height_in: float, draw: Draw) -> style.Panel:
    return style.Panel(style.say(heading), height_in, draw)


def _perplexity_panel(before: float, after: float) -> style.Panel:
    """Say the perplexity in words: the number alone means nothing to those who do not know the measure."""
    change = after / before - 1
    shown = [style.number(value, f",.{0 if value >= 100 else 1}f") for value in (before, after)]
    sentence = Sentence(
        "At a hidden word this model is as unsure as between {after} equally likely words; the domain model "
        "that it started from, as between {before} (perplexity: {change}, less is better).",
        before=shown[0],
        after=shown[1],
        change=style.number(change, "+.1%").replace("-", "−"),
    )
    return style.text_panel(style.say(sentence), style.say(Sentence("Ordinary English")))


def _draw_asked(axes: Axes, figures: RunFigures) -> None:
    """Draw the shares of the judged words that are shown, before and after."""
    names = []
    sides = (
        ("wanted", Sentence("wanted"), style.BLUE),
        ("unwanted", Sentence("rejected"), style.VERMILION),
    )
    for place, (side, name, colour) in enumerate(sides):
        each = figures.asked[side]
        names.append(f"{style.say(name)}\n({style.number(each.words, ',')})")
        for offset, count, of_bar in ((-0.2, each.before, style.GREY), (0.2, each.after, colour)):
            share = count / each.words if each.words else 0.0
            axes.barh(place + offset, share, height=0.36, color=of_bar)
            text = Sentence("{n:,} before", n=count) if offset < 0 else Sentence("{n:,} after", n=count)
            style.label(axes, share, place + offset, style.say(text) if each.words else "–")
    style.label_bars(axes, names, places=2)
    axes.set_xlim(0, 1.35)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ".0%")))


def _draw_moved(axes: Axes, moves: Sequence[tuple[str, int]]) -> None:
    """Draw bars to the right for words that entered, to the left for words that left."""
    for place, (_, move) in enumerate(moves):
        axes.barh(place, move, color=style.GREEN if move > 0 else style.VERMILION, height=0.7)
        style.label(axes, move, place, style.number(move, "+,").replace("-", "−"), left=move < 0)
    style.label_bars(axes, [_spelled(word) for word, _ in moves], places=len(moves))
    low, high = min(0, *(move for _, move in moves)), max(0, *(move for _, move in moves))
    chars = len(f"{max(high, -low):,}")
    room = (high - low) * (0.1 + 0.075 * chars)
    axes.set_xlim(low - room if low else 0, high + room if high else 0)
    axes.axvline(0, color=style.GREY, lw=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3 if chars > 5 else 5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(abs(value), ",.0f")))
    style.below(axes, Sentence("number of sentences"))


def _draw_kept(axes: Axes, kept: Sequence[SuiteChange]) -> None:
    """Draw the changes of wanted shares in percentage points, with intervals and limits."""
    ends = [0.0]
    for place, suite in enumerate(kept):
        change = 100 * (suite.after - suite.before)
        is_lost = suite.may_lose is not None and change < -100 * suite.may_lose
        colour = style.VERMILION if is_lost else style.BLUE
        ends.append(change)
        if suite.low is not None and suite.high is not None:
            axes.plot([100 * suite.low, 100 * suite.high], [place, place], color=colour, lw=2, alpha=0.5)
            ends += [100 * suite.low, 100 * suite.high]
        axes.plot(change, place, "o", color=colour, ms=7)
        if suite.may_lose is not None:
            limit = -100 * suite.may_lose
            axes.plot([limit, limit], [place - 0.32, place + 0.32], color=style.VERMILION, lw=2)
            ends.append(limit)
    names = []
    for each in kept:
        subject = _spelled(style.say(GUARDED_SUITES[each.suite].subject), width_in=1.6)
        before, after = (style.number(share, ".1%") for share in (each.before, each.after))
        names.append(f"{subject}\n{before} → {after}")
    style.label_bars(axes, names, places=len(kept))
    axes.axvline(0, color=style.GREY, lw=0.8)
    room = max(0.1 * (max(ends) - min(ends)), 0.5)
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: style.number(value, "+.3g").replace("-", "−") if value else "0")
    )
    notes = [Sentence("line: 95 % interval")] if any(suite.low is not None for suite in kept) else []
    notes += [Sentence("vertical: the limit")] if any(suite.may_lose is not None for suite in kept) else []
    if notes:
        style.below(axes, "; ".join(map(style.say, notes)))


def _draw_loss(axes: Axes, loss: Sequence[tuple[int, float]]) -> None:
    """Draw the training loss of a night, one point per report."""
    axes.plot(*zip(*loss, strict=True), color=style.BLUE, lw=1.6, marker="o" if len(loss) < 40 else "", ms=4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ",.0f")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ",.6g")))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.margins(y=0.15)
    style.below(axes, Sentence("training step; lower is better"))


def _moves(figures: RunFigures) -> list[tuple[str, int]]:
    """Return the words that moved in most sentences; those that left have negative counts."""
    came, went = (
        sorted(words.items(), key=lambda item: (-item[1], item[0]))[:MAX_MOVED]
        for words in (figures.came, figures.went)
    )
    return [*came, *((word, -sentences) for word, sentences in went)]


def _spelled(word: str, *, width_in: float = WORD_IN) -> str:
    return style.wrapped(word, size=style.LABEL_PT, width_in=width_in)
