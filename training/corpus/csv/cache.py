"""The cache of parsed CSV files, keyed by the content of the file and of the code that reads it."""

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.people import personal_data
from training.corpus import cleaning, sentences, sources
from training.corpus.csv import encodings, headers, parsing, rows
from training.corpus.csv.errors import CacheError
from training.corpus.csv.parsing import ParsedFile
from training.corpus.csv.rows import CsvFile
from training.corpus.sources import CsvSource


def load_or_parse(
    file: CsvFile, source: CsvSource, cache_dir: Path | None, *, max_sentences: int
) -> ParsedFile:
    """Load a file from the cache, or parse it if it has no entry, or only a damaged one.

    Raises:
        CsvError: The file cannot be parsed, or the cache cannot be written.
    """
    if cache_dir is None:
        return parsing.parse_file(file, source, max_sentences=max_sentences)
    facts = [_version(), file.sha256, file.encoding, file.header.delimiter, source.read, max_sentences]
    key = hashlib.sha256(json.dumps([*facts, source.is_title_prose]).encode()).hexdigest()[:32]
    entry = cache_dir / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return ParsedFile(**json.loads(entry.read_text(encoding="utf-8")))
    parsed = parsing.parse_file(file, source, max_sentences=max_sentences)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache_dir, prefix="partial-") as scratch:
            partial = Path(scratch) / entry.name
            partial.write_text(json.dumps(asdict(parsed)), encoding="utf-8")
            partial.replace(entry)
    except OSError as error:
        raise CacheError(cache_dir, error.strerror or str(error)) from error
    return parsed


def _version() -> str:
    """Hash the modules that decide what is read, so that changed code never uses an old entry."""
    digest = hashlib.sha256()
    for module in (cleaning, encodings, headers, parsing, personal_data, rows, sentences, sources):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()
