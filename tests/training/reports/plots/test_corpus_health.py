"""The plot of the corpus before and after cleaning."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from support.pictures import covering, cut, said

from training.corpus.health import measure_health
from training.reports.plots.corpus_health import corpus_health_figure, plot_corpus_health
from training.reports.plots.style import in_style

CELLS = [
    "<p>They fit.</p>",
    "<p>They fit!</p>",
    "I love these soft shoes. " * 30,
    "awful fit",
    "A box of two shoes",
]
SENTENCES = ["They fit.", "I love these soft shoes.", "Awful fit.", "A box of two shoes"]


def drawn(before: list[str], after: list[str]) -> Figure:
    with in_style():
        figure = corpus_health_figure(measure_health(before), measure_health(after))
        figure.draw_without_rendering()
        return figure


def test_every_figure_is_drawn_before_and_after() -> None:
    figure = drawn(CELLS, SENTENCES)
    lengths, duplicates, sentiment, before, after = figure.axes
    assert {"before cleaning: 5 cells", "after cleaning: 4 sentences"} <= set(said(figure).split("\n"))
    outlines = [stairs.get_data().values for stairs in lengths.patches]
    assert outlines[0] == pytest.approx(np.array([0.8, *[0] * 15, 0.2]))
    assert outlines[2] == pytest.approx(np.array([1.0, *[0] * 16]))
    assert "Words per text (median 2, then 4)" in said(figure)
    assert [bar.get_height() for bar in duplicates.patches] == pytest.approx([0.2, 0.0])
    assert [text.get_text() for text in duplicates.texts] == ["20%", "0%"]
    assert [bar.get_height() for bar in sentiment.patches][3:] == pytest.approx([0.5, 0.25, 0.25], abs=0.3)
    assert sum(bar.get_height() for bar in sentiment.patches) == pytest.approx(2)
    assert "5 and 4 texts rated" in said(figure)
    assert [label.get_text() for label in before.get_yticklabels()][:2] == ["love", "shoes"][::-1]
    assert after.patches[0].get_width() == pytest.approx(1000 * 2 / 14)
    assert before.get_xlim() == after.get_xlim()


ODD = {
    "nothing": ([], []),
    "nothing left": (CELLS, []),
    "no words": (["!!!", "123"], ["!!!"]),
    "one word": (["fit"], ["fit"]),
    "long words": (["W" * 60, "pneumono-ultra-microscopic-silicovolcano " * 9], ["W" * 60]),
    "odd characters": (["$a_b$ 很好 👍 x_1 \\frac"], ["很好 naïve $5"]),
    "many": (
        [f"great shoes number {'x' * n}" for n in range(300)],
        [f"word{'y' * (n % 25)}" for n in range(9)],
    ),
}


@pytest.mark.parametrize(("before", "after"), ODD.values(), ids=ODD)
def test_no_text_is_cut_or_covered(before: list[str], after: list[str]) -> None:
    figure = drawn(before, after)
    assert cut(figure) == []
    assert covering(figure) == []


def test_a_side_without_words_has_a_sentence() -> None:
    assert "no words after cleaning" in said(drawn(CELLS, []))


def test_the_file_is_a_png(tmp_path: Path) -> None:
    plot_corpus_health(measure_health(CELLS), measure_health(SENTENCES), tmp_path / "corpus.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "corpus.png").shape
    assert width == 1350
    assert 2000 < height < 3900
