"""What the domain model learns from, and what it is measured on: split before anything else.

Generated sentences are split by their pattern, the team's own texts by their source group (a product, a
review), so that nothing of a held-out pattern or product was seen in training.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpus.generator import Sentence, Split, generate
from training.corpus.readers import SourceReport, read_folder
from training.settings import DomainSettings, Settings

GENERATED = "generated"
HELD_OUT_SHARE = 10  # one source group in ten
HELD_OUT_SENTENCES = 600  # generated ones


@dataclass(frozen=True, slots=True)
class CorpusText:
    """One sentence of the corpus.

    Attributes:
        text: the sentence.
        source: `generated`, or the name that the reader gave its file.
        focus: span of characters that a query would ask for, where it is known.
        reason: what a generated sentence is about.
        polarity: +1 where the focus is a wanted word that no unwanted one may come near, −1 the other way
            round, 0 where nothing is asked but the word itself.
    """

    text: str
    source: str
    focus: tuple[int, int] | None = None
    reason: str = ""
    polarity: int = 0


@dataclass(frozen=True, slots=True)
class DomainCorpus:
    """Both sides of the split, and what was read of each file."""

    train: tuple[CorpusText, ...]
    held_out: tuple[CorpusText, ...]
    sources: tuple[SourceReport, ...]

    @property
    def texts(self) -> tuple[CorpusText, ...]:
        """Both sides together."""
        return (*self.train, *self.held_out)

    @property
    def hash(self) -> str:
        """Of every text, so that a run is only resumed on the same corpus."""
        digest = hashlib.sha256()
        for side in (self.train, self.held_out):
            for text in side:
                digest.update(f"{text.source}\x1f{text.text}\x1e".encode())
            digest.update(b"\x1d")
        return digest.hexdigest()


def build_corpus(
    settings: Settings, domain: DomainSettings, *, extra: Sequence[Path] = (), text_column: str | None = None
) -> DomainCorpus:
    """Read the team's files, write the generated sentences, and split both.

    Args:
        settings: where the files are, and where parsed ones are kept.
        domain: how many sentences to write, and the seed.
        extra: further CSV files.
        text_column: the column to read of those.

    Raises:
        CsvError: a named file, or a known one in the folder, cannot be read.
    """
    own, sources = read_folder(
        settings.data_dir, extra=extra, text_column=text_column, cache_dir=settings.home / "corpus"
    )
    sides: dict[bool, list[CorpusText]] = {False: [], True: []}
    first: dict[str, str] = {}  # of a group: names it in a way that more rows in the file do not change
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
    return int.from_bytes(digest[:4]) % HELD_OUT_SHARE == 0


def _generated(count: int, *, seed: int, split: Split) -> list[CorpusText]:
    sentences: list[Sentence] = generate(count, seed=seed, split=split)
    return [CorpusText(s.text, GENERATED, s.focus, s.reason) for s in sentences]
