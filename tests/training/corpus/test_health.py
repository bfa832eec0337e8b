"""What is counted of a corpus, and the raw cells it is counted of."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from training.corpus import health
from training.corpus.csv.errors import UnopenableFileError
from training.corpus.health import measure_health, read_raw_cells
from training.corpus.readers import read_folder

DATA = (Path(__file__).parents[3] / "../shared/data").resolve()
PRODUCTS_2020 = ("Product Name", "Product ID", "Listing Price", "Description")
REVIEWS = ("Reviewer", "Title", "Content", "Star_rating")


def write(path: Path, columns: Sequence[str], *rows: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


# Counting


def test_lengths_fall_into_bins_of_five_words() -> None:
    found = measure_health(["one", "w " * 5, "w " * 6, "w " * 80, "w " * 81, "w " * 500])
    assert found.lengths == (2, 1, *[0] * 13, 1, 2)
    assert (found.texts, found.words) == (6, 673)
    assert found.median_length == 43.0  # half-way between 6 and 80


def test_duplicates_are_texts_that_say_the_same() -> None:
    assert measure_health(["They fit.", "they  FIT!", "They fit", "They do not fit."]).duplicate_share == 0.5
    assert measure_health(["!!!", "???", "!!! "]).duplicate_share == pytest.approx(1 / 3)
    assert measure_health(["one", "two"]).duplicate_share == 0.0


def test_sentiment_is_by_shares_that_add_up_to_one() -> None:
    texts = ["I love these great shoes!", "An awful, terrible disaster.", "The box has two sides.", "Superb!"]
    found = measure_health(texts).sentiment
    assert (found.positive, found.neutral, found.negative, found.rated) == (0.5, 0.25, 0.25, 4)


def test_sentiment_is_of_a_sample_that_the_texts_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MAX_RATED", 50)
    texts = ["I love it."] * 100 + ["I hate it."] * 100
    found = measure_health(texts).sentiment
    assert found.rated == 50
    assert 0.3 < found.positive < 0.7
    assert measure_health(texts).sentiment == found


def test_an_endless_text_is_rated_by_its_beginning() -> None:
    assert measure_health(["I love it. " + "really nothing much " * 50_000]).sentiment.rated == 1


def test_frequent_words_are_whole_content_words() -> None:
    texts = [
        "The shoes aren't good-looking; the shoes don’t fit.",
        "Shoes of a shoe fan, fan of shoes: SHOES",
    ]
    assert measure_health(texts).top_words == (
        ("shoes", 5),
        ("fan", 2),
        ("fit", 1),
        ("good-looking", 1),
        ("shoe", 1),
    )


def test_the_twenty_most_frequent_words_are_kept() -> None:
    words = [f"word{chr(97 + n // 10)}{chr(97 + n % 10)}" for n in range(30)]
    found = measure_health([" ".join(words[:n]) for n in range(31)]).top_words
    assert [word for word, _ in found] == words[:20]
    assert [count for _, count in found] == [*range(30, 10, -1)]


def test_the_statistics_of_no_texts_are_zero() -> None:
    found = measure_health([])
    assert (found.texts, found.words, found.median_length, found.top_words) == (0, 0, 0.0, ())
    assert found.duplicate_share == 0.0
    assert found.sentiment.rated == 0


# Raw cells


def test_raw_cells_are_as_they_stand_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", REVIEWS, ("Xanthippe", "Nice", "<b>It  fits</b>", "5"), ("Ann", "", " ", "1"))
    write(tmp_path / "p.csv", PRODUCTS_2020, ("Air Max", "7", "0", "It is soft."), ("Air Max", "8", "0", ""))
    write(tmp_path / "other.csv", ("text",), ("Of no known kind.",))
    assert read_raw_cells(tmp_path) == ["It is soft.", "Air Max", "Air Max", "<b>It  fits</b>", "Nice"]


def test_a_named_file_is_read_too(tmp_path: Path) -> None:
    extra = write(tmp_path / "more.csv", ("id", "note", "text"), ("1", "But this.", "Not this."))
    assert read_raw_cells(None, extra=[extra, extra], text_column="note") == ["But this."]
    assert read_raw_cells(tmp_path, extra=[extra]) == ["Not this."]


def test_rows_that_cannot_be_used_have_no_cells(tmp_path: Path) -> None:
    write(
        tmp_path / "r.csv",
        REVIEWS,
        ("Ann", "Nice", "It fits.", "5"),
        ("ragged",),
        ("Bo", "", "It lasts.", "4"),
    )
    assert read_raw_cells(tmp_path) == ["It fits.", "Nice", "It lasts."]


def test_reading_stops_at_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "r.csv", REVIEWS, *(("Ann", "", f"Text {n}", "5") for n in range(100)))
    assert read_raw_cells(tmp_path, max_cells=3) == ["Text 0", "Text 1", "Text 2"]
    assert read_raw_cells(tmp_path, max_cells=0) == []
    monkeypatch.setattr(health, "MAX_CHARS", 13)
    assert read_raw_cells(tmp_path) == ["Text 0", "Text 1"]


def test_no_folder_or_an_empty_one_has_no_cells(tmp_path: Path) -> None:
    assert read_raw_cells(None) == []
    assert read_raw_cells(tmp_path) == []
    with pytest.raises(UnopenableFileError):
        read_raw_cells(tmp_path / "nowhere")


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the three public files")
def test_cleaning_the_public_files_leaves_no_duplicate_and_no_tag() -> None:
    cells = read_raw_cells(DATA)
    before = measure_health(cells)
    after = measure_health([text.text for text in read_folder(DATA)[0]])
    assert len(cells) == 1937
    assert before.duplicate_share > 0.2
    assert after.duplicate_share == 0.0
    assert {"li", "p", "br"} <= {word for word, _ in before.top_words}
    assert not {"li", "p", "br"} & {word for word, _ in after.top_words}
    assert max(after.lengths[16:]) == 0  # no sentence of more than 80 words
