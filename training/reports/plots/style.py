"""The style of all plots, and how they are saved.

A plot is an opaque light card with a border: its contrast is the same on Discord's white and dark
backgrounds, where no colour of a transparent text is far from both, and the border shows where it ends on
white. The colours are safe for colour blindness (after Okabe and Ito, darkened to a contrast of 3:1).
"""

import io
import unicodedata
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import text_to_path

from storage.files.durable import replace_file
from storage.sentences import ENGLISH, Language
from training.errors import PlotUnwritableError

DPI = 300
# Panels stand below one another, so that a text of 10 points is 10 pixels high on a phone that shows the
# picture 330 pixels wide, and 15 pixels high in Discord's preview of 550.
WIDTH_IN = 4.5
INNER_IN = WIDTH_IN - 0.3
CARD, BORDER, INK, FAINT = "#f7f8fa", "#c4c9d2", "#1f2328", "#dfe3e9"
BLUE, VERMILION, GREEN, PURPLE, BROWN, GREY = "#0069a6", "#c44f00", "#00805e", "#a8457f", "#8a6100", "#59636e"
FONT = "DejaVu Sans"  # comes with matplotlib, so that a plot is the same on every machine
# Scripts that it lacks are drawn where one of these is installed (Debian: fonts-noto-core, fonts-noto-cjk).
OTHER_FONTS = (
    *(f"Noto Sans CJK {region}" for region in ("SC", "JP", "KR")),
    *(
        f"Noto Sans {script}"
        for script in ("Devanagari", "Bengali", "Tamil", "Telugu", "Thai", "Hebrew", "Arabic")
    ),
)
UNKNOWN = "?"
_LEFT_OUT = {"So", "Sk", "Mn", "Me", "Cf", "Cc", "Cs", "Co", "Cn"}  # emoji, their skin tones, marks, joiners
_language = ContextVar("language", default=ENGLISH)
TITLE_PT, TEXT_PT, LABEL_PT = 12.0, 10.0, 9.0
GAP_IN = 0.22  # between panels
BOLD = 0.85  # the width of a text relative to the same in bold, which is what `wrapped` does not measure

_STYLE = {
    "font.size": TEXT_PT,
    "text.parse_math": False,  # a `$` in a query is a dollar
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.facecolor": CARD,
    "axes.titlesize": TEXT_PT,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": LABEL_PT,
    "ytick.labelsize": LABEL_PT,
    "legend.frameon": False,
}


@contextmanager
def in_style(language: Language = ENGLISH) -> Iterator[None]:
    """Make and save figures in the block; outside it matplotlib's settings are untouched.

    Within a process it may be entered by one thread at a time: the settings are global.
    """
    token = _language.set(language)
    try:
        with matplotlib.style.context({**_STYLE, "font.family": _fonts()}, after_reset=True):
            yield
    finally:
        _language.reset(token)


def say(what: str) -> str:
    """Say a text of a plot in the language of its context."""
    return _language.get().say(what)


def number(value: float, spec: str) -> str:
    """Format a number with the signs of the context's language."""
    return _language.get().number(value, spec)


def blank_card(height_in: float) -> Figure:
    """Create an empty figure of the usual width with constrained layout."""
    figure = Figure(
        (WIDTH_IN, height_in),
        dpi=DPI,
        facecolor=CARD,
        edgecolor=BORDER,
        linewidth=2,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    return figure


@dataclass(frozen=True, slots=True)
class Panel:
    """One axes of a card.

    Attributes:
        heading: Its title, not yet wrapped; empty for none.
        height_in: Its height without the title.
        draw: Draws into the axes.
    """

    heading: str
    height_in: float
    draw: Callable[[Axes], None]


def stacked(title: str, panels: Sequence[Panel]) -> Figure:
    """Draw panels below one another, under a title that is wrapped already."""
    headings = [wrapped(panel.heading, size=TEXT_PT, width_in=BOLD * INNER_IN) for panel in panels]
    heights = [
        panel.height_in + (height_of(heading, size=TEXT_PT) if heading else 0.0) + GAP_IN
        for panel, heading in zip(panels, headings, strict=True)
    ]
    title_in = height_of(title, size=TITLE_PT) + 0.15 if title else 0.0
    figure = blank_card(title_in + sum(heights) + 0.1)
    if title:
        figure.suptitle(title, x=0.12 / WIDTH_IN, ha="left", fontsize=TITLE_PT)
    bands = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for band, panel, heading in zip(bands, panels, headings, strict=True):
        if heading:
            band.suptitle(heading, x=0.12 / WIDTH_IN, ha="left", fontsize=TEXT_PT, fontweight="bold")
        panel.draw(band.subplots())
    return figure


def text_panel(text: str, heading: str = "") -> Panel:
    """Make a panel of lines of text."""
    lines = "\n".join(wrapped(line, size=TEXT_PT, width_in=INNER_IN) for line in text.split("\n"))

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(0.0, 1.0, lines, transform=axes.transAxes, ha="left", va="top", fontsize=TEXT_PT)

    return Panel(heading, height_of(lines, size=TEXT_PT), draw)


def legend(axes: Axes, handles: Sequence[Artist], labels: Sequence[str], *, columns: int = 1) -> None:
    """Explain the colours below the axes of a panel."""
    axes.figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.2,
        fontsize=LABEL_PT,
    )


