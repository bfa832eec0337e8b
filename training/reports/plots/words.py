"""Plot what a model says for each mask of a text: its best words, where bad words stand, and its worst ones.

Up to three models are compared. The words are those of the last one; the earlier ones are marks next to them.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from storage.sentences import Sentence
from training.corpus.lexicon import unwanted_words
from training.inference.encoder import finished
from training.inference.fill_model import FillModel, Floats
from training.reports.plots import style

LIKELIEST = 1000
SHOWN = 10
MAX_MODELS = 3
MAX_MASKS = 3  # more panels would be too many for one picture
MAX_WATCHED = 6  # rejected and unwanted words of a mask
WATCHED_RANK = 1000  # an unwanted word that every model ranks lower is of no interest
WORD_SHARE = 0.36  # of the width, at most, for the words next to the bars
LEAST_PERCENTAGE = 1e-4  # 0.01 %; a smaller share is "less than 0.01 %"
LEAST = 1e-300
EARLIER = ((style.GREY, "D"), (style.BROWN, "o"))  # colour and marker of each earlier model
Words = Collection[tuple[int, str]]  # (mask index, word)


@dataclass(frozen=True, slots=True)
class RankedWord:
    """A word for one mask: its rank among all offered words, from 1, and its natural-log probability."""

    rank: int
    word: str
    log_probability: float

    @property
    def probability(self) -> float:
        """Its probability, at least the smallest positive float."""
        return max(math.exp(self.log_probability), LEAST)


@dataclass(frozen=True, slots=True)
class WatchedWord:
    """A word that should not be shown, with its rank for each model; None if a model cannot offer it."""

    word: str
    is_rejected: bool
    ranks: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class MaskWords:
    """The words of one mask, disjoint and best first, by the last model.

    Attributes:
        best, worst: Both ends of the ranking.
        likeliest: How many words were ranked: `LIKELIEST`, or all of a smaller vocabulary.
        earlier: For each earlier model its probability of each of the best words; None if it cannot offer it.
        watched: Rejected and unwanted words.
    """

    best: tuple[RankedWord, ...]
    worst: tuple[RankedWord, ...]
    likeliest: int
    earlier: tuple[tuple[float | None, ...], ...] = ()
    watched: tuple[WatchedWord, ...] = ()


def words_of(
    models: Sequence[FillModel], text: str, *, rejected: Words = (), unwanted: bool = True
) -> list[MaskWords]:
    """Rank the words of every mask of a text.

    Args:
        models: One to three, the last of which is explained.
        text: The text.
        rejected: Words that people voted down for a mask.
        unwanted: Whether words that the corpus calls bad fill their list.

    Raises:
        QueryTooLongError: The text has more word pieces than a model reads.
    """
    rows = [model.log_probabilities([model.encoder.encode(text)])[0] for model in models]
    found = []
    for mask, of_models in enumerate(zip(*rows, strict=True)):
        model, row = models[-1], of_models[-1]
        ranked = [
            RankedWord(rank, model.word_of(token), float(row[token]))
            for rank, token in enumerate(model.best(row, LIKELIEST), start=1)
        ]
        best = tuple(ranked[:SHOWN])
        scored = [*zip(models, of_models, strict=True)]
        found.append(
            MaskWords(
                best,
                tuple(ranked[SHOWN:][-SHOWN:]),
                len(ranked),
                tuple(tuple(_share(*one, each.word) for each in best) for one in scored[:-1]),
                _watched(
                    scored,
                    [word for at, word in rejected if at == mask],
                    unwanted_words() if unwanted else frozenset(),
                ),
            )
        )
    return found


def plot_words(text: str, models: Mapping[str, FillModel], path: Path) -> None:
    """Plot the words of one to three models (label → model) for a text with [MASK].

    Raises:
        PlotUnwritableError: The folder or the file cannot be written.
        QueryTooLongError: The text has more word pieces than a model reads.
    """
    with style.in_style():
        style.save(words_figure(text, [*models], words_of([*models.values()], text)), path)


def words_figure(text: str, labels: Sequence[str], masks: Sequence[MaskWords]) -> Figure:
    """Draw the panels of each mask below one another; `labels` name the models.

    Raises:
        ValueError: There is no mask, or there are not one to three models.
    """
    if not masks or not 1 <= len(labels) <= MAX_MODELS:
        raise ValueError(
            f"expected a mask and one to {MAX_MODELS} models, not {len(masks)} and {len(labels)}"
        )
    title = style.wrapped(finished(text), size=style.TITLE_PT, width_in=style.INNER_IN)
    if len(masks) > MAX_MASKS:
        title += style.say(Sentence("\n(the first {n} of {masks} masks)", n=MAX_MASKS, masks=len(masks)))
    figures: list[style.Panel] = []
    for number, mask in enumerate(masks[:MAX_MASKS], start=1):
        figures += _panels(labels, mask, number if len(masks) > 1 else None)
    return style.stacked(title, figures)


def _panels(labels: Sequence[str], mask: MaskWords, number: int | None) -> list[style.Panel]:
    """Make the panels of one mask; `number` is that of the mask if there are several."""
    panels = [_best_panel(labels, mask, number)]
    if mask.watched:
        panels.append(_watched_panel(labels, mask, number))
    panels.append(_worst_panel(mask, number))
    return panels


def _best_panel(labels: Sequence[str], mask: MaskWords, number: int | None) -> style.Panel:
    words = [_spelled(each.word) for each in mask.best]
    names = [style.wrapped(style.say(label), size=style.LABEL_PT, width_in=3.4) for label in labels]

    def draw(axes: Axes) -> None:
        shares = [each.probability for each in mask.best]
        axes.barh(range(len(shares)), shares, color=style.BLUE, height=0.7)
        highest = max(shares)
        for of_model, (colour, marker) in zip(mask.earlier, EARLIER, strict=False):
            points = [(share, place) for place, share in enumerate(of_model) if share is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=colour, ms=5, mec=style.CARD, zorder=3)
                highest = max(highest, *(share for share, _ in points))
        for place, share in enumerate(shares):
            said = [_percentage(share)]
            if len(mask.earlier) == 1:
                before = mask.earlier[0][place]
                said.insert(0, "–" if before is None else _percentage(before))
            axes.annotate(
                " → ".join(said),
                (1.0, place),
                xycoords=("axes fraction", "data"),
                va="center",
                ha="right",
                fontsize=style.LABEL_PT,
            )
        style.label_bars(axes, words, places=max(len(words), 3))
        axes.set_xlim(0, (1.9 if len(mask.earlier) == 1 else 1.3) * highest)
        axes.set_xticks([])  # every bar has its figure
        axes.spines["bottom"].set_visible(False)
        handles: list[Patch | Line2D] = [Patch(color=style.BLUE)]
        handles += [
            Line2D([], [], ls="", color=colour, marker=marker, ms=5)
            for _, (colour, marker) in zip(mask.earlier, EARLIER, strict=False)
        ]
        style.legend(axes, handles, [names[-1], *names[:-1]])

    heading = _heading(Sentence("The {n} best words", n=len(mask.best)), number)
    legend_in = sum(style.height_of(name, size=style.LABEL_PT) for name in names)
    return style.Panel(heading, style.height_of_bars(words, places=max(len(words), 3)) + legend_in, draw)


def _watched_panel(labels: Sequence[str], mask: MaskWords, number: int | None) -> style.Panel:
    """Make the panel of ranks on a log axis: a word that moves to the right is shown less."""
    kinds = {True: style.say(Sentence("rejected")), False: style.say(Sentence("unwanted"))}
    words = [f"{_spelled(each.word)}\n({kinds[each.is_rejected]})" for each in mask.watched]

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        axes.axvspan(0.8, SHOWN + 0.5, color=style.VERMILION, alpha=0.1, lw=0)
        for place, each in enumerate(mask.watched):
            known = [rank for rank in each.ranks if rank is not None]
            if len(known) > 1:
                axes.plot([min(known), max(known)], [place, place], color=style.GREY, lw=1)
            for rank, (colour, marker) in zip(
                reversed(each.ranks), ((style.BLUE, "s"), *reversed(EARLIER[: len(labels) - 1])), strict=True
            ):
                if rank is not None:
                    axes.plot(rank, place, marker, color=colour, ms=6, mec=style.CARD, zorder=3)
            if known:
                ranks = " → ".join("–" if rank is None else style.number(rank, ",") for rank in each.ranks)
                style.label(axes, max(known), place, ranks)
        style.label_bars(axes, words, places=len(words))
        highest = max([rank for each in mask.watched for rank in each.ranks if rank is not None], default=1)
        top = max(3, math.ceil(math.log10(highest)))
        axes.set_xlim(0.8, 10.0 ** (1.35 * top))
        axes.xaxis.set_major_locator(
            FixedLocator([10.0**power for power in range(0, top + 1, 1 if top < 4 else 2)])
        )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value, ",.0f")))
        style.below(
            axes, Sentence("place among all words; in the shaded part it is one of the best {n}", n=SHOWN)
        )

    title = Sentence("Where rejected and unwanted words stand")
    if len(labels) > 1:
        title = Sentence("Where rejected and unwanted words stand, before → now")
    return style.Panel(_heading(title, number), style.height_of_bars(words, places=len(words)) + 0.4, draw)


def _worst_panel(mask: MaskWords, number: int | None) -> style.Panel:
    """Make a panel of text: the shares are all next to nothing, so that bars would all be alike."""
    if not mask.worst:
        return style.text_panel(style.say(Sentence("no words but these {n}", n=mask.likeliest)))
    heading = _heading(
        Sentence("The {n} worst of the {all:,} likeliest", n=len(mask.worst), all=mask.likeliest), number
    )
    words = ", ".join(each.word for each in mask.worst)
    highest = Sentence("each of them {share} or less", share=_percentage(mask.worst[0].probability))
    if mask.worst[0].probability < LEAST_PERCENTAGE:
        highest = Sentence("each of them {share}", share=_percentage(0.0))
    return style.text_panel(f"{words}\n{style.say(highest)}", heading)


def _watched(
    scored: Sequence[tuple[FillModel, Floats]], rejected: Sequence[str], unwanted: Collection[str]
) -> tuple[WatchedWord, ...]:
    """Choose rejected words, then the unwanted ones that one of the models ranks highest."""
    ranks = {word: tuple(_rank(*one, word) for one in scored) for word in [*rejected, *unwanted]}

    def highest(word: str) -> float:
        return min((rank for rank in ranks[word] if rank is not None), default=math.inf)

    first = sorted(dict.fromkeys(rejected), key=lambda word: (highest(word), word))
    others = sorted(
        (word for word in unwanted if word not in rejected and highest(word) <= WATCHED_RANK),
        key=lambda word: (highest(word), word),
    )
    words = [word for word in [*first, *others] if highest(word) < math.inf][:MAX_WATCHED]
    return tuple(WatchedWord(word, word in rejected, ranks[word]) for word in words)


def _share(model: FillModel, row: Floats, word: str) -> float | None:
    token = model.token_of(word)
    return None if token is None else math.exp(float(row[token]))


def _rank(model: FillModel, row: Floats, word: str) -> int | None:
    token = model.token_of(word)
    return None if token is None else 1 + int(np.count_nonzero(row[model.offered] > row[token]))


def _percentage(share: float) -> str:
    if share < LEAST_PERCENTAGE:
        return style.say(Sentence("under {share}", share=style.number(LEAST_PERCENTAGE, ".2%")))
    return style.number(share, ".1%" if share >= 0.01 else ".2%")


def _heading(what: Sentence, number: int | None) -> str:
    if number is None:
        return style.say(what)
    return style.say(Sentence("Mask {number} · {what}", number=number, what=style.say(what)))


def _spelled(word: str) -> str:
    return style.wrapped(word, size=style.LABEL_PT, width_in=WORD_SHARE * style.WIDTH_IN)
