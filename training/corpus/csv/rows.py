"""Streams the rows of a CSV file of any size and quality, or raises an error that names the broken line.

Memory is bounded: a file is checked in chunks of 1 MiB, and parsed in lines of at most `MAX_LINE_CHARS`.
Python's `csv` splits the fields; this module adds limits, line numbers, and recovery after a quote that is
never closed, which makes `csv.reader` swallow the rest of the file. Only the requested columns leave this
module.
"""

import codecs
import contextlib
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from storage.files.durable import sha256
from storage.files.text import encoding_of
from storage.sentences import Sentence
from training.corpus.csv.encodings import WINDOWS_1252, encoding_of_file
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
UNCLOSED = Sentence("a quote is opened and not closed")
BINARY = (
    (b"PK\x03\x04", Sentence("a ZIP archive or an Excel workbook")),
    (b"\xd0\xcf\x11\xe0", Sentence("an old Excel workbook")),
    (b"\x1f\x8b", Sentence("a gzip archive")),
    (b"%PDF", Sentence("a PDF")),
    (b"PAR1", Sentence("a Parquet file")),
    (b"SQLite format 3", Sentence("an SQLite database")),
)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file that was inspected, ready to read its rows.

    Attributes:
        sha256: Hash of the content.
        encoding: The encoding, by the name of its codec.
        header: The layout of the rows.
        notes: How the file is read, for people.
    """

    path: Path
    sha256: str
    encoding: str
    header: Header
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, as the file spells them."""
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
        CsvError: The file has no header or cannot be read.
    """
    encoding = _encoding_by_first_bytes(path)
    return _header(path, WINDOWS_1252 if encoding == "utf-8" else encoding, is_header).columns


def inspect_file(path: Path, is_header: IsHeader = is_known_header) -> CsvFile:
    """Read the whole file in chunks, for its hash and encoding, and find its header.

    Raises:
        CsvError: The file is empty, binary, or not text in its encoding.
    """
    encoding = _encoding_by_first_bytes(path)
    notes: list[str] = []
    if (found := _first_bad_byte(path, encoding)) is not None:
        byte, line = found
        if not encoding.startswith("utf-8"):
            raise UnknownEncodingError(path, encoding=encoding, byte=byte)
        encoding = encoding_of_file(path)
        named = "Windows-1252" if encoding == WINDOWS_1252 else encoding.upper()
        notes.append(f"not UTF-8 at byte {byte:,} (line {line:,}): read as {named}")
    elif not encoding.startswith("utf-8"):
        notes.append(f"read as {encoding.upper()}")
    header = _header(path, encoding, is_header)
    if header.delimiter != ",":
        notes.append(f"fields are separated by {'tabs' if header.delimiter == chr(9) else header.delimiter}")
    if header.above:
        notes.append(f"rows above the header: {header.above}")
    with _readable(path):
        return CsvFile(path, sha256(path), encoding, header, tuple(notes))


def read_rows(file: CsvFile, columns: Sequence[str]) -> Iterator[CsvRow]:
    """Yield every non-blank row; an unusable one has a fault.

    Raises:
        CsvError: There are no rows, none of them fits the header, or none can be parsed.
    """
    wanted = [file.columns.index(column) for column in columns]
    number = fitting = 0
    first_broken: BrokenRowError | None = None
    first_ragged: tuple[int, int] | None = None  # its line and number of fields
    with _readable(file.path), _open_text(file.path, file.encoding) as stream:
        rows = _Rows(stream, file.path, file.header.delimiter)
        for _ in range(file.header.above + 1):
            rows.next_row()
        while True:
            number += 1
            try:
                cells = rows.next_row()
            except BrokenRowError as error:
                first_broken = first_broken or error
                yield CsvRow(number, (), BROKEN)
                continue
            if cells is None:
                break
            if rows.has_nul:
                yield CsvRow(number, (), NUL)
            elif (fit := fit_row(cells, file.header, wanted[0] + 1 if first_broken is None else 0)) is None:
                first_ragged = first_ragged or (rows.row_line, len(cells))
                yield CsvRow(number, (), RAGGED)
            else:
                fitting += 1
                yield CsvRow(number, tuple(fit[index] for index in wanted))
    if number == 1:
        raise EmptyCsvError(file.path, has_header=True)
    if not fitting and first_broken is not None:
        raise first_broken
    if not fitting and first_ragged is not None:
        line, fields = first_ragged
        reason = Sentence(
            "no row has the {columns} fields of the header; this one has {fields}",
            columns=len(file.columns),
            fields=fields,
        )
        raise BrokenRowError(file.path, line=line, reason=reason)


class _Rows:
    """The non-blank rows of a file, in bounded memory, with the lines at which they begin.

    Attributes:
        row_line: The first line of the row read last, counted from 1.
    """

    def __init__(self, stream: TextIO, path: Path, delimiter: str = ",") -> None:
        self._stream, self._path, self._delimiter = stream, path, delimiter
        self._line = 0
        self._of_row: list[str] = []
        self._again: deque[str] = deque()
        self._ended_inside = False
        self._reader = csv.reader(self._lines(), delimiter=delimiter)
        self.row_line = 1

    @property
    def has_nul(self) -> bool:
        """Whether the row read last has NUL bytes."""
        return any("\0" in line for line in self._of_row)

    def next_row(self) -> list[str] | None:
        """Return the next row, or None at the end.

        Raises:
            BrokenRowError: The row cannot be parsed. The next call continues after the row's first line.
        """
        while True:
            self.row_line, self._of_row = self._line + 1, []
            reason: str | None = None
            try:
                cells = next(self._reader, None)
                if self._ended_inside:
                    reason = UNCLOSED
            except BrokenRowError:
                self._go_on_below()
                raise
            except csv.Error as error:
                reason = UNCLOSED if len(self._of_row) > 1 else str(error)
            if reason is not None:
                self._go_on_below()
                raise BrokenRowError(self._path, line=self.row_line, reason=reason)
            if cells is None or any(cell.strip() for cell in cells):
                return cells

    def _lines(self) -> Iterator[str]:
        chars = 0
        while line := self._again.popleft() if self._again else self._stream.readline(MAX_LINE_CHARS):
            chars = len(line) + (chars if self._of_row else 0)
            self._line += 1
            self._of_row.append(line)
            if len(line) == MAX_LINE_CHARS and line[-1] not in "\r\n":
                reason = Sentence("the line is longer than {chars:,} characters", chars=MAX_LINE_CHARS)
                raise BrokenRowError(self._path, line=self._line, reason=reason)
            if chars > MAX_ROW_CHARS:
                reason = Sentence("the row is longer than {chars:,} characters", chars=MAX_ROW_CHARS)
                raise BrokenRowError(self._path, line=self.row_line, reason=reason)
            yield line
        self._ended_inside = bool(self._of_row)  # the reader expects more: a quote is open

    def _go_on_below(self) -> None:
        """Read all lines of this row except the first again: an open quote has swallowed them."""
        self._again.extendleft(reversed(self._of_row[1:]))
        self._line, self._ended_inside = self.row_line, False
        if self._of_row and self._of_row[0][-1] not in "\r\n":  # skip the rest of a line that is too long
            while (line := self._stream.readline(MAX_LINE_CHARS)) and line[-1] not in "\r\n":
                pass
        self._reader = csv.reader(self._lines(), delimiter=self._delimiter)


def _header(path: Path, encoding: str, is_header: IsHeader) -> Header:
    with _readable(path), _open_text(path, encoding) as stream:
        head = "".join(islice(iter(lambda: stream.readline(HEAD_CHARS), ""), HEAD_LINES))[:HEAD_CHARS]
        if not head.strip("\ufeff \t\r\n"):
            raise EmptyCsvError(path, has_header=False)
        header = find_header(head, is_header)
        if header is None:
            stream.seek(0)
            _Rows(stream, path).next_row()  # raises if the first row is broken
            raise EmptyCsvError(path, has_header=False)  # only delimiters and quotes
    return header


def _encoding_by_first_bytes(path: Path) -> str:
    """Detect a Unicode encoding by the byte order mark or the positions of NULs; UTF-8 by default."""
    with _readable(path), path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise EmptyCsvError(path, has_header=False)
    for mark, looks_like in BINARY:
        if sample.startswith(mark):
            raise NotACsvError(path, looks_like)
    encoding = encoding_of(sample)
    if encoding == "utf-8" and sample.count(0) > len(sample) // 2 + 1:
        raise NotACsvError(path, Sentence("filled with NUL bytes"))
    return encoding


def _first_bad_byte(path: Path, encoding: str) -> tuple[int, int] | None:
    """Return offset and line of the first byte that does not decode, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = 0, 1
    with _readable(path), path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                place = error.start - pending
                return offset + place, line + chunk.count(b"\n", 0, max(0, place))
            if not chunk:
                return None
            offset += len(chunk)
            line += chunk.count(b"\n")


def _open_text(path: Path, encoding: str) -> TextIO:
    # `inspect_file` has decoded every byte. If the file changed since, the sentence with U+FFFD is dropped.
    return path.open(encoding=encoding, errors="replace", newline="")


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Translate the errors of reading a file."""
    try:
        yield
    except OSError as error:
        raise UnopenableFileError(path, error.strerror or str(error)) from error
