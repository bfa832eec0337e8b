"""Errors in reading the team's CSV files.

TrainingError
└── CsvError                  a file that cannot be read; the message names the file, the place and a remedy
    ├── UnopenableFileError   missing, a folder, or not readable by this user
    ├── NotACsvError          an archive, a workbook or other binary content with the suffix .csv
    ├── EmptyCsvError         no header, or no rows
    ├── UnknownEncodingError  bytes that do not decode in the file's encoding
    ├── MissingColumnError    a known file without a column to read, or no column of the requested name
    ├── NoTextColumnError     no column with a usual name for text
    ├── BrokenRowError        rows that cannot be parsed
    └── CacheError            the cache folder cannot be written
"""

from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError

MAX_COLUMNS_SHOWN = 30
MAX_COLUMN_CHARS = 60


class CsvError(TrainingError):
    """A CSV file cannot be read."""


class UnopenableFileError(CsvError):
    """A file or folder is missing, or not readable by this user."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read ({reason}). Check the path and its permissions; FILLBOT_DATA_DIR names "
            "the folder of the CSV files."
        )


class NotACsvError(CsvError):
    """The file is not a CSV file."""

    def __init__(self, path: Path, looks_like: str) -> None:
        super().__init__(
            f"{path} is {looks_like}, not a CSV file. Unpack it or export it as CSV (UTF-8) and try again."
        )


class EmptyCsvError(CsvError):
    """The file has no header or no rows."""

    def __init__(self, path: Path, *, has_header: bool) -> None:
        what = "has a header and no rows" if has_header else "is empty"
        super().__init__(f"{path} {what}. Download or export it again, or take it out of the folder.")


class UnknownEncodingError(CsvError):
    """Some bytes do not decode in the file's encoding."""

    def __init__(self, path: Path, *, encoding: str, byte: int) -> None:
        super().__init__(
            f"{path} begins as {encoding.upper()} but byte {byte:,} does not belong to it: the file is cut "
            "short or mixed. Export it again as CSV (UTF-8)."
        )


class MissingColumnError(CsvError):
    """A column to read is missing."""

    def __init__(self, path: Path, missing: Sequence[str], *, columns: Sequence[str], source: str) -> None:
        """Name the missing columns; `source` says what the file seems to be."""
        self.missing, self.columns = tuple(missing), format_columns(columns)
        super().__init__(
            f"{path} {source} but has no column {format_columns(missing)}. Its columns: "
            f"{self.columns}. Name one of them with the text column option, or restore the "
            "missing one."
        )


class NoTextColumnError(CsvError):
    """No column has a usual name for text."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.columns = format_columns(columns)
        super().__init__(
            f"{path} has no column with a usual name for text (text, review, content, …). Its columns: "
            f"{self.columns}. Name the one to read with the text column option."
        )


class BrokenRowError(CsvError):
    """The rows cannot be parsed from some line on."""

    def __init__(self, path: Path, *, line: int, reason: str) -> None:
        """Name the line, counted from 1, at which the row begins."""
        self.line = line
        super().__init__(
            f"{path}, line {line:,}: {reason}. Correct that line, or export the file again with quotes "
            "doubled inside quoted fields."
        )


class CacheError(CsvError):
    """The cache folder cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"The cache folder {folder} cannot be written ({reason}). Free some disk space or make it "
            "writable for this user."
        )


def format_columns(columns: Sequence[str]) -> str:
    """Format column names for a message, shortened: a header may turn out to be a whole review."""
    shown = ", ".join(
        repr(column if len(column) <= MAX_COLUMN_CHARS else f"{column[:MAX_COLUMN_CHARS]}…")
        for column in columns[:MAX_COLUMNS_SHOWN]
    )
    return f"{shown}, … ({len(columns)} in all)" if len(columns) > MAX_COLUMNS_SHOWN else shown
