"""The team's CSV files → sentences to train on, parsed once and cached by content.

A folder may hold the three public files under any names, a part of them, or none; further files are named.
Reviewer names are in no column that is read. What was left out is counted by reason in one report per file.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets  # type: ignore[import-untyped]
from datasets import Dataset, Features, Value
from datasets.exceptions import DatasetGenerationError  # type: ignore[import-untyped]

from training.corpus import cleaning, csv_files, parsing, sentences, sources
from training.corpus.cleaning import duplicate_key
from training.corpus.csv_errors import CacheError, CsvError, UnopenableFileError
from training.corpus.csv_files import CsvFile
from training.corpus.parsing import Parsing
from training.corpus.sources import KNOWN, Source

MAX_SENTENCES = 200_000  # of one file, some 100 MB in memory; the three public files have 3,000 together
IN_ANOTHER_FILE = "sentences that another file has"
_FEATURES = Features({"text": Value("string"), "row": Value("int64"), "group": Value("int64")})
_REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence.

    Attributes:
        source: "products_2020", "reviews", "products_2022", or the name of a further file without its ending.
        group: The same for all sentences of a row, and of other rows about the same product; a split by group
            puts no row, and no product, on both sides.
    """

    text: str
    source: str
    group: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What was read of one file.

    Attributes:
        rows: Rows without the header; 0 if the file was passed over.
        kept_rows: Rows of which at least one sentence was kept.
        sentences: Sentences kept.
        dropped: Reason → how many; the reason says of what (rows, texts, titles, labels, sentences).
        notes: What a person should know of how the file was read, or why it was passed over.
        is_read: False if the file was passed over.
    """

    source: str
    path: str
    rows: int
    kept_rows: int
    sentences: int
    dropped: dict[str, int]
    notes: tuple[str, ...] = ()
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What the cache holds of one file."""

    rows: int
    dropped: dict[str, int]
    sentences: Dataset = field(repr=False)


def read_folder(
    folder: Path | None,
    *,
    extra: Sequence[Path] = (),
    text_column: str | None = None,
    cache_dir: Path | None = None,
    max_sentences: int = MAX_SENTENCES,
) -> tuple[list[Text], list[SourceReport]]:
    """Read the known CSV files of a folder, and every file that is named.

    The same files give the same texts in the same order, whatever their names in the folder: the known kinds
    first, then the extras as named. A sentence is kept once, from the first file that has it.

    Args:
        folder: Folder of CSV files, not searched deeper; None for the named files alone.
        extra: Further CSV files; one that is of a known kind is read as such, unless `text_column` is given.
        text_column: The column to read of the extras; None to guess it from the usual names.
        cache_dir: Where parsed files are kept; None parses anew.
        max_sentences: Kept of one file at most; the rows after them are counted, not read.

    Raises:
        CsvError: A known or named file cannot be read, or the cache cannot be written.
    """
    found, passed_over = _find(folder, leave_out={path.resolve() for path in extra})
    for path in dict.fromkeys(extra):
        file = csv_files.inspect(path)
        found.append((file, sources.named(path, file.columns, text_column=text_column)))
    texts: list[Text] = []
    reports: list[SourceReport] = []
    seen: set[str] = set()
    with TemporaryDirectory() as scratch:
        for file, source in found:
            parsed = _parsed(file, source, cache_dir or Path(scratch), max_sentences=max_sentences)
            dropped, kept_rows, before = Counter(parsed.dropped), set(), len(texts)
            keys = set()
            for row in parsed.sentences:
                key = duplicate_key(row["text"])
                if key in seen:
                    dropped[IN_ANOTHER_FILE] += 1
                    continue
                keys.add(key)
                kept_rows.add(row["row"])
                texts.append(
                    Text(row["text"], source.name, f"{source.name}:{file.sha256[:8]}:{row['group']}")
                )
            seen |= keys
            reports.append(
                SourceReport(
                    source.name,
                    str(file.path),
                    rows=parsed.rows,
                    kept_rows=len(kept_rows),
                    sentences=len(texts) - before,
                    dropped=dict(sorted(dropped.items())),
                    notes=file.notes,
                )
            )
            del parsed
    return texts, [*reports, *passed_over]


