"""The kinds of CSV file that the corpus is read from: how each is recognised, and what of it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpus.csv.errors import MissingColumnError, NoTextColumnError


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of CSV file. Columns are named as published; letter case does not matter.

    Attributes:
        name: What a text says it is from.
        body: The column of running text.
        title: The column of titles or names, None without one.
        hints: Columns that are not read; one of them tells the kind from others with the same body and title.
        published_as: The file's name where it is to be had.
        is_title_prose: Whether a title is a sentence of its own, and no name.
        is_one_product_by_title: Whether rows of the same title are of one product, and so of one group.
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
        """The columns that are read: the body, then the title."""
        return (self.body,) if self.title is None else (self.body, self.title)


KNOWN = (
    Source(
        name="products_2020",
        body="Description",
        title="Product Name",
        hints=("Product ID", "Listing Price", "Sale Price", "Last Visited"),
        published_as="nike_2020_04_13.csv",
        is_one_product_by_title=True,
    ),
    Source(
        name="reviews",
        body="Content",
        title="Title",
        hints=("Reviewer", "Star_rating", "Reviews_posted"),
        published_as="web_scraped.csv",
        is_title_prose=True,
    ),
    Source(
        name="products_2022",
        body="raw_description",  # the plain column has lost the ends of its sentences
        title="name",
        hints=("sub_title", "uniq_id", "scraped_at", "available_sizes"),
        published_as="nike_data_2022_09.csv",
        is_one_product_by_title=True,
    ),
)
# Usual names of a text column, the likeliest first.
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
MIN_HINTS = 2  # so that a file which lacks what is to be read is still taken for one of the kinds


def recognise(path: Path, columns: Sequence[str]) -> Source | None:
    """Say which of the known kinds a file is, by its columns; None if it is none of them.

    Raises:
        MissingColumnError: It is one by its other columns or its published name, but lacks one to be read.
    """
    there = {column.casefold() for column in columns}
    for source in KNOWN:
        missing = [column for column in source.read if column.casefold() not in there]
        hints = sum(hint.casefold() in there for hint in source.hints)
        if not missing and hints:
            return source
        if missing and (hints >= MIN_HINTS or path.name.casefold() == source.published_as):
            what = f"looks like {source.published_as}"
            raise MissingColumnError(path, missing, columns=columns, source=what)
    return None


def is_known_header(cells: Sequence[str], *, text_column: str | None = None) -> bool:
    """Whether cells name columns: those of a known kind, a usual one for text, or the one asked for."""
    there = {cell.casefold() for cell in cells}
    if text_column is not None:
        return text_column.casefold() in there
    is_kind = any(all(name.casefold() in there for name in source.read) for source in KNOWN)
    return is_kind or bool(there & {*TEXT_COLUMNS})


def named(path: Path, columns: Sequence[str], *, text_column: str | None) -> Source:
    """Say what to read of a file that a person named.

    Raises:
        MissingColumnError: There is no column `text_column`.
        NoTextColumnError: No column has a usual name for text.
    """
    if text_column is not None:
        if text_column.casefold() not in {column.casefold() for column in columns}:
            raise MissingColumnError(path, [text_column], columns=columns, source="was named")
        return Source(path.stem, body=text_column)
    found = recognise(path, columns)
    if found is not None:
        return found
    for usual in TEXT_COLUMNS:
        for column in columns:
            words = column.casefold().replace(".", " ").replace("_", " ").split()
            if column.casefold() == usual or (words and words[-1] == usual):
                return Source(path.stem, body=column)
    raise NoTextColumnError(path, columns)


def spelled(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted columns as the file spells them."""
    by_key = {column.casefold(): column for column in reversed(columns)}
    return [by_key[column.casefold()] for column in wanted]
