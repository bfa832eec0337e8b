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
from training.reports.plots.words import (
    MaskWords,
    RankedWord,
    WatchedWord,
    plot_words,
    words_figure,
    words_of,
)

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


def ends(
    *, word: str = "word", top: float = -1.0, worst: float = -10.0, models: int = 1, watched: int = 0
) -> MaskWords:
    best = ranked(*(f"{word}{n}" for n in range(10)), top=top)
    return MaskWords(
        best,
        ranked(*(f"un{word}{n}" for n in range(10)), first=991, top=worst),
        1000,
        earlier=tuple((0.1, None, *[0.2] * 8) for _ in range(models - 1)),
        watched=tuple(
            WatchedWord(f"bad{word}{n}", n % 2 == 0, (None, *[10**n] * models)[-models:])
            for n in range(watched)
        ),
    )


def drawn(text: str, masks: list[MaskWords], labels: tuple[str, ...] = ("base",)) -> Figure:
    with in_style():
        figure = words_figure(text, labels, masks)
        figure.draw_without_rendering()
        return figure


def test_the_worst_are_the_least_likely_of_the_thousand_likeliest(wordy: FillModel) -> None:
    (found,) = words_of([wordy], QUERY)
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
    (found,) = words_of([fill_model], QUERY)
    assert [w.word for w in found.best] == [c.word for c in mask[:10]]
    assert [w.probability for w in found.worst] == pytest.approx([c.score for c in mask[-10:]])


def test_a_word_is_not_both_best_and_worst(wordy: FillModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for likeliest, worst in ((14, 4), (10, 0), (6, 0)):
        monkeypatch.setattr("training.reports.plots.words.LIKELIEST", likeliest)
        (found,) = words_of([wordy], QUERY)
        assert (len(found.best), len(found.worst)) == (min(10, likeliest), worst)
        assert len({w.word for w in (*found.best, *found.worst)}) == min(likeliest, 10 + worst)


def test_every_mask_has_its_own(fill_model: FillModel) -> None:
    first, second = words_of([fill_model], "[mask] shoes are [ MASK ]")
    assert first.best != second.best


def test_a_text_that_is_too_long_is_rejected(fill_model: FillModel, tmp_path: Path) -> None:
    with pytest.raises(QueryTooLongError):
        plot_words("shoes " * 60 + "[MASK]", {"base": fill_model}, tmp_path / "words.png")
    assert list(tmp_path.iterdir()) == []


def test_rejected_words_come_first_then_the_unwanted_ones_that_stand_highest(
    fill_models: dict[str, FillModel],
) -> None:
    models = [*fill_models.values()]
    (all_unwanted,) = words_of(models, QUERY)
    lowest = all_unwanted.watched[-1].word
    (found,) = words_of(models, QUERY, rejected=[(0, lowest), (1, "shoes"), (0, "no such word")])
    assert [w.word for w in found.watched if w.is_rejected] == [lowest]
    assert found.watched[0].word == lowest
    highest = [min(rank for rank in w.ranks if rank is not None) for w in found.watched[1:]]
    assert highest == sorted(highest)
    for watched in found.watched:
        for model, rank in zip(models, watched.ranks, strict=True):
            (mask,) = model.fill([QUERY], top=len(model.offered))[0]
            assert rank == [c.word for c in mask].index(watched.word) + 1
    (none,) = words_of(models, QUERY, unwanted=False)
    assert none.watched == ()


def test_earlier_models_say_how_likely_the_best_words_were(fill_models: dict[str, FillModel]) -> None:
    before, now = fill_models.values()
    (found,) = words_of([before, now], QUERY)
    (mask,) = before.fill([QUERY], top=len(before.offered))[0]
    scores = {candidate.word: candidate.score for candidate in mask}
    assert found.earlier == (pytest.approx([scores[each.word] for each in found.best]),)


def test_panels_show_the_best_the_watched_and_the_worst_words() -> None:
    figure = drawn(QUERY, [ends(models=2, watched=2)], ("v0001", "v0002"))
    best, watched, worst = figure.axes
    assert [bar.get_width() for bar in best.patches] == pytest.approx(
        [math.exp(-1 - 0.3 * n) for n in range(10)]
    )
    assert [text.get_text() for text in best.texts[:2]] == ["10.0% → 36.8%", "– → 27.3%"]
    (marks,) = best.get_lines()
    assert [tuple(point) for point in marks.get_xydata()[:2]] == [(0.1, 0), (0.2, 2)]
    assert [text.get_text() for text in watched.texts] == ["1 → 1", "10 → 10"]
    assert [label.get_text() for label in watched.get_yticklabels()] == [
        "badword0\n(rejected)",
        "badword1\n(unwanted)",
    ]
    assert worst.texts[0].get_text().startswith("unword0, unword1, unword2")
    text = said(figure)
    for part in (
        "The 10 best words",
        "→ now",
        "The 10 worst of the 1,000 likeliest",
        "v0001",
        "v0002",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("worst", "share"), [(-6.0, "each of them 0.25% or less"), (-10.0, "each of them under 0.01%")]
)
def test_the_worst_words_have_one_figure_together(worst: float, share: str) -> None:
    assert share in said(drawn(QUERY, [ends(worst=worst)]))


def test_the_query_is_the_title_as_the_model_reads_it() -> None:
    assert said(drawn("Nike  shoes are [mask]", [ends()])).startswith("Nike shoes are [MASK].\n")


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
    watched = 6 if len(labels) > 1 else 1
    figure = drawn(text, [ends(word=word, models=len(labels), watched=watched)] * masks, tuple(labels))
    assert cut(figure) == []
    assert covering(figure) == []


@pytest.mark.parametrize(
    "each",
    [
        MaskWords(ranked("one", top=0.0), (), 1),
        MaskWords(ranked("one", "two", "three", top=-8.0), (), 3),
        ends(top=-9.0, worst=-20.0),  # a model that knows nothing: 0.01 % at best
        ends(top=-1e-9, worst=-2000.0),  # less than a double can hold
        ends(worst=math.log(1e-5)),  # on the end of a decade
    ],
    ids=["one word", "three words", "flat", "underflow", "power of ten"],
)
def test_odd_rankings_are_drawn(each: MaskWords) -> None:
    figure = drawn(QUERY, [each, ends()])
    assert cut(figure) == []
    assert covering(figure) == []
    if not each.worst:
        assert f"no words but these {each.likeliest}" in said(figure)


def test_masks_beyond_the_third_are_counted_in_the_title() -> None:
    figure = drawn("[MASK] [MASK] [MASK] [MASK]", [ends()] * 4)
    assert len(figure.axes) == 6
    assert "(the first 3 of 4 masks)" in said(figure)
    assert "Mask 3 · The 10 best words" in said(figure)


@pytest.mark.parametrize(("labels", "masks"), [(0, 1), (1, 0), (4, 1)])
def test_no_mask_or_too_many_models_is_an_error(labels: int, masks: int) -> None:
    with pytest.raises(ValueError, match="one to 3 models"):
        words_figure(QUERY, ["base"] * labels, [ends()] * masks)


def test_the_file_is_a_png(fill_models: dict[str, FillModel], tmp_path: Path) -> None:
    plot_words(QUERY, fill_models, tmp_path / "words.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "words.png").shape
    assert width == 1350
    assert 1300 < height < 2700
