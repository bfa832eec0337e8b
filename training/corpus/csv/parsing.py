"""The rows of one CSV file → sentences, with a count of everything that was dropped."""

import re
from collections import Counter
from dataclasses import dataclass

from training.corpus.cleaning import Block, duplicate_key, split_blocks
from training.corpus.csv.rows import CsvFile, CsvRow, read_rows
from training.corpus.sentences import end_with_period, rejection_reason, split_sentences
from training.corpus.sources import CsvSource, match_columns

# Reasons for dropping a row or a part of it; those for sentences are in `sentences`.
NO_TEXT = "rows without text"
REPEATED_TEXT = "texts that repeat an earlier row's"
TITLE_AGAIN = "titles that the text begins with"
SPECIFICATION = "labels with a value"
REPEATED_SENTENCE = "sentences that repeat an earlier one"
OVER_LIMIT = "rows after the limit of sentences"

MAX_REMEMBERED = 1_000_000  # texts and names, about 70 MB each; later ones count as new

# A label and its value, such as "Shown: Black".
_SPECIFICATION = re.compile(r"[^\W\d_][\w /&()-]{0,40}:(?:\s+\S+){0,3}")


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A parsed file.

    Attributes:
        rows: Number of rows without the header.
        dropped: What was dropped: reason → count.
        sentences: Text, row and group of each kept sentence, in the file's order; the group is the first row
            about the same product.
    """

    rows: int
    dropped: dict[str, int]
    sentences: list[tuple[str, int, int]]


def parse_file(file: CsvFile, source: CsvSource, *, max_sentences: int) -> ParsedFile:
    """Parse a file in one pass. The row in which `max_sentences` is reached is read to its end.

    Raises:
        CsvError: The file cannot be parsed.
    """
    parser = _Parser(source, max_sentences)
    count = 0
    for row in read_rows(file, match_columns(file.columns, source.read)):
        parser.read_row(row)
        count += 1
    return ParsedFile(count, dict(parser.dropped), parser.sentences)


class _Parser:
    """Collects the sentences of a file row by row."""

    def __init__(self, source: CsvSource, max_sentences: int) -> None:
        self.sentences: list[tuple[str, int, int]] = []
        self.dropped: Counter[str] = Counter()
        self._source, self._max_sentences = source, max_sentences
        # 64-bit hashes, and a limited number of them, so that memory is bounded for a file of any size. Among
        # a million keys two collide in one of 40 million files.
        self._texts: set[int] = set()
        self._keys: set[int] = set()
        self._groups: dict[int, int] = {}

    def read_row(self, row: CsvRow) -> None:
        if row.fault is not None:
            self.dropped[row.fault] += 1
            return
        if len(self.sentences) >= self._max_sentences:
            self.dropped[OVER_LIMIT] += 1
            return
        body, title = (*row.cells, "")[:2]
        blocks, titles = split_blocks(body), split_blocks(title)
        if not blocks and not titles:
            self.dropped[NO_TEXT] += 1
            return
        title_key = duplicate_key(title)
        body_key = duplicate_key(" ".join(block.text for block in blocks))
        group = self._group_of(title_key, row.number)
        if body_key and not _is_new(body_key, self._texts):
            self.dropped[REPEATED_TEXT] += 1
            blocks = []
        if titles and self._source.is_title_prose and f"{body_key} ".startswith(f"{title_key} "):
            self.dropped[TITLE_AGAIN] += 1
            titles = []
        for block in titles:
            self._read_block(Block(block.text, is_prose=self._source.is_title_prose), row.number, group)
        for block in blocks:
            self._read_block(block, row.number, group)

    def _group_of(self, title_key: str, row: int) -> int:
        """Return the first row about the same product."""
        if not title_key or not self._source.is_one_product_by_title:
            return row
        if len(self._groups) < MAX_REMEMBERED:
            return self._groups.setdefault(hash(title_key), row)
        return self._groups.get(hash(title_key), row)

    def _read_block(self, block: Block, row: int, group: int) -> None:
        if not block.is_prose and _SPECIFICATION.fullmatch(block.text):
            self.dropped[SPECIFICATION] += 1
            return
        for sentence in split_sentences(block.text):
            reason = rejection_reason(sentence)
            if reason is None and not _is_new(duplicate_key(sentence), self._keys):
                reason = REPEATED_SENTENCE
            if reason is not None:
                self.dropped[reason] += 1
            else:
                text = end_with_period(sentence) if block.is_prose else sentence
                self.sentences.append((text, row, group))


def _is_new(key: str, seen: set[int]) -> bool:
    """Whether a key was not seen before; marks it as seen."""
    if hash(key) in seen:
        return False
    if len(seen) < MAX_REMEMBERED:
        seen.add(hash(key))
    return True
