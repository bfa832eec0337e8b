"""The cache of parsed CSV files, keyed by the content of the file and of the code that reads it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets  # type: ignore[import-untyped]
from datasets import Dataset, Features, Value
from datasets.exceptions import DatasetGenerationError  # type: ignore[import-untyped]

from training.corpus import cleaning, sentences, sources
from training.corpus.csv import encodings, headers, latin_encodings, parsing
from training.corpus.csv import rows as csv_files
from training.corpus.csv.errors import CacheError, CsvError
from training.corpus.csv.parsing import FileParser
from training.corpus.csv.rows import CsvFile
from training.corpus.sources import CsvSource

_FEATURES = Features({"text": Value("string"), "row": Value("int64"), "group": Value("int64")})
_REPORT = "report.json"
_BATCH = 1000  # sentences read from the memory-mapped file at a time


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A cached file: its number of rows, what was dropped, and its sentences on disk."""

    rows: int
    dropped: dict[str, int]
    dataset: Dataset | None = field(repr=False)

    def sentences(self) -> Iterator[tuple[str, int, int]]:
        """Yield text, row and group of each sentence, in the file's order."""
        if self.dataset is None:
            return
        for batch in self.dataset.iter(batch_size=_BATCH):
            yield from zip(batch["text"], batch["row"], batch["group"], strict=True)


def load_or_parse(file: CsvFile, source: CsvSource, cache_dir: Path, *, max_sentences: int) -> ParsedFile:
    """Load a file from the cache, after parsing it if the entry is missing or damaged.

    Raises:
        CsvError: the file cannot be parsed, or the cache cannot be written.
    """
    facts = [_version(), file.sha256, file.encoding, file.header.delimiter, source.read, max_sentences]
    key = hashlib.sha256(json.dumps([*facts, source.is_title_prose]).encode()).hexdigest()[:32]
    entry = cache_dir / key
    cached = _load(entry)
    if cached is not None:
        return cached
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache_dir, prefix="partial-") as scratch:
            _parse(file, source, Path(scratch), max_sentences=max_sentences)
            if _load(entry) is None:
                shutil.rmtree(entry, ignore_errors=True)  # damaged
            try:
                (Path(scratch) / "entry").replace(entry)
            except OSError:
                if not entry.is_dir():  # otherwise another process wrote the same entry first
                    raise
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(cache_dir):
            raise  # an error of the CSV file itself
        raise CacheError(cache_dir, error.strerror or str(error)) from error
    parsed = _load(entry)
    if parsed is None:
        raise CacheError(cache_dir, "an entry that was just written cannot be read")
    return parsed


def _load(entry: Path) -> ParsedFile | None:
    """Load an entry; None if it is missing or damaged."""
    try:
        report = json.loads((entry / _REPORT).read_text(encoding="utf-8"))
        dataset = Dataset.load_from_disk(str(entry)) if report["sentences"] else None
        return ParsedFile(report["rows"], report["dropped"], dataset)
    except (OSError, ValueError, KeyError):
        return None


def _parse(file: CsvFile, source: CsvSource, scratch: Path, *, max_sentences: int) -> None:
    """Stream a file into `scratch/entry`: the sentences as Arrow, the counts as JSON."""
    reading = FileParser(file, source, max_sentences=max_sentences)
    with _no_progress_bars():
        try:
            dataset = Dataset.from_generator(
                reading.sentences,
                features=_FEATURES,
                cache_dir=str(scratch / "work"),
                fingerprint=file.sha256[:16],
            )
            assert isinstance(dataset, Dataset)
            dataset.save_to_disk(str(scratch / "entry"))
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, CsvError | OSError):
                raise error.__cause__ from None
            raise
        except ValueError:
            if reading.kept:
                raise
            (scratch / "entry").mkdir()  # datasets cannot store zero rows
    report = {"rows": reading.rows, "dropped": reading.dropped, "sentences": reading.kept}
    (scratch / "entry" / _REPORT).write_text(json.dumps(report), encoding="utf-8")


def _version() -> str:
    """Hash of the modules that decide what is read, so that changed code never uses an old entry."""
    digest = hashlib.sha256()
    for module in (cleaning, encodings, csv_files, headers, latin_encodings, parsing, sentences, sources):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Hide the bars of datasets: the run shows its own progress."""
    were_shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if were_shown:
            datasets.enable_progress_bars()
