"""Plot a run: judged words, words that entered and left the shown ones, guarded suites, and the loss."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from storage.sentences import Sentence
from training.evaluation.gate import GUARDED_SUITES, limit_of
from training.reports.plots.style import (
    BLUE,
    GREEN,
    GREY,
    LABEL_PT,
    TEXT_PT,
    TITLE_PT,
    VERMILION,
    WIDTH_IN,
    blank_card,
    height_of,
    height_of_bars,
    name_bars,
    number,
    say,
    say_instead,
    wrapped,
)
from training.reports.plots.training_log import MEASURES, draw_measure

MAX_MOVED = 6  # words that came, and as many that went
MIN_PLACES = 5
WORD_IN = 1.35
MIN_PANEL_IN, LOG_IN = 2.3, 3.2
Draw = Callable[[Axes], None]


@dataclass(frozen=True, slots=True)
class SuiteChange:
    """The wanted share of one suite in [0, 1], before and after, with the 95 % interval of the change."""

    name: str
    before: float
    after: float
    low: float | None = None
    high: float | None = None
    may_lose: float | None = None


@dataclass(frozen=True, slots=True)
class JudgedWords:
    """The number of wanted or unwanted words, and how many of them were shown before and after."""

    words: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Everything that is drawn of a run; empty parts get no panel.

    Attributes:
        version: whose training log is drawn, if it has one.
        title: one line above all.
        asked: wanted and unwanted words.
        came, went: word → sentences on which it came to be shown, or left.
        shown_words: words that people see of each mask.
        kept: what must not get worse.
        loss: (step, loss) of a short training.
        perplexity: before and after.
    """

    version: str
    title: str
    asked: tuple[JudgedWords, JudgedWords] | None
    came: Mapping[str, int]
    went: Mapping[str, int]
    shown_words: int
    kept: Sequence[SuiteChange]
    loss: Sequence[tuple[int, float]]
    perplexity: tuple[float, float] | None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the JSON object that the bot sends."""
        asked = values.get("asked")
        return cls(
            version=values["version"],
            title=values["title"],
            asked=(JudgedWords(*asked["wanted"]), JudgedWords(*asked["unwanted"])) if asked else None,
            came=values.get("came") or {},
            went=values.get("went") or {},
            shown_words=values.get("shown_words", 0),
            kept=[_kept(suite) for suite in values.get("kept") or ()],
            loss=[(int(step), float(loss)) for step, loss in values.get("loss") or ()],
            perplexity=tuple(values["perplexity"]) if values.get("perplexity") else None,
        )


def _kept(values: Mapping[str, Any]) -> SuiteChange:
    suite = values["suite"]
    return SuiteChange(
        GUARDED_SUITES[suite].subject,
        values["before"],
        values["after"],
        values.get("low"),
        values.get("high"),
        limit_of(suite) if values["is_limited"] else None,
    )


def run_report_figure(figures: RunFigures, log: Sequence[Mapping[str, Any]] = ()) -> Figure:
    """Draw panels in pairs, and a domain model's training log below them."""
    title = wrapped(figures.title, size=TITLE_PT, width_in=WIDTH_IN - 0.5)
    panels: list[tuple[float, Draw]] = []
    if figures.asked:
        asked = figures.asked
        panels.append((MIN_PANEL_IN, lambda axes: _draw_asked(axes, asked, figures.shown_words)))
    if figures.asked or figures.came or figures.went:
        words = [_spelled(word) for word in (*_most(figures.came), *_most(figures.went))]
        panels.append(
            (
                0.7 + height_of_bars(words, places=max(MIN_PLACES, len(words))),
                lambda axes: _draw_moved(axes, figures),
            )
        )
    if figures.kept:
        panels.append((MIN_PANEL_IN, lambda axes: _draw_kept(axes, figures.kept)))
    if figures.loss:
        panels.append((MIN_PANEL_IN, lambda axes: _draw_loss(axes, figures)))
    rows = [panels[at : at + 2] for at in range(0, len(panels), 2)]
    heights = [max(MIN_PANEL_IN, *(height for height, _ in row)) for row in rows] + [LOG_IN] * bool(log)
    figure = blank_card(height_of(title, size=TITLE_PT) + 0.2 + sum(heights or [1.0]))
    figure.suptitle(title, x=0.12 / WIDTH_IN, ha="left", fontsize=TITLE_PT)
    if not heights:
        say_instead(figure.subplots(), say(Sentence("there are no figures of this version")))
        return figure
    bands = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for band, row in zip(bands, rows, strict=False):
        for axes, (_, draw) in zip(band.subplots(1, len(row), squeeze=False)[0], row, strict=True):
            draw(axes)
    if log:
        meanings = Sentence("Training (thin lines: each step, smoothed) and held-out text (dots)")
        bands[-1].suptitle(say(meanings), x=0.12 / WIDTH_IN, ha="left", fontsize=TEXT_PT)
        for axes, (measure, name) in zip(bands[-1].subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
            draw_measure(axes, {"": log}, measure)
            axes.set_title(say(name))
    return figure


def _draw_asked(axes: Axes, asked: tuple[JudgedWords, JudgedWords], shown_words: int) -> None:
    """Shares of the judged words that are shown, before and after."""
    axes.set_title(say(Sentence("What people voted for: words in the top {n}", n=shown_words)))
    names = []
    for place, (each, name, colour) in enumerate(
        zip(asked, (Sentence("wanted"), Sentence("rejected")), (BLUE, VERMILION), strict=True)
    ):
        names.append(f"{say(name)}\n({number(each.words, ',')})")
        for offset, count, of_bar in ((-0.2, each.before, GREY), (0.2, each.after, colour)):
            share = count / each.words if each.words else 0.0
            axes.barh(place + offset, share, height=0.36, color=of_bar)
            text = Sentence("{n:,} before", n=count) if offset < 0 else Sentence("{n:,} after", n=count)
            _label(axes, share, place + offset, say(text) if each.words else "–")
    name_bars(axes, names, places=2)
    axes.set_xlim(0, 1.35)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, ".0%")))


