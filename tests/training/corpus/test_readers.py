"""What is read of the team's CSV files, what is left out and why, and what is said of broken ones."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training.corpus import sentences
from training.corpus.cleaning import duplicate_key
from training.corpus.csv import cache as parsed_files
from training.corpus.csv import parsing
from training.corpus.csv import rows as csv_files
from training.corpus.csv.errors import (
    BrokenRowError,
    CacheError,
    CsvError,
    EmptyCsvError,
    MissingColumnError,
    NotACsvError,
    NoTextColumnError,
    UnknownEncodingError,
    UnopenableFileError,
)
from training.corpus.csv.parsing import ParsedFile
from training.corpus.readers import IN_ANOTHER_FILE, SourceReport, SourceText, read_folder
from training.errors import TrainingError

PROJECT = Path(__file__).parents[3]
DATA = (PROJECT / "../shared/data").resolve()
PRODUCTS_2020 = ("URL", "Product Name", "Product ID", "Listing Price", "Description")
REVIEWS = ("Reviewer", "Title", "Content", "Star_rating")
PRODUCTS_2022 = ("index", "name", "sub_title", "description", "raw_description", "uniq_id")


def write(path: Path, columns: Sequence[str], *rows: Sequence[str], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def write_reviews(path: Path, *contents: str, encoding: str = "utf-8") -> Path:
    return write(path, REVIEWS, *(("Ann", "", text, "5") for text in contents), encoding=encoding)


def sentences_of(texts: Sequence[SourceText]) -> list[str]:
    return [text.text for text in texts]


def read_extra(path: Path, text_column: str | None = None) -> tuple[list[str], SourceReport]:
    texts, (report,) = read_folder(None, extra=[path], text_column=text_column)
    return sentences_of(texts), report


# The three known files


def test_the_known_files_are_found_by_their_columns(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", PRODUCTS_2020, ("u", "Nike Air Max", "1", "0", "It is soft."))
    write(tmp_path / "b.CSV", REVIEWS, ("Ann", "Love them", "They fit.", "5"))
    write(tmp_path / "a.csv", PRODUCTS_2022, ("0", "Nike Swoosh", "Hat", "fused", "<p>It is warm.</p>", "x"))
    texts, reports = read_folder(tmp_path)
    assert [(text.source, text.text) for text in texts] == [
        ("products_2020", "Nike Air Max"),
        ("products_2020", "It is soft."),
        ("reviews", "Love them."),
        ("reviews", "They fit."),
        ("products_2022", "Nike Swoosh"),
        ("products_2022", "It is warm."),
    ]
    assert [(r.source, r.rows, r.kept_rows, r.sentences, r.dropped) for r in reports] == [
        ("products_2020", 1, 1, 2, {}),
        ("reviews", 1, 1, 2, {}),
        ("products_2022", 1, 1, 2, {}),
    ]


def test_names_and_order_of_files_do_not_matter(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, names in zip(folders, ("abc", "cba"), strict=True):
        folder.mkdir()
        write_reviews(folder / f"{names[0]}.csv", "They fit. I run.")
        write_reviews(folder / f"{names[1]}.csv", "I run. They last.")
        write(folder / f"{names[2]}.csv", PRODUCTS_2020, ("u", "Air Max", "1", "0", "They last."))
    assert read_folder(folders[0])[0] == read_folder(folders[1])[0]


def test_reviewer_names_are_never_read(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", REVIEWS, ("Xanthippe Quill", "Nice shoes", "They fit well.", "5"))
    texts, _ = read_folder(tmp_path, cache_dir=tmp_path / "cache")
    assert len(texts) == 2
    written = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"They fit well." in written
    assert b"Xanthippe" not in written


def test_a_review_with_a_title_only_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", REVIEWS, ("Ann", "nice products", "", "5"), ("Bo", "", "", "1"))
    texts, (report,) = read_folder(tmp_path)
    assert sentences_of(texts) == ["nice products."]
    assert (report.rows, report.kept_rows, report.dropped) == (2, 1, {parsing.NO_TEXT: 1})


def test_a_title_that_the_content_begins_with_is_not_read_twice(tmp_path: Path) -> None:
    rows = [
        ("Ann", "I always buy shoes and…", "I always buy shoes and shirts.", "5"),
        ("Bo", "I", "I ran.", "4"),
    ]
    texts, (report,) = read_folder(write(tmp_path / "r.csv", REVIEWS, *rows).parent)
    assert sentences_of(texts) == ["I always buy shoes and shirts.", "I ran."]
    assert report.dropped == {parsing.TITLE_AGAIN: 2}


def test_names_headings_and_list_items_get_no_period(tmp_path: Path) -> None:
    cell = (
        "<p><b>DRY COMFORT</b></p><p>It keeps you dry</p><ul><li>Two side pockets</li><li>It fits.</li></ul>"
    )
    write(tmp_path / "p.csv", PRODUCTS_2022, ("0", "Nike Swoosh", "Hat", "fused", cell, "x"))
    expected = ["Nike Swoosh", "DRY COMFORT", "It keeps you dry.", "Two side pockets", "It fits."]
    assert sentences_of(read_folder(tmp_path)[0]) == expected


def test_labels_with_a_value_are_dropped_from_lists_only(tmp_path: Path) -> None:
    cell = (
        "<ul><li>Shown: Black/White</li><li>Style: CU3896-010</li><li>Shown: </li></ul><p>Note: it fits</p>"
    )
    write(tmp_path / "p.csv", PRODUCTS_2022, ("0", "", "Hat", "fused", cell, "x"))
    texts, (report,) = read_folder(tmp_path)
    assert sentences_of(texts) == ["Note: it fits."]
    assert report.dropped == {parsing.SPECIFICATION: 3}


def test_repeated_texts_and_sentences_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        ("u", "Air Max", "1", "0", "It is soft. It is light."),
        ("u", "Air Max", "2", "0", "IT IS SOFT!  It is light"),
        ("u", "Air Zoom", "3", "0", "It is light. It is fast."),
    ]
    texts, (report,) = read_folder(write(tmp_path / "p.csv", PRODUCTS_2020, *rows).parent)
    assert sentences_of(texts) == ["Air Max", "It is soft.", "It is light.", "Air Zoom", "It is fast."]
    assert (report.rows, report.kept_rows) == (3, 2)
    assert report.dropped == {parsing.REPEATED_TEXT: 1, parsing.REPEATED_SENTENCE: 2}


def test_a_sentence_is_kept_from_the_first_file_that_has_it(tmp_path: Path) -> None:
    write(tmp_path / "z.csv", PRODUCTS_2020, ("u", "Air Max", "1", "0", "It is soft."))
    write_reviews(tmp_path / "a.csv", "It is soft! I run.", "It is soft")
    texts, reports = read_folder(tmp_path)
    assert [(t.source, t.text) for t in texts[1:]] == [
        ("products_2020", "It is soft."),
        ("reviews", "I run."),
    ]
    assert reports[1].dropped == {IN_ANOTHER_FILE: 1, parsing.REPEATED_SENTENCE: 1}
    assert (reports[1].sentences, reports[1].kept_rows) == (1, 1)


def test_a_group_is_a_row_or_the_rows_of_one_product(tmp_path: Path) -> None:
    rows = [("Air Max", "It is soft. It is light."), ("Air Zoom", "It is fast."), ("air max", "It is red.")]
    write(tmp_path / "p.csv", PRODUCTS_2020, *(("u", name, "1", "0", text) for name, text in rows))
    write_reviews(tmp_path / "r.csv", "They fit. I run.", "They last.")
    groups = {text.text: text.group for text in read_folder(tmp_path)[0]}
    assert groups["It is soft."] == groups["It is light."] == groups["Air Max"] == groups["It is red."]
    assert groups["They fit."] == groups["I run."]
    assert len(set(groups.values())) == 4


def test_unfit_sentences_are_counted_by_reason(tmp_path: Path) -> None:
    write_reviews(tmp_path / "r.csv", f"Wow. 10/10! Mail a@b.com now. They fit. {'so ' * 90}good.")
    texts, (report,) = read_folder(tmp_path)
    assert sentences_of(texts) == ["They fit."]
    reasons = (sentences.SHORT, sentences.NO_LETTERS, sentences.PRIVATE, sentences.LONG)
    assert report.dropped == dict.fromkeys(reasons, 1)


# The folder


def test_an_unknown_csv_is_passed_over_and_reported(tmp_path: Path) -> None:
    write(tmp_path / "other.csv", ("category", "review"), ("run", "They fit."))
    write(tmp_path / "posts.csv", ("Title", "Content"), ("A post", "Of no review."))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "notes.txt").write_text("no CSV")
    texts, reports = read_folder(tmp_path)
    assert texts == []
    assert [(r.source, r.is_read, r.rows, r.sentences) for r in reports] == [
        ("empty", False, 0, 0),
        ("other", False, 0, 0),
        ("posts", False, 0, 0),
    ]
    assert "is empty" in reports[0].notes[0]
    assert "('category', 'review'); name it to read it" in reports[1].notes[0]


def test_an_empty_folder_has_no_texts(tmp_path: Path) -> None:
    assert read_folder(tmp_path) == ([], [])
    assert read_folder(None) == ([], [])


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnopenableFileError, match=r"nowhere cannot be read \(No such file.*FILLBOT_DATA_DIR"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "columns", "missing"),
    [
        ("any.csv", [c for c in PRODUCTS_2022 if c != "raw_description"], "'raw_description'"),
        ("any.csv", [c for c in PRODUCTS_2020 if c != "Description"], "'Description'"),
        ("web_scraped.csv", ["Title", "Text"], "'Content'"),
    ],
)
def test_a_known_file_without_a_column_to_read_is_an_error(
    name: str, columns: list[str], missing: str, tmp_path: Path
) -> None:
    write(tmp_path / name, columns, ["x"] * len(columns))
    with pytest.raises(
        MissingColumnError, match=rf"{name} looks like .* has no column {missing}.*{columns[0]}"
    ):
        read_folder(tmp_path)


# Named files


@pytest.mark.parametrize(
    "column",
    ["text", "Review", "content", "utterance", "Review Text", "reviews.text", "customer_comment"],
)
def test_the_text_column_is_guessed_from_its_name(column: str, tmp_path: Path) -> None:
    path = write(tmp_path / "more.csv", ("id", column, "review_count"), ("1", "They fit", "7"))
    texts, reports = read_folder(None, extra=[path])
    assert [(t.text, t.source) for t in texts] == [("They fit.", "more")]
    assert reports[0].source == "more"


@pytest.mark.parametrize("header", [("id", "Review Text"), ("id", "reviews.text"), ("id", "text")])
@pytest.mark.parametrize("title", ["Export of May", "Customer feedback"])
def test_a_title_above_a_usual_text_column_is_skipped(
    title: str, header: tuple[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path / "more.csv", (title, ""), header, ("1", "They fit."))
    assert read_extra(path)[0] == ["They fit."]


def test_a_text_column_that_is_named_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "more.csv", ("text", "Note"), ("not this", "But this."))
    assert read_extra(path, "note")[0] == ["But this."]


def test_columns_are_listed_where_none_or_another_has_text(tmp_path: Path) -> None:
    path = write(tmp_path / "more.csv", ("id", "words"), ("1", "They fit."))
    with pytest.raises(NoTextColumnError, match=r"more\.csv.*'id', 'words'"):
        read_extra(path)
    with pytest.raises(MissingColumnError, match=r"no column 'body'.*'id', 'words'"):
        read_extra(path, "body")


def test_a_file_of_the_folder_that_is_named_too_is_read_once(tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.csv", "They fit.")
    texts, reports = read_folder(tmp_path, extra=[path, path])
    assert (sentences_of(texts), len(reports), reports[0].source) == (["They fit."], 1, "reviews")


# The cache


def test_a_second_call_does_not_parse_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, path = tmp_path / "cache", write_reviews(tmp_path / "r.csv", "They fit. Wow.", "I run.")
    first = read_folder(tmp_path, cache_dir=cache)

    def refuse(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(parsing, "read_rows", refuse)
    assert read_folder(tmp_path, cache_dir=cache) == first
    renamed = path.rename(tmp_path / "renamed.csv")
    texts, (report,) = read_folder(tmp_path, cache_dir=cache)
    assert (texts, report.path) == (first[0], str(renamed))


def test_a_change_of_the_file_or_the_code_is_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, path = tmp_path / "cache", write_reviews(tmp_path / "r.csv", "They fit.")
    for text in ("They fit.", "They last."):
        write_reviews(path, text)
        assert sentences_of(read_folder(tmp_path, cache_dir=cache)[0]) == [text]
    monkeypatch.setattr(parsed_files, "_version", lambda: "another")
    read_folder(tmp_path, cache_dir=cache)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("content", ["", '{"rows": 1, "dropped": {}, "senten', "[]", '{"rows": 1}'])
def test_a_damaged_entry_is_rewritten(content: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write_reviews(tmp_path / "r.csv", "They fit.")
    first = read_folder(tmp_path, cache_dir=cache)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_text(content)
    assert read_folder(tmp_path, cache_dir=cache) == first
    assert [path.read_bytes() for path in cache.iterdir()] == [whole]


def test_an_entry_that_another_process_wrote_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reviews(tmp_path / "r.csv", "They fit.")
    first = read_folder(tmp_path, cache_dir=tmp_path / "other")
    parse = parsing.parse_file

    def parse_slowly(*args: Any, **options: Any) -> ParsedFile:
        parsed = parse(*args, **options)
        shutil.copytree(tmp_path / "other", tmp_path / "cache", dirs_exist_ok=True)
        return parsed

    monkeypatch.setattr(parsing, "parse_file", parse_slowly)
    assert read_folder(tmp_path, cache_dir=tmp_path / "cache") == first
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_file_that_breaks_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text('text\n"open\n')
    for _ in range(2):
        with pytest.raises(BrokenRowError):
            read_folder(None, extra=[path], cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    write_reviews(tmp_path / "r.csv", "They fit.")
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(CacheError, match=r"The cache folder .*cache cannot be written"):
        read_folder(tmp_path, cache_dir=tmp_path / "cache")


def test_reading_uses_no_network_and_writes_only_to_the_cache(tmp_path: Path) -> None:
    write_reviews(tmp_path / "r.csv", "They fit.")
    (tmp_path / "home").mkdir()
    script = (
        "import socket, sys\n"
        "from pathlib import Path\n"
        "def refuse(*_, **__): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from training.corpus.readers import read_folder\n"
        f"print(len(read_folder(Path({str(tmp_path)!r}), cache_dir=Path({str(tmp_path / 'cache')!r}))[0]))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**environment, "HOME": str(tmp_path / "home")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (process.stdout, process.stderr, process.returncode) == ("1\n", "", 0)
    assert list((tmp_path / "home").iterdir()) == []


# Broken files


def test_every_error_is_one_that_a_run_reports() -> None:
    assert issubclass(CsvError, TrainingError)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(EmptyCsvError, match=r"x\.csv is empty"):
        read_extra(tmp_path / "x.csv")


def test_a_header_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyCsvError, match=r"x\.csv has a header and no rows"):
        read_extra(write(tmp_path / "x.csv", ("id", "text")))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(UnopenableFileError, match="cannot be read"):
            read_extra(path)


@pytest.mark.parametrize(
    ("content", "looks_like"),
    [
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook"),
        (b"\x1f\x8brest", "a gzip archive"),
        (b"\x00" * 9000, "filled with NUL bytes"),
    ],
)
def test_the_error_for_a_binary_file_names_its_format(
    content: bytes, looks_like: str, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(NotACsvError, match=looks_like):
        read_extra(tmp_path / "x.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_of_unicode_are_read(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ("text", "id"), ("A café “here” fits.", "1"), encoding=encoding)
    texts, report = read_extra(path)
    assert texts == ["A café “here” fits."]
    assert report.notes == (() if encoding == "utf-8-sig" else (f"read as {encoding.upper()}",))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_encodings_are_read_with_a_note_that_names_the_byte(encoding: str, tmp_path: Path) -> None:
    text = "A café is near." if encoding == "latin-1" else "A café’s “best” is £5."
    texts, report = read_extra(write(tmp_path / "x.csv", ("text",), ("Plain.",), (text,), encoding=encoding))
    assert texts == [text]
    assert report.notes == ("not UTF-8 at byte 19 (line 3): read as Windows-1252",)


def test_utf_8_with_a_foreign_byte_keeps_both(tmp_path: Path) -> None:
    content = "\ufefftext,id\nIt’s a café.,1\nA ".encode() + b"caf\xe9 too.,2\n"
    (tmp_path / "x.csv").write_bytes(content)
    assert read_extra(tmp_path / "x.csv")[0] == ["It’s a café.", "A café too."]


def test_the_first_bad_byte_is_found_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "CHUNK_BYTES", 4)
    (tmp_path / "x.csv").write_bytes("text\n€€€ are\n".encode() + b"caf\xe9 it is\n")
    assert csv_files.inspect_file(tmp_path / "x.csv").notes[0].startswith("not UTF-8 at byte 22 (line 3)")


def test_utf_16_that_is_cut_short_is_an_error_that_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("text\nThey fit.\n".encode("utf-16")[:-1])
    with pytest.raises(UnknownEncodingError, match=r"x\.csv begins as UTF-16 but byte 30 "):
        read_extra(tmp_path / "x.csv")


def test_ragged_rows_and_rows_with_nul_bytes_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = ["id,text", "1,They fit.", "2", "", "3,They last,long,really", "4,They\0fall.", "5,I run."]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    texts, report = read_extra(tmp_path / "x.csv")
    assert texts == ["They fit.", "I run."]
    assert (report.rows, report.kept_rows) == (5, 2)
    assert report.dropped == {csv_files.RAGGED: 2, csv_files.NUL: 1}


def test_a_file_of_ragged_rows_alone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,text\n\n1,a,b\n2\n")
    with pytest.raises(BrokenRowError, match="line 3: no row has the 2 fields of the header; this one has 3"):
        read_extra(tmp_path / "x.csv")


@pytest.mark.parametrize("rows_after", [0, 3, 20_000], ids=["at the end", "a few rows", "the field limit"])
def test_a_quote_that_is_not_closed_costs_its_row_alone(rows_after: int, tmp_path: Path) -> None:
    rows = [
        "id,text",
        '1,"Two\nlines."',
        '2,"They fit.',
        *(f"{n},I run." for n in range(rows_after)),
    ]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    texts, report = read_extra(tmp_path / "x.csv")
    assert texts == ["Two lines.", "I run."][: 1 + bool(rows_after)]
    assert (report.rows, report.dropped[csv_files.BROKEN]) == (rows_after + 2, 1)


def test_a_file_of_one_broken_row_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('id,text\n\n2,"They fit.\n')
    with pytest.raises(BrokenRowError, match=r"x\.csv, line 3: a quote is opened and not closed"):
        read_extra(tmp_path / "x.csv")


def test_line_ends_and_doubled_quotes_within_fields_are_fine(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", ("text", "id"), ('They are\n"good".\r\n\r\nI run, too', "1"), ("Fine here.", "2")
    )
    texts, report = read_extra(path)
    assert texts == ['They are "good".', "I run, too.", "Fine here."]
    assert report.rows == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(end: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(end.join(["", "text,id", "They fit.,1", "I run.,2"]).encode())
    assert read_extra(tmp_path / "x.csv")[0] == ["They fit.", "I run."]


@pytest.mark.parametrize(("delimiter", "note"), [(";", "by ;"), ("\t", "by tabs"), ("|", "by |")])
def test_other_delimiters_are_read_with_a_note(delimiter: str, note: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"id{delimiter}text\n1{delimiter}Yes, they fit.\n")
    texts, report = read_extra(tmp_path / "x.csv")
    assert texts == ["Yes, they fit."]
    assert report.notes[0].endswith(note)


def test_one_endless_line_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text\n" + "a" * (csv_files.MAX_LINE_CHARS + 1))
    with pytest.raises(BrokenRowError, match="line 2: the line is longer than 1,048,576 characters"):
        read_extra(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_text("text\n" + "a" * 140_000)
    with pytest.raises(BrokenRowError, match="line 2: field larger than field limit"):
        read_extra(tmp_path / "y.csv")


def test_one_endless_row_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "MAX_ROW_CHARS", 1000)
    columns = [f"column {n}" for n in range(20)]
    path = write(tmp_path / "x.csv", ("text", *columns), ["lines\n" * 20] * 21)
    with pytest.raises(BrokenRowError, match="line 2: the row is longer than 1,000 characters"):
        read_extra(path)


# What spreadsheets and exports make of them


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nid;text\n1;They fit, too.\n",
        "\ufeffsep=;\r\nid;text\r\n1;They fit, too.\r\n",
        '"sep=;"\nid;text\n1;They fit, too.\n',
        "SEP=|\nid|text\n1|They fit, too.\n",
        "sep=\t\nid\ttext\n1\tThey fit, too.\n",
        "id;text;;\n1;They fit, too.;;\n",
        "id;text;;\n1;They fit, too.\n",
        "id;text\n1;They fit, too.;;\n",
        "id;text;stars\n1;They fit, too.\n",
        'id,text,stars\n1,"They fit, too."\n',
        '"id";"price, EUR";"text"\n"1";"59,90";"They fit, too."\n',
        "Price, EUR;text\n59,90;They fit, too.\n",
        'id,text\n1,"=""They fit, too."""\n',
        'id;text\n="001";="They fit, too."\n',
        ',text\n0,"They fit, too."\n',
        '"text","stars"\n"1","They fit, too.",5\n"2","Wow",1\n',
        'Reviews of May\n\nid,text\n1,"They fit, too."\n',
        'Reviews of May,,\nExported on,2026-05-31,\nid,stars,text\n1,5,"They fit, too."\n',
        "Reviews of May;;\n;;\nid;stars;text\n1;5;They fit, too.\n",
        '\n\n , \nid,text\n1,"They fit, too."\n',
        'text,text\n"They fit, too.",x\n',
        '“id”,“text”\n1,"They fit, too."\n',
        '" id "," Text "\n1,"They fit, too."\n',
        '"id","Review\nText"\n1,"They fit, too."\n',
        "id\ttext\n1\tThey fit, too.\n",
        'id,text\r1,"They fit, too."\r',
        'id,text\n1,"They fit,\ntoo."\n2,\n3\n,,\n',
    ],
)
def test_files_from_spreadsheets_are_read(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(content, encoding="utf-8", newline="")
    assert read_extra(tmp_path / "x.csv")[0] == ["They fit, too."]


FOREIGN = {
    "cp1251": "Очень удобные кроссовки для бега.",
    "koi8-r": "Мне понравилась обувь и доставка.",
    "cp866": "Очень удобные кроссовки для бега.",
    "cp1253": "Τα παπούτσια είναι πολύ άνετα.",
    "shift_jis": "この靴はとても履きやすいです。",
    "gb18030": "这双鞋非常舒服，跑步很好。",
    "gbk": "质量很好，物流也很快，下次还会再来。",
    "big5": "這雙鞋非常舒服，跑步很好。",
    "euc_kr": "이 신발은 매우 편안합니다.",
    "mac_roman": "Ces chaussures sont très agréables, légères et “parfaites”.",
    "cp850": "Ces chaussures sont très agréables et légères.",
    "cp1252": "Ces chaussures sont très agréables – “parfaites”, l’été.",
    "cp1250": "Buty są bardzo wygodne i świetnie leżą na każdej stopie.",
    "cp1254": "Çok rahat bir koşu ayakkabısı, ayağı mükemmel sarıyor.",
    "cp1255": "נעלי ריצה נוחות מאוד, יושבות מצוין על הרגל.",
    "cp1256": "حذاء جري مريح جدا ويناسب القدم تماما.",
    "cp1257": "Labai patogūs bėgimo bateliai, žmonės juos mėgsta.",
    "cp874": "รองเท้าวิ่งใส่สบายมาก กระชับเท้าดี",
    "euc_jp": "とても履きやすいランニングシューズです。",
    "cp949": "정말 편한 러닝화이고 발에 잘 맞습니다.",
    "iso8859_2": "Żółte sznurówki są za krótkie, podeszwa jest świetna.",
    "cp852": "Zamówienie przyszło szybko, polecam każdemu, świetne są.",
}
# Languages that share an encoding, and texts with few letters beyond ASCII.
SPREADSHEETS = (
    ("cp1250", "Velmi pohodlné boty na běhání, podrážka je příliš tvrdá."),
    ("cp1250", "Nagyon kényelmes futócipő, tökéletesen illeszkedik a lábamra."),
    ("cp1250", "Vrlo udobne tenisice za trčanje, boja mi se sviđa, odlično."),
    ("cp1250", "Talpa este prea tare, dar culoarea îmi place şi sunt mulţumit."),
    ("cp1254", "Her gün bununla koşuyorum, herkese öneriyorum."),
    ("cp1257", "Väga mugavad jooksujalatsid, tald on liiga kõva, žürii."),
    ("cp1257", "Ļoti ērti skriešanas apavi, lieliski pieguļ kājai."),
    ("cp1252", "Größe 43½ passt, für Zoë 60 € – “señor” façade."),
    ("cp1252", "Mjög þægilegir hlaupaskór, sitja vel á fætinum."),
    ("cp1252", "Os pés não doem, são ótimas opções; nº 5, 1ª compra."),
    ("cp850", "La semelle est trop dure, mais la couleur me plaît, ça va très bien."),
    ("cp1252", "They cost 40 € here."),
    ("cp1252", "Great shoe… don’t miss it."),
    ("cp1252", "My “lucky” pair is from a café in Zoë’s street."),
    ("cp1252", "¿Cuándo llegará mi pedido?"),
    ("cp1252", "La qualità è ottima, però il colore è più scuro."),
    ("cp1252", "Livraison rapide, taille conforme à mes attentes, je recommande."),
    ("cp1250", "Bardzo dobre buty, polecam wszystkim, będę kupować."),
    ("iso8859_2", "Děkuji za rychlé doručení."),
    ("cp850", "C'est un cadeau pour ma fille, elle est ravie ! Où est le reçu ?"),
    ("cp1255", "הנעליים מאוד נוחות וקלות."),
    ("euc_jp", "軽くてとても歩きやすい靴です。"),
    ("gb18030", "快递很快，客服态度也好。"),
)


@pytest.mark.parametrize("english", [0, 300])
@pytest.mark.parametrize("encoding", FOREIGN)
def test_files_of_other_regions_are_read(encoding: str, english: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = (("Nike shoes are very comfortable.", "5") for _ in range(english))
    write(path, ("text", "stars"), (FOREIGN[encoding], "5"), *rows, encoding=encoding)
    file = csv_files.inspect_file(path)
    (cell,) = next(csv_files.read_rows(file, ["text"])).cells
    assert cell == FOREIGN[encoding]


@pytest.mark.parametrize(("encoding", "text"), SPREADSHEETS)
def test_languages_that_share_an_encoding_are_distinguished(encoding: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ("text", "stars"), (text, "5"), encoding=encoding)
    file = csv_files.inspect_file(path)
    (cell,) = next(csv_files.read_rows(file, ["text"])).cells
    assert cell == text


def test_a_file_without_a_usable_sentence_costs_no_other(tmp_path: Path) -> None:
    numbers = write(tmp_path / "numbers.csv", ("text",), ("12",), ("",), ("7",))
    good = write(tmp_path / "good.csv", ("text",), ("They fit.",))
    texts, reports = read_folder(None, extra=[numbers, good], cache_dir=tmp_path / "cache")
    assert sentences_of(texts) == ["They fit."]
    assert [(report.sentences, report.is_read) for report in reports] == [(0, True), (1, True)]
    assert reports[0].notes == ("no usable sentence in 'text'",)
    assert read_folder(None, extra=[numbers, good], cache_dir=tmp_path / "cache") == (texts, reports)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04rest", b"id,text\n", b"id,words\n1,x\n", b'text\n"open\n', b"\0" * 9000]
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_bad_file_costs_no_other(content: bytes, is_named: bool, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    good = write_reviews(tmp_path / "good.csv", "They fit.")
    extra = [tmp_path / "bad.csv", good] if is_named else []
    texts, reports = read_folder(tmp_path, extra=extra)
    assert sentences_of(texts) == ["They fit."]
    assert [(Path(report.path).name, report.is_read) for report in reports] == [
        ("good.csv", True),
        ("bad.csv", False),
    ]
    assert reports[1].notes[0].startswith("skipped: ")


def test_a_known_file_without_its_column_costs_no_other(tmp_path: Path) -> None:
    write(tmp_path / "web_scraped.csv", ["Title", "Text"], ["x", "y"])
    write_reviews(tmp_path / "good.csv", "They fit.")
    assert sentences_of(read_folder(tmp_path)[0]) == ["They fit."]


# Size


def test_reading_stops_at_the_limit_of_sentences_and_counts_on(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", ("text",), *([f"They fit {n} feet. I run {n} miles."] for n in range(10))
    )
    texts, (report,) = read_folder(None, extra=[path], max_sentences=5)
    assert len(texts) == 6  # the row in which the limit is reached is read to its end
    assert (report.rows, report.kept_rows, report.dropped) == (10, 3, {parsing.OVER_LIMIT: 7})


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """40 MB: a reader that holds the file takes twice the growth that is allowed."""
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("id,text,other\n")
        for n in range(20_000):
            file.write(f'{n},"They fit {n % 10_000} feet.\n",{"x" * 2000}\n')
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from training.corpus.readers import read_folder\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "def read(name): return read_folder(None, extra=[Path(name)], max_sentences=5000)[1][0].rows\n"
        "read(sys.argv[1])\n"  # what reading takes at all
        "before = peak()\n"
        "print(read(sys.argv[2]), peak() - before)\n"
    )
    small = write(tmp_path / "small.csv", ("id", "text"), ("1", "They fit."))
    process = subprocess.run(
        [sys.executable, "-c", script, str(small), str(path)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    rows, growth_mb = map(int, process.stdout.split())
    assert rows == 20_000
    assert growth_mb < 20


# The real files


@pytest.mark.skipif(not DATA.is_dir(), reason="the public files are not here")
def test_the_public_files_have_the_counts_that_are_known_of_them(tmp_path: Path) -> None:
    texts, reports = read_folder(DATA, cache_dir=tmp_path)
    by_source = {report.source: report for report in reports}
    products, reviews, html = (by_source[name] for name in ("products_2020", "reviews", "products_2022"))
    assert (products.rows, reviews.rows, html.rows) == (643, 236, 112)
    # 510 unique descriptions: 3 rows have none.
    assert products.rows - 3 - products.dropped[parsing.REPEATED_TEXT] == 510
    with (DATA / "nike_customer_reviews_kaggle.csv").open(newline="", encoding="utf-8") as file:
        title_only = [row["Title"] for row in csv.DictReader(file) if not row["Content"]]
    assert len(title_only) == 42
    kept = {duplicate_key(text.text) for text in texts if text.source == "reviews"}
    assert {duplicate_key(title) for title in title_only} <= kept
    assert html.kept_rows == 112
    assert not [text.text for text in texts if "<" in text.text or "&amp;" in text.text]
    assert {report.source for report in reports if not report.is_read} == {
        "nike_com_reviews",
        "bitext_customer_service_8k",
    }


@pytest.mark.parametrize("content", [",", '""', ' ; ;\n""\n'])
def test_a_header_of_delimiters_alone_is_an_empty_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(EmptyCsvError, match=r"x\.csv is empty"):
        read_extra(tmp_path / "x.csv")


def test_a_header_that_is_too_long_for_a_field_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a" * 140_000)
    with pytest.raises(BrokenRowError, match="line 1: field larger than field limit"):
        read_extra(tmp_path / "x.csv")


def test_a_review_in_place_of_the_header_is_shortened_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("It fits. " * 1000)
    with pytest.raises(NoTextColumnError) as caught:
        read_extra(tmp_path / "x.csv")
    assert len(str(caught.value).replace(str(tmp_path), "")) < 300