def _find(
    folder: Path | None, *, leave_out: set[Path]
) -> tuple[list[tuple[CsvFile, Source]], list[SourceReport]]:
    """The known files of a folder in an order that does not depend on their names, and the others."""
    found: list[tuple[CsvFile, Source]] = []
    passed_over: list[SourceReport] = []
    for path in _csv_paths(folder):
        if path.resolve() in leave_out:
            continue
        nothing_read = SourceReport(path.stem, str(path), 0, 0, 0, {}, is_read=False)
        try:
            columns = csv_files.columns_of(path)
        except CsvError as error:
            passed_over.append(replace(nothing_read, notes=(f"passed over: {error}",)))
            continue
        source = sources.recognise(path, columns)
        if source is None:
            note = (
                f"passed over: no known file has its columns ({', '.join(columns[:12])}); name it to read it"
            )
            passed_over.append(replace(nothing_read, notes=(note,)))
        else:
            found.append((csv_files.inspect(path), source))
    order = {source.name: place for place, source in enumerate(KNOWN)}
    return sorted(found, key=lambda each: (order[each[1].name], each[0].sha256)), passed_over


def _csv_paths(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.casefold() == ".csv" and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise UnopenableFileError(folder, error.strerror or str(error)) from error


def _parsed(file: CsvFile, source: Source, cache_dir: Path, *, max_sentences: int) -> _Parsed:
    """What the cache holds of a file; parsed and put there first if it does not, or not whole."""
    facts = [_version(), file.sha256, file.encoding, file.delimiter, source.read, max_sentences]
    key = hashlib.sha256(json.dumps([*facts, source.is_title_prose]).encode()).hexdigest()[:32]
    entry = cache_dir / f"{source.name[:40]}-{key}"
    cached = _load(entry)
    if cached is not None:
        return cached
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache_dir, prefix="partial-") as scratch:
            _parse(file, source, Path(scratch), max_sentences=max_sentences)
            shutil.rmtree(entry, ignore_errors=True)  # a damaged one
            (Path(scratch) / "entry").replace(entry)
    except OSError as error:
        raise CacheError(cache_dir, error.strerror or str(error)) from error
    parsed = _load(entry)
    if parsed is None:
        raise CacheError(cache_dir, "what was just written cannot be read")
    return parsed


def _load(entry: Path) -> _Parsed | None:
    """An entry of the cache; None if there is none, or a damaged one."""
    try:
        report = json.loads((entry / _REPORT).read_text(encoding="utf-8"))
        return _Parsed(report["rows"], report["dropped"], Dataset.load_from_disk(str(entry)))
    except (OSError, ValueError, KeyError):
        return None


def _parse(file: CsvFile, source: Source, scratch: Path, *, max_sentences: int) -> None:
    """Stream a file into `scratch/entry`: the sentences as Arrow, the counts as JSON."""
    parsing = Parsing(file, source, max_sentences=max_sentences)
    with _no_progress_bars():
        try:
            dataset = Dataset.from_generator(
                parsing.sentences,
                features=_FEATURES,
                cache_dir=str(scratch / "work"),
                fingerprint=file.sha256[:16],
            )
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, CsvError | OSError):
                raise error.__cause__ from None
            raise
        assert isinstance(dataset, Dataset)
        dataset.save_to_disk(str(scratch / "entry"))
    report = {"rows": parsing.rows, "dropped": parsing.dropped}
    (scratch / "entry" / _REPORT).write_text(json.dumps(report), encoding="utf-8")


def _version() -> str:
    """Changes with the code that decides what is read, so that no cache outlives it."""
    digest = hashlib.sha256()
    for module in (cleaning, csv_files, parsing, sentences, sources):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """The caller shows the progress; files of this size are read within seconds."""
    were_shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if were_shown:
            datasets.enable_progress_bars()
