"""Errors of reading the team's CSV files.

TrainingError
└── CsvError                  a file that cannot be read; the text says which, where, and what to do
    ├── UnopenableFileError   missing, a folder, or without the right to read it
    ├── NotACsvError          an archive, a workbook or other binary content under the name of a CSV
    ├── EmptyCsvError         no header, or a header and no rows
    ├── UnknownEncodingError  bytes that no supported encoding explains
    ├── MissingColumnError    a known file, or a named column, without what is to be read
    ├── NoTextColumnError     no column whose name says that it holds text
    ├── BrokenRowError        the rows cannot be told apart from some line on
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
    """A file or folder is missing or closed to this user."""

    def __init__(self, path: Path, reason: str) -> None:
        """Build the sentence from the place and the system's reason."""
        super().__init__(
            f"{path} cannot be read ({reason}). Check the path and its rights; FILLBOT_DATA_DIR names the "
            "folder of the CSV files."
        )


class NotACsvError(CsvError):
    """Something else under the name of a CSV."""

    def __init__(self, path: Path, looks_like: str) -> None:
        """Build the sentence from the place and what its first bytes say."""
        super().__init__(
            f"{path} is {looks_like}, not a CSV file. Unpack it or export it as CSV (UTF-8) and try again."
        )


class EmptyCsvError(CsvError):
    """Nothing to read."""

    def __init__(self, path: Path, *, has_header: bool) -> None:
        """Build the sentence from the place and whether there is a header."""
        what = "has a header and no rows" if has_header else "is empty"
        super().__init__(f"{path} {what}. Download or export it again, or take it out of the folder.")


class UnknownEncodingError(CsvError):
    """Bytes that do not belong to the file's encoding."""

    def __init__(self, path: Path, *, encoding: str, byte: int) -> None:
        """Build the sentence from the place, the encoding that the file seems to have, and the bad byte."""
        super().__init__(
            f"{path} begins as {encoding.upper()} but byte {byte:,} does not belong to it: the file is cut "
            "short or mixed. Export it again as CSV (UTF-8)."
        )


class MissingColumnError(CsvError):
    """A column that is to be read is not there."""

    def __init__(self, path: Path, missing: Sequence[str], *, columns: Sequence[str], source: str) -> None:
        """Build the sentence from the place, the columns, and what the file seems to be (`source`)."""
        self.missing = tuple(missing)
        super().__init__(
            f"{path} {source} but has no column {listed(missing)}. Its columns: {listed(columns)}. "
            "Name one of them with the text column option, or restore the missing one."
        )


class NoTextColumnError(CsvError):
    """No column looks like text."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Build the sentence from the place and its columns."""
        super().__init__(
            f"{path} has no column with a usual name for text (text, review, content, …). Its columns: "
            f"{listed(columns)}. Name the one to read with the text column option."
        )


class BrokenRowError(CsvError):
    """The rows cannot be told apart from some line on."""

    def __init__(self, path: Path, *, line: int, reason: str) -> None:
        """Build the sentence from the place, the line (from 1) where the row begins, and the reason."""
        self.line = line
        super().__init__(
            f"{path}, line {line:,}: {reason}. Correct that line, or export the file again with quotes "
            "doubled inside quoted fields."
        )


class CacheError(CsvError):
    """The cache folder cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Build the sentence from the place and the system's reason."""
        super().__init__(
            f"The cache folder {folder} cannot be written ({reason}). Free some disk space or give this user "
            "the right to write there."
        )


def listed(columns: Sequence[str]) -> str:
    """The names of columns as a sentence shows them."""
    # What stands in a header's place can be a whole review.
    shown = ", ".join(
        repr(column if len(column) <= MAX_COLUMN_CHARS else f"{column[:MAX_COLUMN_CHARS]}…")
        for column in columns[:MAX_COLUMNS_SHOWN]
    )
    return f"{shown}, … ({len(columns)} in all)" if len(columns) > MAX_COLUMNS_SHOWN else shown
