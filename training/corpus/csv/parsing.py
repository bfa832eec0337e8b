"""The rows of one CSV file → sentences, with a count of everything that was left out."""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import TypedDict

from training.corpus.cleaning import Block, blocks, duplicate_key
from training.corpus.csv import rows
from training.corpus.csv.rows import CsvFile
from training.corpus.sentences import fault, split, with_period
from training.corpus.sources import Source, spelled

# Reasons for which a row, or a part of one, is dropped; those for sentences are in `sentences`.
NO_TEXT = "rows without text"
REPEATED_TEXT = "texts that repeat an earlier row's"
TITLE_AGAIN = "titles that the text begins with"
SPECIFICATION = "labels with a value"
REPEATED_SENTENCE = "sentences that repeat an earlier one"
OVER_LIMIT = "rows after the limit of sentences"

MAX_REMEMBERED = 1_000_000  # texts and names, some 70 MB each; later ones are taken for new

_SPECIFICATION = re.compile(
    r"[^\W\d_][\w /&()-]{0,40}:(?:\s+\S+){0,3}"
)  # "Shown: Black", "Style: CU3896-010"


class Sentence(TypedDict):
    """One sentence, as it is cached: the row it is from, and the first row about the same thing."""

    text: str
    row: int
    group: int


class Parsing:
    """One pass over a file; `sentences` runs once, then `rows`, `kept` and `dropped` are complete."""

    def __init__(self, file: CsvFile, source: Source, *, max_sentences: int) -> None:
        self.rows = self.kept = 0
        self.dropped: Counter[str] = Counter()
        self._file, self._source, self._left = file, source, max_sentences
        # Fingerprints only, and not without end: a file of any size takes a bounded part of memory.
        self._texts: set[int] = set()
        self._sentences: set[int] = set()
        self._groups: dict[int, int] = {}

    def sentences(self) -> Iterator[Sentence]:
        """Yield every sentence that is kept, in the file's order.

        Raises:
            CsvError: The file breaks somewhere.
        """
        for row in rows.rows(self._file, spelled(self._file.columns, self._source.read)):
            self.rows += 1
            if row.fault is not None:
                self.dropped[row.fault] += 1
            elif self._left <= 0:
                self.dropped[OVER_LIMIT] += 1
            else:
                body, title = (*row.cells, "")[:2]
                yield from self._of_row(row.number, body, title)

    def _of_row(self, number: int, body: str, title: str) -> Iterator[Sentence]:
        parts = blocks(body)
        titles = blocks(title)
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
        """The first row of that title."""
        title = _fingerprint(title_key)
        if len(self._groups) < MAX_REMEMBERED:
            return self._groups.setdefault(title, number)
        return self._groups.get(title, number)

    def _kept(self, parts: list[Block]) -> Iterator[str]:
        """The sentences of a row that are new and fit for the corpus."""
        for block in parts:
            if not block.is_prose and _SPECIFICATION.fullmatch(block.text):
                self.dropped[SPECIFICATION] += 1
                continue
            for sentence in split(block.text):
                reason = fault(sentence)
                if reason is None and not _is_new(duplicate_key(sentence), self._sentences):
                    reason = REPEATED_SENTENCE
                if reason is not None:
                    self.dropped[reason] += 1
                    continue
                self._left -= 1
                self.kept += 1
                yield with_period(sentence) if block.is_prose else sentence


def _is_new(key: str, seen: set[int]) -> bool:
    """Whether a key was not seen before; it is from now on."""
    fingerprint = _fingerprint(key)
    if fingerprint in seen:
        return False
    if len(seen) < MAX_REMEMBERED:
        seen.add(fingerprint)
    return True


def _fingerprint(key: str) -> int:
    """64 bits: two of a million keys fall together once in 40 million files."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
