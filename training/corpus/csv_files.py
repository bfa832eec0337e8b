"""A CSV file of any size and quality → its rows, one at a time, or an error that says where it breaks.

Memory is bounded: a file is read in chunks of 1 MiB to check it and in lines of at most `MAX_LINE_CHARS`
to parse it. Only the columns asked for leave this module.
"""

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar

from training.corpus.csv_errors import (
    BrokenRowError,
    EmptyCsvError,
    NotACsvError,
    UnknownEncodingError,
    UnopenableFileError,
)

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 12
MAX_LINE_CHARS = 1 << 20
MAX_ROW_CHARS = 4 << 20  # quoted fields may hold line ends; csv itself stops a field at 131,072 characters
UTF_16_NUL_SHARE = 0.3  # of every second byte; Western text in UTF-16 has nearly 1
DELIMITERS = ",;\t|"
RAGGED, NUL = "ragged rows", "rows with NUL bytes"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BINARY = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
)
# Windows-1252 differs from Latin-1 here; the five undefined bytes stay control characters.
WINDOWS = {
    byte: bytes([byte]).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """What has to be known of a file before its rows are read.

    Attributes:
        sha256: Of the bytes.
        encoding: As Python names it; "latin-1" is read as Windows-1252.
        columns: The header, stripped.
        notes: What a person should know of how the file was read.
    """

    path: Path
    sha256: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 1 without the header, and the cells asked for, or why it has none."""

    number: int
    cells: tuple[str, ...]
    fault: str | None = None


def columns_of(path: Path) -> tuple[str, ...]:
    """Read the header alone.

    Raises:
        CsvError: It has none or cannot be read.
    """
    encoding = _encoding_by_first_bytes(path)
    return _header(path, "latin-1" if encoding == "utf-8" else encoding)[1]


def inspect(path: Path) -> CsvFile:
    """Read the whole file once, in chunks: its hash, its encoding, its header.

    Raises:
        CsvError: It is empty, binary, or not text of its encoding.
    """
    encoding = _encoding_by_first_bytes(path)
    notes: list[str] = []
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder(encoding)()
    bad_byte: int | None = None
    offset, lines = 0, 1
    with _opened(path, lambda: path.open("rb")) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            if bad_byte is None:
                bad_byte = _first_bad_byte(decoder, chunk, offset, final=False)
                end = len(chunk) if bad_byte is None else bad_byte - offset
                lines += chunk.count(b"\n", 0, max(0, end))
            offset += len(chunk)
        if bad_byte is None:
            bad_byte = _first_bad_byte(decoder, b"", offset, final=True)
    if bad_byte is not None:
        if not encoding.startswith("utf-8"):
            raise UnknownEncodingError(path, encoding=encoding, byte=bad_byte)
        encoding = "latin-1"
        notes.append(f"not UTF-8 at byte {bad_byte:,} (line {lines:,}): read as Windows-1252")
    elif not encoding.startswith("utf-8"):
        notes.append(f"read as {encoding.upper()}")
    delimiter, columns = _header(path, encoding)
    if delimiter != ",":
        notes.append(f"fields are separated by {'tabs' if delimiter == chr(9) else delimiter}")
    return CsvFile(path, digest.hexdigest(), encoding, delimiter, columns, tuple(notes))


def rows(file: CsvFile, columns: Sequence[str]) -> Iterator[Row]:
    """Yield every row, those that cannot be used with a fault; blank lines are no rows.

    Raises:
        CsvError: There are no rows, none of them fits the header, or they cannot be told apart.
    """
    wanted = [file.columns.index(column) for column in columns]
    windows = file.encoding == "latin-1"
    number, fitting, first_ragged = 0, 0, (0, 0)
    with _opened(file.path, lambda: _open_text(file.path, file.encoding)) as stream:
        lines = _Lines(stream, file.path)
        _next_row(csv.reader(lines, delimiter=file.delimiter), lines)  # the header
        reader = csv.reader(lines, delimiter=file.delimiter)
        while (cells := _next_row(reader, lines)) is not None:
            number += 1
            if lines.has_nul:
                yield Row(number, (), NUL)
            elif len(cells) != len(file.columns):
                first_ragged = first_ragged if first_ragged[0] else (lines.row_line, len(cells))
                yield Row(number, (), RAGGED)
            else:
                fitting += 1
                chosen = tuple(cells[index] for index in wanted)
                yield Row(number, tuple(c.translate(WINDOWS) for c in chosen) if windows else chosen)
    if number == 0:
        raise EmptyCsvError(file.path, has_header=True)
    if not fitting and first_ragged[0]:
        reason = f"no row has the {len(file.columns)} fields of the header; this one has {first_ragged[1]}"
        raise BrokenRowError(file.path, line=first_ragged[0], reason=reason)


class _Lines:
    """The lines of a file for `csv.reader`, bounded, with what it does not tell: where a row begins."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._line = self._chars = 0
        self.row_line = 1
        self.has_nul = self.ended_inside = False

    def begin_row(self) -> None:
        self.row_line = self._line + 1
        self._chars = 0
        self.has_nul = False

    def spans(self) -> int:
        """How many lines the row has so far."""
        return self._line - self.row_line + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_LINE_CHARS)
        if not line:
            self.ended_inside = self.spans() > 0  # the reader wants more: a quote is open
            raise StopIteration
        self._line += 1
        self._chars += len(line)
        if len(line) == MAX_LINE_CHARS and line[-1] not in "\r\n":
            reason = f"the line is longer than {MAX_LINE_CHARS:,} characters"
            raise BrokenRowError(self._path, line=self._line, reason=reason)
        if self._chars > MAX_ROW_CHARS:
            reason = f"the row is longer than {MAX_ROW_CHARS:,} characters"
            raise BrokenRowError(self._path, line=self.row_line, reason=reason)
        self.has_nul = self.has_nul or "\0" in line
        return line

    def unclosed(self) -> BrokenRowError:
        return BrokenRowError(self._path, line=self.row_line, reason="a quote is opened and not closed")

    def broken(self, error: csv.Error) -> BrokenRowError:
        if self.spans() > 1:
            return self.unclosed()
        return BrokenRowError(self._path, line=self.row_line, reason=str(error))


