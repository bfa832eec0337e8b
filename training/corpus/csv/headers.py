"""Where a CSV file's rows begin and what is between its fields, as spreadsheets and exports leave it.

Above the header there may be Excel's `sep=;`, a title, blank lines; behind it, delimiters without a field; in
the rows, a column of numbers that the header does not name.
"""

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
    """What a look at the first lines tells.

    Attributes:
        delimiter: between fields.
        columns: names, without those that are empty at the end.
        width: fields of the header, with those.
        above: rows above the header that are not blank.
        unnamed: columns in front of the rows that the header does not have.
    """

    delimiter: str
    columns: tuple[str, ...]
    width: int
    above: int = 0
    unnamed: int = 0


def find_header(text: str, is_header: IsHeader) -> Header | None:
    """Read it off the first lines of a file; None where there is nothing but marks.

    Args:
        text: those lines.
        is_header: whether cells are the names of columns that somebody knows.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    told = _SEP.match(first)
    delimiters = [told[1].replace("\\t", "\t")] if told else list(DELIMITERS)
    tables = {delimiter: _rows(text, delimiter)[bool(told) :] for delimiter in delimiters}
    best = max(delimiters, key=lambda mark: _rank(first, mark, is_header))
    found = _below_titles(tables, is_header) or (best, 0)
    delimiter, above = found
    rows = tables[delimiter][above:]
    if not rows:
        return None
    columns = tuple(map(name_of, rows[0]))
    named = len(trimmed(columns, 0))
    if not named:
        return None
    return Header(
        delimiter,
        columns[:named],
        len(columns),
        above + bool(told),
        _unnamed(len(columns) if named == len(columns) else 0, rows[1 : 1 + MAX_ROWS_BELOW]),
    )


def fitted(cells: list[str], header: Header, needed: int) -> list[str] | None:
    """The cells under the header's columns; None where the row has others than they.

    Fields that are empty behind the last column are none. A row that ends before the header does is one whose
    last cells are empty, where the first `needed` columns are there; 0: none is, it may be a piece.
    """
    cells = trimmed(cells[header.unnamed :], header.width)
    if len(cells) > header.width or len(cells) < (needed or header.width):
        return None
    return [value_of(cell) for cell in cells] + [""] * (header.width - len(cells))


def trimmed(cells: Sequence[str], width: int) -> list[str]:
    """Without the empty cells at the end, down to a width."""
    kept = len(cells)
    while kept > width and not cells[kept - 1].strip():
        kept -= 1
    return list(cells[:kept])


def value_of(cell: str) -> str:
    """The text of a cell that Excel was kept from reading as a number: `="007"`."""
    found = _FORMULA.match(cell) if cell.startswith("=") else None
    return found[1].replace('""', '"') if found else cell


def name_of(cell: str) -> str:
    """The name of a column as it is meant: without quotes, marks and line ends."""
    # A file with a byte order mark and a byte that is not UTF-8 is read as Windows-1252, mark included.
    return " ".join(value_of(cell).removeprefix("ï»¿").strip(f"{QUOTES} \t\ufeff").split())


def _below_titles(tables: dict[str, list[list[str]]], is_header: IsHeader) -> tuple[str, int] | None:
    """A known header below rows that have fewer fields than it, as titles and dates of an export do."""
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
                and is_header([name_of(cell) for cell in rows[above]])
            ):
                return delimiter, above
    return None


def _rank(line: str, delimiter: str, is_header: IsHeader) -> tuple[int, bool]:
    """How many fields a line has, and whether they are known; none where they cannot be told apart."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return 0, False
    return len(cells), is_header([name_of(cell) for cell in cells])


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _unnamed(width: int, rows: list[list[str]]) -> int:
    """R writes the names of rows in a column without a name, and no field for it in the header."""
    is_named = [len(row) == width + 1 and bool(row[-1].strip()) and _is_number(row[0]) for row in rows]
    return int(width > 0 and bool(rows) and all(is_named))


def _is_number(cell: str) -> bool:
    return cell.strip().isdigit()


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Rows that are not blank, as far as they can be told apart; the last one may be cut."""
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in cells):
                rows.append(cells)
            if len(rows) > MAX_ROWS_ABOVE + MAX_ROWS_BELOW:
                break
    except csv.Error:  # told when the rows are read
        pass
    return rows
