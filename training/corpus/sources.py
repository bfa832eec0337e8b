"""The known kinds of CSV file: how each is recognised, and which columns are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.sentences import Sentence
from training.corpus.csv.errors import MissingColumnError, NoTextColumnError


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A kind of CSV file. Columns are named as published; letter case does not matter.

    Attributes:
        name: The name of the source in the corpus.
        body: The column of running text.
        title: The column of titles or names, or None.
        hints: Other columns; one of them distinguishes the kind from others with the same body and title.
        published_as: The file's name where it is published.
        is_title_prose: Whether a title is a sentence, not a name.
        is_one_product_by_title: Whether rows with the same title are about one product, and so one group.
    """

    name: str
    body: str
    title: str | None = None
    hints: tuple[str, ...] = ()
    published_as: str = ""
    is_title_prose: bool = False
    is_one_product_by_title: bool = False

    @property
    def read(self) -> tuple[str, ...]:
        """The columns to read: the body, then the title."""
        return (self.body,) if self.title is None else (self.body, self.title)


KNOWN = (
    CsvSource(
        name="products_2020",
        body="Description",
        title="Product Name",
        hints=("Product ID", "Listing Price", "Sale Price", "Last Visited"),
        published_as="nike_2020_04_13.csv",
        is_one_product_by_title=True,
    ),
    CsvSource(
        name="reviews",
        body="Content",
        title="Title",
        hints=("Reviewer", "Star_rating", "Reviews_posted"),
        published_as="web_scraped.csv",
        is_title_prose=True,
    ),
    CsvSource(
        name="products_2022",
        body="raw_description",  # the column "description" lacks the ends of its sentences
        title="name",
        hints=("sub_title", "uniq_id", "scraped_at", "available_sizes"),
        published_as="nike_data_2022_09.csv",
        is_one_product_by_title=True,
    ),
)
# Usual names of a text column, most likely first.
TEXT_COLUMNS = (
    "text",
    "review",
    "content",
    "body",
    "utterance",
    "description",
    "comment",
    "message",
    "sentence",
    "feedback",
)
MIN_HINTS = 2  # that identify a kind even if a column to read is missing, so that the error can name it


def recognise_source(path: Path, columns: Sequence[str]) -> CsvSource | None:
    """Return the known kind of a file by its columns, or None.

    Raises:
        MissingColumnError: The other columns or the file's name fit a kind, but a column to read is missing.
    """
    there = {column.casefold() for column in columns}
    for source in KNOWN:
        missing = [column for column in source.read if column.casefold() not in there]
        hints = sum(hint.casefold() in there for hint in source.hints)
        if not missing and hints:
            return source
        if missing and (hints >= MIN_HINTS or path.name.casefold() == source.published_as):
            what = Sentence("looks like {name}", name=source.published_as)
            raise MissingColumnError(path, missing, columns=columns, source=what)
    return None


def is_known_header(cells: Sequence[str], *, text_column: str | None = None) -> bool:
    """Whether cells name the columns of a known kind, a usual text column, or the requested one."""
    there = {cell.casefold() for cell in cells}
    if text_column is not None:
        return text_column.casefold() in there
    if any(all(name.casefold() in there for name in source.read) for source in KNOWN):
        return True
    # A lone cell such as "Customer feedback" is more likely a title than a column.
    is_lone = len(there - {""}) == 1
    return bool(there & {*TEXT_COLUMNS}) if is_lone else any(map(_text_name, cells))


def source_of_given_file(path: Path, columns: Sequence[str], *, text_column: str | None) -> CsvSource:
    """Return the kind of a file that was named explicitly, with the column to read.

    Raises:
        MissingColumnError: There is no column `text_column`.
        NoTextColumnError: No column has a usual name for text.
    """
    if text_column is not None:
        if text_column.casefold() not in {column.casefold() for column in columns}:
            raise MissingColumnError(path, [text_column], columns=columns, source=Sentence("was named"))
        return CsvSource(path.stem, body=text_column)
    found = recognise_source(path, columns)
    if found is not None:
        return found
    named = [column for column in columns if _text_name(column)]
    if not named:
        raise NoTextColumnError(path, columns)
    return CsvSource(path.stem, body=min(named, key=lambda column: TEXT_COLUMNS.index(_text_name(column))))


def _text_name(column: str) -> str:
    """Return the usual text column's name at the end of a column's name, as in "reviews.text", or ""."""
    words = re.findall(r"[^\s._]+", column.casefold())
    return words[-1] if words and words[-1] in TEXT_COLUMNS else ""


def match_columns(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the wanted columns in the file's spelling."""
    by_key = {column.casefold(): column for column in reversed(columns)}
    return [by_key[column.casefold()] for column in wanted]
