"""The style of plots, their files, and arbitrary texts in them."""

from pathlib import Path

import matplotlib
import matplotlib.image
import pytest
from hypothesis import given
from hypothesis.strategies import text
from matplotlib.colors import to_rgb
from support.pictures import cut, said

from training.errors import PlotUnwritableError
from training.reports.plots import style, training_log
from training.reports.plots.style import blank_card, drawable, height_of, in_style, save, wrapped


def contrast(one: str, other: str) -> float:
    """By WCAG 2: from 1 to 21."""

    def luminance(colour: str) -> float:
        red, green, blue = (c / 12.92 if c <= 0.04 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_contrast_with_the_card() -> None:
    assert contrast(style.INK, style.CARD) > 7
    assert contrast(style.GREY, style.CARD) > 4.5  # for texts; WCAG asks 3 of lines and bars
    assert all(contrast(colour, style.CARD) > 4 for colour in training_log.COLOURS)


def test_the_file_is_an_opaque_card_with_a_border(tmp_path: Path) -> None:
    with in_style():
        save(blank_card(2.0), tmp_path / "new" / "card.png")
    pixels = matplotlib.image.imread(tmp_path / "new" / "card.png")  # (height, width, RGBA in [0, 1])
    assert pixels.shape == (600, 1350, 4)
    assert pixels[..., 3].min() == 1.0
    assert pixels[300, 675, :3] == pytest.approx(to_rgb(style.CARD), abs=0.01)
    assert pixels[300, 0, :3] == pytest.approx(to_rgb(style.BORDER), abs=0.01)


def test_matplotlibs_settings_have_no_effect_and_are_unchanged() -> None:
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40}):
        with in_style():
            assert matplotlib.rcParams["text.usetex"] is False
            assert matplotlib.rcParams["text.parse_math"] is False
            assert matplotlib.rcParams["font.size"] == style.TEXT_PT
        assert matplotlib.rcParams["font.size"] == 40


def test_an_earlier_file_is_replaced_without_leftovers(tmp_path: Path) -> None:
    (tmp_path / "card.png").write_bytes(b"old")
    with in_style():
        save(blank_card(1.0), tmp_path / "card.png")
    assert [path.name for path in tmp_path.iterdir()] == ["card.png"]
    assert (tmp_path / "card.png").read_bytes().startswith(b"\x89PNG")


def test_an_unwritable_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    with in_style():
        for path in (tmp_path / "file" / "card.png", tmp_path / "folder.png"):
            with pytest.raises(PlotUnwritableError, match=r"cannot be written to .*\.png \(.*--out"):
                save(blank_card(1.0), path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        ("$5 or 10_000 \\frac{1}{2} ^2 {", "$5 or 10_000 \\frac{1}{2} ^2 {"),
        ("naïve Ärmel — “ok”", "naïve Ärmel — “ok”"),
        ("fine 👍🏽", "fine "),
        ("half \udce9", "half "),
    ],
)
def test_emoji_are_left_out(given: str, drawn: str) -> None:
    assert drawable(given) == drawn


@given(text(max_size=60))
def test_any_text_is_wrapped_and_drawn_completely(sentence: str) -> None:
    lines = wrapped(sentence, size=12, width_in=2.0)
    assert "".join(lines.split()) == "".join(drawable(word) for word in sentence.split())
    with in_style():
        figure = blank_card(0.6 + height_of(lines, size=12))
        figure.suptitle(lines, fontsize=12)
        figure.draw_without_rendering()
        assert cut(figure) == []


def test_lines_break_between_words_then_after_hyphens_then_anywhere() -> None:
    width = style._width_in("good-looking", 10) + 0.01
    assert wrapped("very good-looking", size=10, width_in=width) == "very\ngood-looking"
    assert wrapped("very good-looking", size=10, width_in=width - 0.1) == "very\ngood-\nlooking"
    lines = wrapped("W" * 40, size=10, width_in=1.0).split("\n")
    assert "".join(lines) == "W" * 40
    assert all(style._width_in(line, 10) <= 1.0 for line in lines)
    assert wrapped("ab", size=10, width_in=0.0) == "a\nb"


def test_a_sentence_instead_of_a_panel() -> None:
    with in_style():
        figure = blank_card(2.0)
        style.say_instead(figure.subplots(), "nothing to show")
        figure.draw_without_rendering()
        assert said(figure) == "nothing to show"


def test_letters_without_a_font_are_question_marks() -> None:
    assert drawable("很好") in ("很好", "??")  # where a font for them is installed, and elsewhere
    assert drawable("\U00012000") == "?"  # cuneiform
