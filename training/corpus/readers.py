"""The team's CSV files → training sentences, parsed once and cached by content.

A folder may contain any of the three public files under any names; further files are named explicitly.
Columns with reviewers' names are never read. Each file has a report that counts what was dropped, by reason.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.corpus import sources
from training.corpus.cleaning import duplicate_key
from training.corpus.csv import rows as csv_files
from training.corpus.csv.cache import load_or_parse
from training.corpus.csv.errors import CacheError, CsvError, UnopenableFileError, format_columns
from training.corpus.csv.parsing import ParsedFile
from training.corpus.csv.rows import CsvFile
from training.corpus.sources import KNOWN, CsvSource

MAX_SENTENCES = 200_000  # per file, about 100 MB in memory; the three public files have 3,000 together
IN_ANOTHER_FILE = "sentences that another file has"


@dataclass(frozen=True, slots=True)
class SourceText:
    """One sentence of a file.

    Attributes:
        source: "products_2020", "reviews", "products_2022", or the stem of a further file's name.
        group: Shared by all sentences of a row and of other rows about the same product, so that a split by
            group puts no row and no product on both sides.
    """

    text: str
    source: str
    group: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What was read from one file.

    Attributes:
        rows: Number of rows without the header; 0 if the file was skipped.
        kept_rows: Number of rows with at least one kept sentence.
        sentences: Number of kept sentences.
        dropped: Reason → count; the reason names what is counted (rows, texts, titles, labels, sentences).
        notes: How the file was read, or why it was skipped.
        is_read: False if the file was skipped.
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
) -> tuple[list[SourceText], list[SourceReport]]:
    """Read the known CSV files of a folder, and all `extra` files.

    The order of the texts does not depend on the names in the folder: the known kinds come first, then the
    extras as given. A sentence is kept once, from the first file that contains it. A file that cannot be read
    is skipped, and its report says why.

    Args:
        folder: Folder of CSV files, not searched recursively; None for the extras alone.
        extra: Further CSV files; one of a known kind is read as such, unless `text_column` is given.
        text_column: The column to read from the extras; None to guess it from the usual names.
        cache_dir: Where to cache parsed files; None for no cache.
        max_sentences: Maximum number of sentences per file; the rows after them are only counted.

    Raises:
        CsvError: No known or named file can be read, or the cache cannot be written.
    """
    found, skipped = find_files(folder, extra=extra, text_column=text_column)
    texts: list[SourceText] = []
    reports: list[SourceReport] = []
    broken: list[CsvError] = []
    seen: set[str] = set()
    for file, source in found:
        try:
            parsed = load_or_parse(file, source, cache_dir, max_sentences=max_sentences)
        except CacheError:
            raise
        except CsvError as error:
            broken.append(error)
            skipped.append(_skipped(file.path, error))
            continue
        kept, report = _drop_repeated(file, source, parsed, seen)
        texts += kept
        reports.append(report)
        seen |= {duplicate_key(text.text) for text in kept}
    if broken and not reports:
        raise broken[0]
    return texts, [*reports, *skipped]


def _drop_repeated(
    file: CsvFile, source: CsvSource, parsed: ParsedFile, seen: set[str]
) -> tuple[list[SourceText], SourceReport]:
    """Drop the sentences that an earlier file contains, and make the report."""
    texts: list[SourceText] = []
    kept_rows: set[int] = set()
    dropped = Counter(parsed.dropped)
    for text, row, group in parsed.sentences:
        if duplicate_key(text) in seen:
            dropped[IN_ANOTHER_FILE] += 1
            continue
        kept_rows.add(row)
        # The hash distinguishes two files of one kind whose groups have the same numbers.
        texts.append(SourceText(text, source.name, f"{source.name}:{file.sha256[:8]}:{group}"))
    report = SourceReport(
        source.name,
        str(file.path),
        rows=parsed.rows,
        kept_rows=len(kept_rows),
        sentences=len(texts),
        dropped=dict(sorted(dropped.items())),
        notes=file.notes if texts else (*file.notes, f"no usable sentence in {format_columns(source.read)}"),
    )
    return texts, report


def _skipped(path: Path, reason: CsvError | str) -> SourceReport:
    return SourceReport(path.stem, str(path), 0, 0, 0, {}, (f"skipped: {reason}",), is_read=False)


def find_files(
    folder: Path | None, *, extra: Sequence[Path] = (), text_column: str | None = None
) -> tuple[list[tuple[CsvFile, CsvSource]], list[SourceReport]]:
    """Find the known files of a folder, in an order that does not depend on their names, and the extras.

    Returns:
        Files with their kind, and a report on each skipped file.

    Raises:
        CsvError: No known or named file can be read.
    """
    left_out = {path.resolve() for path in extra}
    found: list[tuple[CsvFile, CsvSource]] = []
    skipped: list[SourceReport] = []
    broken: list[CsvError] = []
    for path in _csv_paths(folder):
        if path.resolve() in left_out:
            continue
        try:
            columns = csv_files.read_columns(path)
        except CsvError as error:  # perhaps of another kind: no reason to refuse the folder
            skipped.append(_skipped(path, error))
            continue
        try:
            if source := sources.recognise_source(path, columns):
                found.append((csv_files.inspect_file(path), source))
            else:
                names = format_columns(columns)
                skipped.append(_skipped(path, f"no known file has its columns ({names}); name it to read it"))
        except CsvError as error:
            broken.append(error)
            skipped.append(_skipped(path, error))
    order = {source.name: place for place, source in enumerate(KNOWN)}
    found.sort(key=lambda each: (order[each[1].name], each[0].sha256))
    is_header = partial(sources.is_known_header, text_column=text_column)
    for path in dict.fromkeys(extra):
        try:
            file = csv_files.inspect_file(path, is_header)
            found.append((file, sources.source_of_given_file(path, file.columns, text_column=text_column)))
        except CsvError as error:
            broken.append(error)
            skipped.append(_skipped(path, error))
    if broken and not found:
        raise broken[0]
    return found, skipped


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