def _draw_moved(axes: Axes, figures: RunFigures) -> None:
    """Bars to the right for words that entered, to the left for words that left."""
    came, went = _most(figures.came), _most(figures.went)
    if not came and not went:
        say_instead(axes, say(Sentence("no word came into a top {n}, none left one", n=figures.shown_words)))
        return
    axes.set_title(say(Sentence("Words that came into the top {n}, and that left it", n=figures.shown_words)))
    moves = [
        *((word, count) for word, count in came.items()),
        *((word, -count) for word, count in went.items()),
    ]
    places = range(len(moves))
    axes.barh(
        places, [m for _, m in moves], color=[GREEN if m > 0 else VERMILION for _, m in moves], height=0.7
    )
    for place, (_, move) in zip(places, moves, strict=True):
        _label(axes, move, place, number(move, "+,").replace("-", "−"), left=move < 0)
    name_bars(axes, [_spelled(word) for word, _ in moves], places=max(MIN_PLACES, len(moves)))
    low, high = -max(went.values(), default=0), max(came.values(), default=0)
    chars = len(f"{max([*came.values(), *went.values()]):,}")
    room = (high - low) * (0.06 + 0.035 * chars)
    axes.set_xlim(low - room if went else 0, high + room if came else 0)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(abs(value), ",.0f")))
    axes.set_xlabel(say(Sentence("sentences")), fontsize=LABEL_PT)


def _draw_kept(axes: Axes, kept: Sequence[SuiteChange]) -> None:
    """Changes of wanted shares in percentage points, with intervals and limits."""
    axes.set_title(say(Sentence("What must not get worse: change in points")))
    ends = [0.0]
    for place, suite in enumerate(kept):
        change = 100 * (suite.after - suite.before)
        is_lost = suite.may_lose is not None and change < -100 * suite.may_lose
        colour = VERMILION if is_lost else BLUE
        ends.append(change)
        if suite.low is not None and suite.high is not None:
            axes.plot([100 * suite.low, 100 * suite.high], [place, place], color=colour, lw=2, alpha=0.5)
            ends += [100 * suite.low, 100 * suite.high]
        axes.plot(change, place, "o", color=colour, ms=7)
        if suite.may_lose is not None:
            limit = -100 * suite.may_lose
            axes.plot([limit, limit], [place - 0.32, place + 0.32], color=VERMILION, lw=2)
            ends.append(limit)
    names = [
        f"{wrapped(say(suite.name), size=LABEL_PT, width_in=1.6)}\n"
        f"{number(suite.before, '.1%')} → {number(suite.after, '.1%')}"
        for suite in kept
    ]
    name_bars(axes, names, places=len(kept))
    axes.axvline(0, color=GREY, lw=0.8)
    room = max(0.1 * (max(ends) - min(ends)), 0.5)
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: number(value, "+.3g").replace("-", "−") if value else "0")
    )
    notes = [Sentence("line: 95 % interval")] if any(suite.low is not None for suite in kept) else []
    notes += [Sentence("upright: the limit")] if any(suite.may_lose is not None for suite in kept) else []
    axes.set_xlabel("; ".join(map(say, notes)), fontsize=LABEL_PT)


def _draw_loss(axes: Axes, figures: RunFigures) -> None:
    """The training loss of a night, one point per report."""
    title = Sentence("Training loss")
    if figures.perplexity:
        before, after = (number(p, f",.{0 if p >= 1000 else 2}f") for p in figures.perplexity)
        title = Sentence("Training loss (perplexity {before} → {after})", before=before, after=after)
    axes.set_title(say(title))
    axes.plot(*zip(*figures.loss, strict=True), color=BLUE, lw=1.6, marker="o", ms=4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, ",.6g")))
    axes.margins(y=0.15)
    axes.set_xlabel(say(Sentence("step")), fontsize=LABEL_PT)


def _most(words: Mapping[str, int]) -> dict[str, int]:
    """The `MAX_MOVED` words that moved in the most sentences."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:MAX_MOVED])


def _spelled(word: str) -> str:
    return wrapped(word, size=LABEL_PT, width_in=WORD_IN)


def _label(axes: Axes, x: float, y: float, text: str, *, left: bool = False) -> None:
    axes.annotate(
        text,
        (x, y),
        (-5 if left else 5, 0),
        textcoords="offset points",
        va="center",
        ha="right" if left else "left",
        fontsize=LABEL_PT,
    )
