"""The rows of one CSV file → sentences, with a count of everything that was dropped."""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import TypedDict

from training.corpus.cleaning import Block, duplicate_key, split_blocks
from training.corpus.csv import rows
from training.corpus.csv.rows import CsvFile
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

_SPECIFICATION = re.compile(
    r"[^\W\d_][\w /&()-]{0,40}:(?:\s+\S+){0,3}"
)  # "Shown: Black", "Style: CU3896-010"


class ParsedSentence(TypedDict):
    """One sentence as it is cached, with its row and the first row about the same product."""

    text: str
    row: int
    group: int


class FileParser:
    """One pass over a file; once `sentences` is exhausted, `rows`, `kept` and `dropped` are complete."""

    def __init__(self, file: CsvFile, source: CsvSource, *, max_sentences: int) -> None:
        self.rows = self.kept = 0
        self.dropped: Counter[str] = Counter()
        self._file, self._source, self._left = file, source, max_sentences
        # Fingerprints, and a limited number of them, so that memory is bounded for a file of any size.
        self._texts: set[int] = set()
        self._sentences: set[int] = set()
        self._groups: dict[int, int] = {}

    def sentences(self) -> Iterator[ParsedSentence]:
        """Yield the kept sentences in the file's order.

        Raises:
            CsvError: the rest of the file cannot be parsed.
        """
        for row in rows.read_rows(self._file, match_columns(self._file.columns, self._source.read)):
            self.rows += 1
            if row.fault is not None:
                self.dropped[row.fault] += 1
            elif self._left <= 0:
                self.dropped[OVER_LIMIT] += 1
            else:
                body, title = (*row.cells, "")[:2]
                yield from self._of_row(row.number, body, title)

    def _of_row(self, number: int, body: str, title: str) -> Iterator[ParsedSentence]:
        parts = split_blocks(body)
        titles = split_blocks(title)
        if not parts and not titles:
            self.dropped[NO_TEXT] += 1
            return
        title_key = duplicate_key(title)
        body_key = duplicate_key(" ".join(block.text for block in parts))
        group = number
        if self._source.is_one_product_by_title and title_key:
            group = self._group(title_key, number)
        if body_key and not _is_new(body_key, self._texts):
            self.dropped[REPEATED_TEXT] += 1
            parts = []
        if titles and self._source.is_title_prose and f"{body_key} ".startswith(f"{title_key} "):
            self.dropped[TITLE_AGAIN] += 1
            titles = []
        titles = [Block(block.text, is_prose=self._source.is_title_prose) for block in titles]
        for sentence in self._kept([*titles, *parts]):
            yield {"text": sentence, "row": number, "group": group}

    def _group(self, title_key: str, number: int) -> int:
        """The first row with that title."""
        title = _fingerprint(title_key)
        if len(self._groups) < MAX_REMEMBERED:
            return self._groups.setdefault(title, number)
        return self._groups.get(title, number)

    def _kept(self, parts: list[Block]) -> Iterator[str]:
        """Yield the sentences of a row that are new and suitable."""
        for block in parts:
            if not block.is_prose and _SPECIFICATION.fullmatch(block.text):
                self.dropped[SPECIFICATION] += 1
                continue
            for sentence in split_sentences(block.text):
                reason = rejection_reason(sentence)
                if reason is None and not _is_new(duplicate_key(sentence), self._sentences):
                    reason = REPEATED_SENTENCE
                if reason is not None:
                    self.dropped[reason] += 1
                    continue
                self._left -= 1
                self.kept += 1
                yield end_with_period(sentence) if block.is_prose else sentence


def _is_new(key: str, seen: set[int]) -> bool:
    """Whether a key was not seen before; marks it as seen."""
    fingerprint = _fingerprint(key)
    if fingerprint in seen:
        return False
    if len(seen) < MAX_REMEMBERED:
        seen.add(fingerprint)
    return True


def _fingerprint(key: str) -> int:
    """64 bits: among a million keys two collide in one of 40 million files."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
