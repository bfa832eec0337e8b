"""Statistics of a corpus, raw or cleaned: lengths, duplicates, sentiment and frequent words."""

import random
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from training.corpus import sources
from training.corpus.cleaning import duplicate_key
from training.corpus.csv import rows
from training.corpus.language import language
from training.corpus.readers import find_files
from training.corpus.sentences import stop_words

# Upper bounds of the bins in words: 1–5, 6–10, …, 76–80; one more bin for longer texts.
LENGTHS = tuple(range(5, 85, 5))
TOP_WORDS = 20
MAX_RATED = 3_000  # texts: VADER is Python word by word, 10,000 short ones a second
MAX_RATED_CHARS = 2_000  # VADER's time grows with the square of the length
SENTIMENT_THRESHOLD = 0.05  # VADER's compound score from which its authors call a text positive or negative
MAX_CELLS = 200_000
MAX_CHARS = 100_000_000  # about 200 MB

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class SentimentShares:
    """Shares of the rated texts, which add up to 1, and their number; all 0 if none is rated."""

    positive: float
    neutral: float
    negative: float
    rated: int


@dataclass(frozen=True, slots=True)
class CorpusHealth:
    """Statistics of texts.

    Attributes:
        texts: Number of texts.
        words: Number of words, separated by spaces.
        lengths: Number of texts in each bin of `LENGTHS`, and of longer ones.
        median_length: Median number of words per text; 0 without texts.
        duplicate_share: Share of the texts that repeat an earlier one, ignoring case and punctuation.
        top_words: The most frequent content words in lower case with their counts, most frequent first.
    """

    texts: int
    words: int
    lengths: tuple[int, ...]
    median_length: float
    duplicate_share: float
    sentiment: SentimentShares
    top_words: tuple[tuple[str, int], ...]


def measure_health(texts: Sequence[str]) -> CorpusHealth:
    """Compute the statistics of texts; the sentiment is that of a sample of up to `MAX_RATED`.

    The sample is deterministic in the texts. A text is rated by its first `MAX_RATED_CHARS`.
    """
    lengths = [len(text.split()) for text in texts]
    bins = Counter(bisect_left(LENGTHS, length) for length in lengths)
    different = {duplicate_key(text) or text.strip() for text in texts}
    left_out = stop_words()
    content = Counter(
        word
        for text in texts
        for word in _WORD.findall(text.casefold().replace("’", "'"))
        if word not in left_out
    )
    by_frequency = sorted(content.items(), key=lambda item: (-item[1], item[0]))
    return CorpusHealth(
        texts=len(texts),
        words=sum(lengths),
        lengths=tuple(bins[place] for place in range(len(LENGTHS) + 1)),
        median_length=float(np.median(lengths)) if texts else 0.0,
        duplicate_share=1 - len(different) / len(texts) if texts else 0.0,
        sentiment=_sentiment(texts),
        top_words=tuple(by_frequency[:TOP_WORDS]),
    )


def read_raw_cells(
    folder: Path | None,
    *,
    extra: Sequence[Path] = (),
    text_column: str | None = None,
    max_cells: int = MAX_CELLS,
) -> list[str]:
    """Read the unprocessed, non-blank cells from which `read_folder` makes sentences.

    Files are streamed, up to `max_cells` cells or `MAX_CHARS` characters.

    Raises:
        CsvError: No known or named file can be read.
    """
    found, _ = find_files(folder, extra=extra, text_column=text_column)
    cells: list[str] = []
    left = MAX_CHARS
    for cell in (cell for file, source in found for cell in _cells(file, source)):
        if len(cells) == max_cells or len(cell) > left:
            break
        cells.append(cell)
        left -= len(cell)
    return cells


def _cells(file: rows.CsvFile, source: sources.CsvSource) -> Iterator[str]:
    for row in rows.read_rows(file, sources.match_columns(file.columns, source.read)):
        yield from (cell for cell in row.cells if cell.strip())


def _sentiment(texts: Sequence[str]) -> SentimentShares:
    sample = random.Random(0).sample(texts, min(len(texts), MAX_RATED))  # noqa: S311 — a sample, no secret
    if not sample or language().code != "en":  # VADER knows English alone
        return SentimentShares(0.0, 0.0, 0.0, 0)
    rater = SentimentIntensityAnalyzer()
    scores = np.array([rater.polarity_scores(text[:MAX_RATED_CHARS])["compound"] for text in sample])
    positive = float(np.mean(scores >= SENTIMENT_THRESHOLD))
    negative = float(np.mean(scores <= -SENTIMENT_THRESHOLD))
    return SentimentShares(positive, 1 - positive - negative, negative, len(sample))
