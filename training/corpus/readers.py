"""The team's CSV files → sentences to train on, parsed once and cached by content.

A folder may hold the three public files under any names, a part of them, or none; further files are named.
Reviewer names are in no column that is read. What was left out is counted by reason in one report per file.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from training.corpus import sources
from training.corpus.cleaning import duplicate_key
from training.corpus.csv import rows as csv_files
from training.corpus.csv.cache import ParsedFile, parsed_file
from training.corpus.csv.errors import CacheError, CsvError, UnopenableFileError, listed
from training.corpus.csv.rows import CsvFile
from training.corpus.sources import KNOWN, Source

MAX_SENTENCES = 200_000  # of one file, some 100 MB in memory; the three public files have 3,000 together
IN_ANOTHER_FILE = "sentences that another file has"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence.

    Attributes:
        source: "products_2020", "reviews", "products_2022", or the name of a further file without its ending.
        group: The same for all sentences of a row, and of other rows about the same product; a split by group
            puts no row, and no product, on both sides.
    """

    text: str
    source: str
    group: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What was read of one file.

    Attributes:
        rows: Rows without the header; 0 if the file was passed over.
        kept_rows: Rows of which at least one sentence was kept.
        sentences: Sentences kept.
        dropped: Reason → how many; the reason says of what (rows, texts, titles, labels, sentences).
        notes: What a person should know of how the file was read, or why it was passed over.
        is_read: False if the file was passed over.
    """

    source: str
    path: str
    rows: int
    kept_rows: int
    sentences: int
    dropped: dict[str, int]
    notes: tuple[str, ...] = ()
    is_read: bool = True


def read_folder(
    folder: Path | None,
    *,
    extra: Sequence[Path] = (),
    text_column: str | None = None,
    cache_dir: Path | None = None,
    max_sentences: int = MAX_SENTENCES,
) -> tuple[list[Text], list[SourceReport]]:
    """Read the known CSV files of a folder, and every file that is named.

    The same files give the same texts in the same order, whatever their names in the folder: the known kinds
    first, then the extras as named. A sentence is kept once, from the first file that has it.

    Args:
        folder: Folder of CSV files, not searched deeper; None for the named files alone.
        extra: Further CSV files; one that is of a known kind is read as such, unless `text_column` is given.
        text_column: The column to read of the extras; None to guess it from the usual names.
        cache_dir: Where parsed files are kept; None parses anew.
        max_sentences: Kept of one file at most; the rows after them are counted, not read.

    A file that cannot be read is passed over, and its report says why.

    Raises:
        CsvError: None of the known and named files can be read, or the cache cannot be written.
    """
    found, passed_over = find(folder, extra=extra, text_column=text_column)
    texts: list[Text] = []
    reports: list[SourceReport] = []
    broken: list[CsvError] = []
    seen: set[str] = set()
    with TemporaryDirectory() as scratch:
        for file, source in found:
            try:
                parsed = parsed_file(file, source, cache_dir or Path(scratch), max_sentences=max_sentences)
            except CacheError:
                raise
            except CsvError as error:
                broken.append(error)
                passed_over.append(_passed_over(file.path, error))
                continue
            kept, report = _unseen(file, source, parsed, seen)
            texts += kept
            reports.append(report)
            seen |= {duplicate_key(text.text) for text in kept}
    if broken and not reports:
        raise broken[0]
    return texts, [*reports, *passed_over]


def _unseen(
    file: CsvFile, source: Source, parsed: ParsedFile, seen: set[str]
) -> tuple[list[Text], SourceReport]:
    """The sentences of a file that no file before it has, and its report."""
    texts: list[Text] = []
    kept_rows: set[int] = set()
    dropped = Counter(parsed.dropped)
    for text, row, group in parsed.sentences():
        if duplicate_key(text) in seen:
            dropped[IN_ANOTHER_FILE] += 1
            continue
        kept_rows.add(row)
        # The hash tells two files of one kind apart, whatever they are called.
        texts.append(Text(text, source.name, f"{source.name}:{file.sha256[:8]}:{group}"))
    report = SourceReport(
        source.name,
        str(file.path),
        rows=parsed.rows,
        kept_rows=len(kept_rows),
        sentences=len(texts),
        dropped=dict(sorted(dropped.items())),
        notes=file.notes if texts else (*file.notes, f"no usable sentence in {listed(source.read)}"),
    )
    return texts, report


def _passed_over(path: Path, error: CsvError) -> SourceReport:
    return SourceReport(path.stem, str(path), 0, 0, 0, {}, (f"passed over: {error}",), is_read=False)


def find(
    folder: Path | None, *, extra: Sequence[Path] = (), text_column: str | None = None
) -> tuple[list[tuple[CsvFile, Source]], list[SourceReport]]:
    """The known files of a folder in an order that does not depend on their names, and the named ones.

    Returns:
        Files with what they are, and a report on each file that is passed over.

    Raises:
        CsvError: None of the known and named files can be read.
    """
    leave_out = {path.resolve() for path in extra}
    found: list[tuple[CsvFile, Source]] = []
    passed_over: list[SourceReport] = []
    broken: list[CsvError] = []
    for path in _csv_paths(folder):
        if path.resolve() in leave_out:
            continue
        try:
            columns = csv_files.columns_of(path)
        except CsvError as error:
            passed_over.append(_passed_over(path, error))
            continue
        try:
            source = sources.recognise(path, columns)
            if source is not None:
                found.append((csv_files.inspect(path), source))
                continue
        except CsvError as error:
            broken.append(error)
            passed_over.append(_passed_over(path, error))
            continue
        note = f"passed over: no known file has its columns ({listed(columns)}); name it to read it"
        passed_over.append(SourceReport(path.stem, str(path), 0, 0, 0, {}, (note,), is_read=False))
    order = {source.name: place for place, source in enumerate(KNOWN)}
    found.sort(key=lambda each: (order[each[1].name], each[0].sha256))
    is_header = partial(sources.is_known_header, text_column=text_column)
    for path in dict.fromkeys(extra):
        try:
            file = csv_files.inspect(path, is_header)
            found.append((file, sources.named(path, file.columns, text_column=text_column)))
        except CsvError as error:
            broken.append(error)
            passed_over.append(_passed_over(path, error))
    if broken and not found:
        raise broken[0]
    return found, passed_over


def _csv_paths(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.casefold() == ".csv" and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise UnopenableFileError(folder, error.strerror or str(error)) from error