def below(axes: Axes, sentence: str) -> None:
    """Say under the axes of a panel what the values are."""
    text = wrapped(say(sentence), size=LABEL_PT, width_in=INNER_IN)
    axes.figure.supxlabel(text, x=0.12 / WIDTH_IN, ha="left", fontsize=LABEL_PT)


def png(figure: Figure) -> bytes:
    """Render a figure as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically.

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
    """
    picture = png(figure)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, picture)
    except OSError as error:
        raise PlotUnwritableError(path, error.strerror or str(error)) from error


def label_bars(axes: Axes, words: Sequence[str], *, places: int) -> None:
    """Label horizontal bars, the first on top, with room below if there are fewer words than `places`."""
    axes.set_yticks(range(len(words)), labels=words)
    axes.set_ylim(places - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def label(axes: Axes, x: float, y: float, text: str, *, left: bool = False) -> None:
    """Write a text to the right of a point, or to its left."""
    axes.annotate(
        text,
        (x, y),
        (-5 if left else 5, 0),
        textcoords="offset points",
        va="center",
        ha="right" if left else "left",
        fontsize=LABEL_PT,
    )


def height_of_bars(words: Iterable[str], *, places: int) -> float:
    """Return the height in inches of bars and their axis, with room for the longest wrapped word."""
    return 0.35 + places * (0.05 + max((height_of(word, size=LABEL_PT) for word in words), default=0.0))


def say_instead(axes: Axes, sentence: str) -> None:
    """Show a sentence in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color=GREY)


def drawable(text: str) -> str:
    """Remove emoji, and replace letters that the fonts lack by question marks."""
    there = _characters()
    return "".join(
        char if ord(char) in there else "" if unicodedata.category(char) in _LEFT_OUT else UNKNOWN
        for char in text
    )


def wrapped(text: str, *, size: float, width_in: float) -> str:
    """Break a text into lines no wider than `width_in` at a font size in points.

    A word that is wider is broken too, after a hyphen where it has one. See `drawable` for what is left out.
    """
    lines: list[str] = []
    line = ""
    for word in drawable(text).split():
        if _width_in(f"{line} {word}".strip(), size) <= width_in:
            line = f"{line} {word}".strip()
            continue
        if line:
            lines.append(line)
        line = word
        while len(line) > 1 and _width_in(line, size) > width_in:
            end = _fitting(line, size, width_in)
            lines.append(line[:end])
            line = line[end:]
    return "\n".join([*lines, line])


def height_of(text: str, *, size: float) -> float:
    """Return the height in inches of the lines of a text."""
    return (text.count("\n") + 1) * size * 1.35 / 72


@cache
def _fonts() -> tuple[str, ...]:
    installed = {font.name for font in fontManager.ttflist}
    return (FONT, *(name for name in OTHER_FONTS if name in installed))


@cache
def _characters() -> frozenset[int]:
    files = (findfont(FontProperties(family=name)) for name in _fonts())
    return frozenset().union(*(get_font(file).get_charmap() for file in files))


def _fitting(word: str, size: float, width_in: float) -> int:
    """Return the number of characters of a word that fit on a line, up to the last hyphen if it has one."""

    def width_of(characters: int) -> float:
        return _width_in(word[:characters], size)

    fitting = max(1, bisect(range(1, len(word)), width_in, key=width_of))
    return word.rfind("-", 0, fitting) + 1 or fitting


def _width_in(text: str, size: float) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=list(_fonts()), size=size), False
    )
    return width / 72
