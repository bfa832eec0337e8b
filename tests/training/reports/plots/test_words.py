"""The choice of the best and worst words, and their plot."""

import math
from itertools import product
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure
from support.pictures import covering, cut, said
from support.tiny import tiny_distilbert, tiny_tokenizer, write_served
from tokenizers import Tokenizer

from training.errors import QueryTooLongError
from training.inference.fill_model import FillModel
from training.models.torch_model import MaskedLm
from training.reports.plots.style import in_style
from training.reports.plots.words import Extremes, RankedWord, extremes, plot_words, words_figure

QUERY = "Nike shoes are very [MASK]"
LONG = "Pneumonoultramicroscopicsilicovolcanoconiosis-proof-and-environmentally-friendly-all-the-way-down"


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> FillModel:
    """A tiny model with some 1,400 words that may be offered."""
    tokenizer: Tokenizer = tiny_tokenizer()
    syllables = [a + b for a, b in product("bdfgklmnprst", "aeiou")]
    tokenizer.add_tokens([a + b + "x" for a, b in product(syllables, syllables[:22])])
    folder = tmp_path_factory.mktemp("wordy") / "v0001"
    blank = tiny_distilbert(vocab_size=tokenizer.get_vocab_size())
    write_served(MaskedLm(blank, tokenizer, base="wordy"), folder)
    return FillModel(folder, threads=1)


def ranked(*words: str, first: int = 1, top: float = -1.0) -> tuple[RankedWord, ...]:
    return tuple(RankedWord(first + place, word, top - 0.3 * place) for place, word in enumerate(words))


def ends(*, word: str = "word", top: float = -1.0, worst: float = -10.0) -> Extremes:
    best = ranked(*(f"{word}{n}" for n in range(10)), top=top)
    return Extremes(best, ranked(*(f"un{word}{n}" for n in range(10)), first=991, top=worst), 1000)


def drawn(text: str, models: dict[str, list[Extremes]]) -> Figure:
    with in_style():
        figure = words_figure(text, models)
        figure.draw_without_rendering()
        return figure


def test_the_worst_are_the_least_likely_of_the_thousand_likeliest(wordy: FillModel) -> None:
    (found,) = extremes(wordy, QUERY)
    (row,) = wordy.log_probabilities([wordy.encoder.encode(QUERY)])[0]
    by_hand = sorted(
        ((float(row[token]), wordy.word_of(int(token))) for token in wordy.offered), reverse=True
    )
    assert len(by_hand) > 1000
    thousand = by_hand[:1000]
    assert [(w.log_probability, w.word) for w in found.best] == thousand[:10]
    assert [(w.log_probability, w.word) for w in found.worst] == thousand[990:]
    assert [w.rank for w in (*found.best, *found.worst)] == [*range(1, 11), *range(991, 1001)]
    assert found.likeliest == 1000
    assert by_hand[1000][0] < found.worst[-1].log_probability  # less likely, and not among them


def test_their_probabilities_are_those_of_the_answer(fill_model: FillModel) -> None:
    (mask,) = fill_model.fill([QUERY], top=1000)[0]
    (found,) = extremes(fill_model, QUERY)
    assert [w.word for w in found.best] == [c.word for c in mask[:10]]
    assert [w.probability for w in found.worst] == pytest.approx([c.score for c in mask[-10:]])


def test_a_word_is_not_both_best_and_worst(wordy: FillModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for likeliest, worst in ((14, 4), (10, 0), (6, 0)):
        monkeypatch.setattr("training.reports.plots.words.LIKELIEST", likeliest)
        (found,) = extremes(wordy, QUERY)
        assert (len(found.best), len(found.worst)) == (min(10, likeliest), worst)
        assert len({w.word for w in (*found.best, *found.worst)}) == min(likeliest, 10 + worst)


def test_every_mask_has_its_own(fill_model: FillModel) -> None:
    first, second = extremes(fill_model, "[mask] shoes are [ MASK ]")
    assert first.best != second.best


def test_a_text_that_is_too_long_is_rejected(fill_model: FillModel, tmp_path: Path) -> None:
    with pytest.raises(QueryTooLongError):
        plot_words("shoes " * 60 + "[MASK]", {"base": fill_model}, tmp_path / "words.png")
    assert list(tmp_path.iterdir()) == []


def test_each_model_has_a_column_in_its_own_order() -> None:
    figure = drawn(QUERY, {"full v0002": [ends(word="a")], "curated v0003": [ends(word="b", top=-2.0)]})
    grid = [axes.get_subplotspec() for axes in figure.axes]
    assert [(spec.rowspan.start, spec.colspan.start) for spec in grid] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "full v0002\nthe 10 best",
        "curated v0003\nthe 10 best",
        "full v0002\nthe 10 worst of 1,000",
        "curated v0003\nthe 10 worst of 1,000",
    ]
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert names == [[f"{prefix}{n}" for n in range(10)] for prefix in ("a", "b", "una", "unb")]
    assert all(axes.get_ylim()[0] > axes.get_ylim()[1] for axes in figure.axes)  # the first on top
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[2].get_xlim() == figure.axes[3].get_xlim()


