"""Finds the header and the delimiter of a CSV file.

Spreadsheets and exports write Excel's `sep=;`, titles and blank lines above the header, delimiters without a
field after it, and a column of row numbers that the header does not name. `csv.Sniffer` is not enough: it
takes the line `sep=;` for the header, and raises on files with a title or with one column.
"""

import contextlib
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

DELIMITERS = ",;\t|"
MAX_ROWS_ABOVE = 12
MAX_ROWS_BELOW = 5
QUOTES = "\"“”„‟'‘’"
_SEP = re.compile(r'\ufeff?"?sep=(.|\\t)"?[,;\t|]*\s*\Z', re.IGNORECASE)
_FORMULA = re.compile(r'=\s*"(.*)"\s*\Z', re.DOTALL)

IsHeader = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Header:
    """The layout of a CSV file.

    Attributes:
        delimiter: The character between fields.
        columns: Names without empty ones at the end.
        width: Number of fields in the header, including those.
        above: Number of non-blank rows above the header.
        unnamed: Number of leading fields in the rows that the header lacks.
    """

    delimiter: str
    columns: tuple[str, ...]
    width: int
    above: int = 0
    unnamed: int = 0


def find_header(text: str, is_header: IsHeader) -> Header | None:
    """Find the header in the first lines of a file; None if they contain only delimiters and quotes.

    Args:
        text: The first lines.
        is_header: Whether cells are known column names.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    sep = _SEP.match(first)
    delimiters = [sep[1].replace("\\t", "\t")] if sep else list(DELIMITERS)
    tables = {delimiter: _rows(text, delimiter)[bool(sep) :] for delimiter in delimiters}
    most = max(delimiters, key=lambda delimiter: _rank(first, delimiter, is_header))
    delimiter, above = _below_titles(tables, is_header) or (most, 0)
    rows = tables[delimiter][above:]
    columns = tuple(map(column_name, rows[0])) if rows else ()
    named = len(trim_empty_cells(columns, 0))
    if not named:
        return None
    unnamed = named == len(columns) and _begin_with_numbers(rows[1 : 1 + MAX_ROWS_BELOW], len(columns))
    return Header(delimiter, columns[:named], len(columns), above + bool(sep), int(unnamed))


def fit_row(cells: list[str], header: Header, needed: int) -> list[str] | None:
    """Return the cells under the header's columns, or None if the row does not fit the header.

    Empty fields after the last column are ignored. A row that is too short is padded with empty cells if it
    has at least `needed` cells; with 0, which means that it may be a fragment, it does not fit.
    """
    cells = trim_empty_cells(cells[header.unnamed :], header.width)
    if len(cells) > header.width or len(cells) < (needed or header.width):
        return None
    return [cell_value(cell) for cell in cells] + [""] * (header.width - len(cells))


def trim_empty_cells(cells: Sequence[str], width: int) -> list[str]:
    """Remove empty cells at the end, down to a width."""
    kept = len(cells)
    while kept > width and not cells[kept - 1].strip():
        kept -= 1
    return list(cells[:kept])


def cell_value(cell: str) -> str:
    """Unwrap a formula such as `="007"`, which keeps Excel from reading the text as a number."""
    found = _FORMULA.match(cell) if cell.startswith("=") else None
    return found[1].replace('""', '"') if found else cell


def column_name(cell: str) -> str:
    """Return the name of a column without quotes, byte order marks and line ends."""
    # A file with a byte order mark and a byte that is not UTF-8 is read as Windows-1252, mark included.
    return " ".join(cell_value(cell).removeprefix("ï»¿").strip(f"{QUOTES} \t\ufeff").split())


def _below_titles(tables: dict[str, list[list[str]]], is_header: IsHeader) -> tuple[str, int] | None:
    """Find a known header below rows with fewer fields, such as the title and date of an export."""
    for above in range(1, MAX_ROWS_ABOVE):
        for delimiter, rows in tables.items():
            if above >= len(rows):
                continue
            fields = _filled(rows[above])
            titles = rows[:above]
            if (
                fields > 1
                and all(_filled(row) < fields for row in titles)
                and not any(is_header(row) for row in titles)
                and is_header([column_name(cell) for cell in rows[above]])
            ):
                return delimiter, above
    return None


def _rank(line: str, delimiter: str, is_header: IsHeader) -> tuple[int, bool]:
    """Count the fields of a line, 0 if it cannot be parsed; and whether they are known."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return 0, False
    return len(cells), is_header([column_name(cell) for cell in cells])


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _begin_with_numbers(rows: list[list[str]], width: int) -> bool:
    """Whether all rows begin with a number that the header lacks, as R writes row names."""
    return bool(rows) and all(
        len(row) == width + 1 and bool(row[-1].strip()) and row[0].strip().isdigit() for row in rows
    )


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Return the non-blank rows up to the first that cannot be parsed; the last one may be truncated."""
    rows: list[list[str]] = []
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    with contextlib.suppress(csv.Error):  # reported when the rows are read
        for cells in filter(_filled, reader):
            rows.append(cells)
            if len(rows) > MAX_ROWS_ABOVE + MAX_ROWS_BELOW:
                break
    return rows