def _next_row(reader: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    """The next row that is not blank; None at the end."""
    while True:
        lines.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise lines.broken(error) from error
        if lines.ended_inside:
            raise lines.unclosed()
        if cells is None or any(cell.strip() for cell in cells):
            return cells


def _header(path: Path, encoding: str) -> tuple[str, tuple[str, ...]]:
    """Delimiter and columns."""
    with _opened(path, lambda: _open_text(path, encoding)) as stream:
        lines = _Lines(stream, path)
        first = ""
        with suppress(StopIteration):
            while not first.strip():
                first = next(lines)
        if not first.strip():
            raise EmptyCsvError(path, has_header=False)
        delimiter = max(DELIMITERS, key=lambda mark: _fields(first, mark))
        stream.seek(0)
        lines = _Lines(stream, path)
        cells = _next_row(csv.reader(lines, delimiter=delimiter), lines)
    if cells is None:  # delimiters and quotes, and nothing between them
        raise EmptyCsvError(path, has_header=False)
    columns = (cell.translate(WINDOWS) if encoding == "latin-1" else cell for cell in cells)
    # A file with a byte order mark and a byte that is not UTF-8 is read as Windows-1252, mark included.
    return delimiter, tuple(column.removeprefix("ï»¿").strip(' "\t\ufeff') for column in columns)


def _fields(line: str, delimiter: str) -> int:
    """How many fields a line has; 0 where they cannot be told apart, which is said when the row is read."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        return 0


def _encoding_by_first_bytes(path: Path) -> str:
    """By the byte order mark, else by where the NULs are; UTF-8 unless something speaks against it."""
    with _opened(path, lambda: path.open("rb")) as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise EmptyCsvError(path, has_header=False)
    for mark, looks_like in BINARY:
        if sample.startswith(mark):
            raise NotACsvError(path, looks_like)
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    half = max(1, len(sample) // 2)
    even, odd = (sample[start::2].count(0) / half > UTF_16_NUL_SHARE for start in (0, 1))
    if even and odd:
        raise NotACsvError(path, "filled with NUL bytes")
    return "utf-16-le" if odd else "utf-16-be" if even else "utf-8"


def _first_bad_byte(
    decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, *, final: bool
) -> int | None:
    """Where in the file the chunk at `offset` stops to be text, None if it does not."""
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        return offset - pending + error.start
    return None


def _open_text(path: Path, encoding: str) -> TextIO:
    # `inspect` has seen every byte; what is not text now was changed since, and its sentence is dropped.
    return path.open(encoding=encoding, errors="replace", newline="")


def _opened(path: Path, open_: Callable[[], _T]) -> _T:
    try:
        return open_()
    except OSError as error:
        raise UnopenableFileError(path, error.strerror or str(error)) from error
