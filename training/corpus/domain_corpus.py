"""The corpus of the domain model, split into training and held-out texts before anything else.

Generated sentences are split by pattern, the team's texts by source group (a product, a review), so that
training sees nothing of a held-out pattern or product.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpus.generator import GeneratedSentence, Split, generate
from training.corpus.readers import SourceReport, read_folder
from training.settings import DomainSettings, Settings

GENERATED = "generated"
HELD_OUT_ONE_IN = 10  # source groups
HELD_OUT_SENTENCES = 600  # generated ones


@dataclass(frozen=True, slots=True)
class CorpusText:
    """One sentence of the corpus.

    Attributes:
        text: The sentence.
        source: `generated`, or the name of the source of its file.
        focus: Span of characters that a query would mask, if known.
        topic: The subject of a generated sentence.
        polarity: +1 if the focus is a wanted word, −1 if it is an unwanted one, 0 if it does not matter.
    """

    text: str
    source: str
    focus: tuple[int, int] | None = None
    topic: str = ""
    polarity: int = 0


@dataclass(frozen=True, slots=True)
class DomainCorpus:
    """Both sides of the split, and the reports on the files."""

    train: tuple[CorpusText, ...]
    held_out: tuple[CorpusText, ...]
    sources: tuple[SourceReport, ...]

    @property
    def texts(self) -> tuple[CorpusText, ...]:
        """Both sides together."""
        return (*self.train, *self.held_out)

    @property
    def hash(self) -> str:
        """Hash of all texts, so that a run resumes only on the same corpus."""
        digest = hashlib.sha256()
        for side in (self.train, self.held_out):
            for text in side:
                digest.update(f"{text.source}\x1f{text.text}\x1e".encode())
            digest.update(b"\x1d")
        return digest.hexdigest()


def build_corpus(
    settings: Settings, domain: DomainSettings, *, extra: Sequence[Path] = (), text_column: str | None = None
) -> DomainCorpus:
    """Read the team's files, generate sentences, and split both.

    Args:
        settings: The folder of the files, and of the cache.
        domain: The number of sentences to generate, and the seed.
        extra: Further CSV files.
        text_column: The column to read from those.

    Raises:
        CsvError: No known or named file can be read.
    """
    own, sources = read_folder(
        settings.data_dir, extra=extra, text_column=text_column, cache_dir=settings.home / "corpus"
    )
    sides: dict[bool, list[CorpusText]] = {False: [], True: []}
    first: dict[str, str] = {}  # group → its first text, which stays the same when rows are appended
    for text in own:
        is_held_out = _is_held_out(text.source, first.setdefault(text.group, text.text))
        sides[is_held_out].append(CorpusText(text.text, text.source))
    return DomainCorpus(
        train=(*sides[False], *_generated(domain.sentences, seed=domain.seed, split="train")),
        held_out=(*sides[True], *_generated(HELD_OUT_SENTENCES, seed=domain.seed, split="test")),
        sources=tuple(sources),
    )


def _is_held_out(source: str, first: str) -> bool:
    digest = hashlib.sha256(f"{source}\x1f{first}".encode()).digest()
    return int.from_bytes(digest[:4]) % HELD_OUT_ONE_IN == 0


def _generated(count: int, *, seed: int, split: Split) -> list[CorpusText]:
    sentences: list[GeneratedSentence] = generate(count, seed=seed, split=split)
    return [CorpusText(s.text, GENERATED, s.focus, s.topic) for s in sentences]