def test_bars_and_points_are_the_probabilities() -> None:
    figure = drawn(QUERY, {"base": [ends(worst=-10.4)]})
    best, worst = figure.axes
    assert [bar.get_width() for bar in best.patches] == pytest.approx(
        [math.exp(-1 - 0.3 * n) for n in range(10)]
    )
    assert [text.get_text() for text in best.texts[:2]] == ["36.79%", "27.25%"]
    assert worst.get_xscale() == "log"
    (points,) = worst.get_lines()
    assert points.get_xdata() == pytest.approx([math.exp(-10.4 - 0.3 * n) for n in range(10)])
    assert [text.get_text() for text in worst.texts[:2]] == ["3.0e-05", "2.3e-05"]


def test_the_query_is_the_title_as_the_model_reads_it() -> None:
    assert said(drawn("Nike  shoes are [mask]", {"base": [ends()]})).startswith("Nike shoes are [MASK].\n")


ODD = [
    ("short", "[MASK]", ["base"], 1, "word"),
    ("mathtext", "It costs $5_000 or $6 \\frac{1}{2} ^_^ [MASK]", ["$a_b$", "x_1^2"], 1, "\\$_{"),
    ("emoji", "👍🏽 很好 [MASK] \udce9", ["👍", "很好"], 1, "很好"),
    ("three long labels", QUERY, [f"{LONG} {n}" for n in range(3)], 1, "word"),
    ("long words", QUERY, ["full v0002", "curated v0003"], 1, LONG),
    ("wide words", QUERY, ["full v0002"], 1, "W" * 70),
    ("long query", "and these shoes, which are fine, are " * 60 + "[MASK]", ["full v0002"], 1, "word"),
    ("one endless word", "W" * 600 + " [MASK]", ["full v0002"], 1, "word"),
    ("many masks", "[MASK] " * 200, ["full v0002"], 200, "word"),
]


@pytest.mark.parametrize(
    ("text", "labels", "masks", "word"), [case[1:] for case in ODD], ids=[case[0] for case in ODD]
)
def test_no_text_is_cut_or_covered(text: str, labels: list[str], masks: int, word: str) -> None:
    figure = drawn(text, {label: [ends(word=word)] * masks for label in labels})
    assert cut(figure) == []
    assert covering(figure) == []


@pytest.mark.parametrize(
    "each",
    [
        Extremes(ranked("one", top=0.0), (), 1),
        Extremes(ranked("one", "two", "three", top=-8.0), (), 3),
        ends(top=-9.0, worst=-20.0),  # a model that knows nothing: 0.01 % at best
        ends(top=-1e-9, worst=-2000.0),  # less than a double can hold
        ends(worst=math.log(1e-5)),  # on the end of a decade
    ],
    ids=["one word", "three words", "flat", "underflow", "power of ten"],
)
def test_odd_rankings_are_drawn(each: Extremes) -> None:
    figure = drawn(QUERY, {"base": [each], "other": [ends()]})
    assert cut(figure) == []
    assert covering(figure) == []
    if not each.worst:
        assert f"no words but these {each.likeliest}" in said(figure)


def test_masks_beyond_the_third_are_counted_in_the_title() -> None:
    figure = drawn("[MASK] [MASK] [MASK] [MASK]", {"base": [ends()] * 4})
    assert len(figure.axes) == 6
    assert "(the first 3 of 4 masks)" in said(figure)
    assert "base, mask 3\nthe 10 best" in said(figure)


@pytest.mark.parametrize("models", [{}, {"base": []}, {str(n): [ends()] for n in range(4)}])
def test_no_mask_or_too_many_models_is_an_error(models: dict[str, list[Extremes]]) -> None:
    with pytest.raises(ValueError, match="one to 3 models"):
        words_figure(QUERY, models)


def test_the_file_is_a_png(fill_models: dict[str, FillModel], tmp_path: Path) -> None:
    plot_words(QUERY, fill_models, tmp_path / "words.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "words.png").shape
    assert width == 1500
    assert 700 < height < 1200
