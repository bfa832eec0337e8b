"""Streams the rows of a CSV file of any size and quality, or raises an error that names the broken line.

Memory is bounded: a file is checked in chunks of 1 MiB, and parsed in lines of at most `MAX_LINE_CHARS`.
Python's `csv` splits the fields; this module adds limits, line numbers, and recovery after a quote that is
never closed, which makes `csv.reader` swallow the rest of the file. Only the requested columns leave this
module.
"""

import codecs
import csv
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeVar

from storage.sentences import Sentence
from storage.text_files import encoding_of
from training.corpus.csv.encodings import encoding_of_file
from training.corpus.csv.errors import (
    BrokenRowError,
    EmptyCsvError,
    NotACsvError,
    UnknownEncodingError,
    UnopenableFileError,
)
from training.corpus.csv.headers import Header, IsHeader, find_header, fit_row
from training.corpus.sources import is_known_header

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 12
MAX_LINE_CHARS = 1 << 20
MAX_ROW_CHARS = 4 << 20  # quoted fields may contain line ends; csv limits a field to 131,072 characters
HEAD_LINES, HEAD_CHARS = 60, 1 << 18  # enough for titles, the header and some rows
RAGGED, NUL, BROKEN = "ragged rows", "rows with NUL bytes", "rows that cannot be parsed"
BINARY = (
    (b"PK\x03\x04", Sentence("a ZIP archive or an Excel workbook")),
    (b"\xd0\xcf\x11\xe0", Sentence("an old Excel workbook")),
    (b"\x1f\x8b", Sentence("a gzip archive")),
    (b"%PDF", Sentence("a PDF")),
    (b"PAR1", Sentence("a Parquet file")),
    (b"SQLite format 3", Sentence("an SQLite database")),
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
    """A CSV file that was inspected, ready to read its rows.

    Attributes:
        sha256: hash of the content.
        encoding: Python's name of the encoding; "latin-1" is read as Windows-1252.
        header: the layout of the rows.
        notes: how the file is read, for people.
    """

    path: Path
    sha256: str
    encoding: str
    header: Header
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.header.columns


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its number from 1 without the header, and the requested cells, or why it is unusable."""

    number: int
    cells: tuple[str, ...]
    fault: str | None = None


def read_columns(path: Path, is_header: IsHeader = is_known_header) -> tuple[str, ...]:
    """Read only the header.

    Raises:
        CsvError: the file has no header or cannot be read.
    """
    encoding = _encoding_by_first_bytes(path)
    return _header(path, "latin-1" if encoding == "utf-8" else encoding, is_header).columns


def inspect_file(path: Path, is_header: IsHeader = is_known_header) -> CsvFile:
    """Read the whole file once, in chunks, for its hash, encoding and header.

    Raises:
        CsvError: the file is empty, binary, or not text in its encoding.
    """
    encoding = _encoding_by_first_bytes(path)
    notes: list[str] = []
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder(encoding)()
    bad_byte: int | None = None
    offset, lines = 0, 1
    with _open_or_raise(path, lambda: path.open("rb")) as file:
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
        encoding = encoding_of_file(path)
        named = "Windows-1252" if encoding == "latin-1" else encoding.upper()
        notes.append(f"not UTF-8 at byte {bad_byte:,} (line {lines:,}): read as {named}")
    elif not encoding.startswith("utf-8"):
        notes.append(f"read as {encoding.upper()}")
    header = _header(path, encoding, is_header)
    if header.delimiter != ",":
        notes.append(f"fields are separated by {'tabs' if header.delimiter == chr(9) else header.delimiter}")
    if header.above:
        notes.append(f"rows above the header: {header.above}")
    return CsvFile(path, digest.hexdigest(), encoding, header, tuple(notes))


def read_rows(file: CsvFile, columns: Sequence[str]) -> Iterator[CsvRow]:
    """Yield every non-blank row; an unusable one has a fault.

    Raises:
        CsvError: there are no rows, none of them fits the header, or none can be parsed.
    """
    wanted = [file.columns.index(column) for column in columns]
    windows = file.encoding == "latin-1"
    number, fitting, first_ragged = 0, 0, (0, 0)
    first_broken: BrokenRowError | None = None
    with _open_or_raise(file.path, lambda: _open_text(file.path, file.encoding)) as stream:
        lines = _Lines(stream, file.path)
        above = csv.reader(lines, delimiter=file.header.delimiter)
        for _ in range(file.header.above + 1):
            _next_row(above, lines)
        reader = csv.reader(lines, delimiter=file.header.delimiter)
        while True:
            try:
                cells = _next_row(reader, lines)
            except BrokenRowError as error:
                number += 1
                first_broken = first_broken or error
                yield CsvRow(number, (), BROKEN)
                lines.go_on_below()  # re-read from the next line what an open quote swallowed
                reader = csv.reader(lines, delimiter=file.header.delimiter)
                continue
            if cells is None:
                break
            number += 1
            if lines.has_nul:
                yield CsvRow(number, (), NUL)
            elif (fit := fit_row(cells, file.header, wanted[0] + 1 if first_broken is None else 0)) is None:
                first_ragged = first_ragged if first_ragged[0] else (lines.row_line, len(cells))
                yield CsvRow(number, (), RAGGED)
            else:
                fitting += 1
                chosen = tuple(fit[index] for index in wanted)
                yield CsvRow(number, tuple(c.translate(WINDOWS) for c in chosen) if windows else chosen)
    if number == 0:
        raise EmptyCsvError(file.path, has_header=True)
    if not fitting and first_broken is not None:
        raise first_broken
    if not fitting and first_ragged[0]:
        reason = Sentence(
            "no row has the {columns} fields of the header; this one has {fields}",
            columns=len(file.columns),
            fields=first_ragged[1],
        )
        raise BrokenRowError(file.path, line=first_ragged[0], reason=reason)


class _Lines:
    """Bounded lines of a file for `csv.reader`; records the line at which each row begins."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._line = self._chars = 0
        self._of_row: list[str] = []
        self._again: deque[str] = deque()
        self.row_line = 1
        self.has_nul = self.ended_inside = False

    def begin_row(self) -> None:
        self.row_line = self._line + 1
        self._chars = 0
        self._of_row = []
        self.has_nul = self.ended_inside = False

    def go_on_below(self) -> None:
        """Re-read all lines of this row except the first."""
        self._again.extendleft(reversed(self._of_row[1:]))
        self._line = self.row_line
        if self._of_row and self._of_row[0][-1] not in "\r\n":  # skip the rest of a line that is too long
            while (line := self._stream.readline(MAX_LINE_CHARS)) and line[-1] not in "\r\n":
                pass

    def spans(self) -> int:
        """Number of lines of the row so far."""
        return self._line - self.row_line + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(MAX_LINE_CHARS)
        if not line:
            self.ended_inside = self.spans() > 0  # the reader expects more: a quote is open
            raise StopIteration
        self._line += 1
        self._chars += len(line)
        self._of_row.append(line)
        if len(line) == MAX_LINE_CHARS and line[-1] not in "\r\n":
            reason = Sentence("the line is longer than {chars:,} characters", chars=MAX_LINE_CHARS)
            raise BrokenRowError(self._path, line=self._line, reason=reason)
        if self._chars > MAX_ROW_CHARS:
            reason = Sentence("the row is longer than {chars:,} characters", chars=MAX_ROW_CHARS)
            raise BrokenRowError(self._path, line=self.row_line, reason=reason)
        self.has_nul = self.has_nul or "\0" in line
        return line

    def unclosed(self) -> BrokenRowError:
        reason = Sentence("a quote is opened and not closed")
        return BrokenRowError(self._path, line=self.row_line, reason=reason)

    def broken(self, error: csv.Error) -> BrokenRowError:
        if self.spans() > 1:
            return self.unclosed()
        return BrokenRowError(self._path, line=self.row_line, reason=str(error))


def _next_row(reader: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    """Return the next non-blank row, or None at the end."""
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


def _header(path: Path, encoding: str, is_header: IsHeader) -> Header:
    with _open_or_raise(path, lambda: _open_text(path, encoding)) as stream:
        head = "".join(islice(iter(lambda: stream.readline(HEAD_CHARS), ""), HEAD_LINES))[:HEAD_CHARS]
        if not head.strip("\ufeff \t\r\n"):
            raise EmptyCsvError(path, has_header=False)
        header = find_header(head.translate(WINDOWS) if encoding == "latin-1" else head, is_header)
        if header is None:
            stream.seek(0)
            lines = _Lines(stream, path)
            _next_row(csv.reader(lines), lines)  # raises if the first row is broken
            raise EmptyCsvError(path, has_header=False)  # only delimiters and quotes
    return header


def _encoding_by_first_bytes(path: Path) -> str:
    """Detect a Unicode encoding by the byte order mark or the positions of NULs; UTF-8 by default."""
    with _open_or_raise(path, lambda: path.open("rb")) as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise EmptyCsvError(path, has_header=False)
    for mark, looks_like in BINARY:
        if sample.startswith(mark):
            raise NotACsvError(path, looks_like)
    if sample.count(0) > len(sample) // 2 + 1 and encoding_of(sample) == "utf-8":
        raise NotACsvError(path, Sentence("filled with NUL bytes"))
    return encoding_of(sample)


def _first_bad_byte(
    decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, *, final: bool
) -> int | None:
    """Offset in the file of the first byte of a chunk that does not decode, or None."""
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        return offset - pending + error.start
    return None


def _open_text(path: Path, encoding: str) -> TextIO:
    # `inspect_file` has decoded every byte. If the file changed since, the sentence with U+FFFD is dropped.
    return path.open(encoding=encoding, errors="replace", newline="")


def _open_or_raise(path: Path, open_: Callable[[], _T]) -> _T:
    try:
        return open_()
    except OSError as error:
        raise UnopenableFileError(path, error.strerror or str(error)) from error
