"""`python -m bot import`: judgements from a file, previewed, stored and undone from the command line."""

import argparse
import shlex
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.errors import ImportFileError
from bot.imports.judgements import (
    MAX_BYTES,
    Preview,
    preview_lines,
    read_file,
    source_name,
    source_weight,
)
from bot.settings import Settings
from bot.texts import say, speaking, translated
from storage.database import Database
from storage.errors import StorageError
from storage.maintenance.backups import database_file
from storage.team_words import read_words
from storage.votes.sources import MAX_WEIGHT, import_sentences, undo_import
from training.corpus.language import reading

Show = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("file", nargs="?", type=Path, help="a .csv, .json or .jsonl file")
    parser.add_argument(
        "--source",
        required=True,
        type=_argument(source_name),
        metavar="NAME",
        help="what to call this source",
    )
    parser.add_argument(
        "--weight",
        type=_argument(source_weight),
        default=1.0,
        help=f"of each word, up to {MAX_WEIGHT:g} (default: 1)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be imported")
    parser.add_argument("--undo", action="store_true", help="delete what was imported under this name")


async def run_import(options: argparse.Namespace, settings: Settings, show: Show) -> int:
    """Import a file, or undo an import; `show` gets the sentences. Returns the exit code."""
    with speaking(settings.language), reading(settings.corpus_language):
        try:
            for line in await _imported(options, settings):
                show(line)
        except (ImportFileError, StorageError, OSError) as error:
            show(translated(error))
            return 1
    return 0


async def _imported(options: argparse.Namespace, settings: Settings) -> list[str]:
    name, undo = options.source, f"python -m bot import --undo --source {shlex.quote(options.source)}"
    file = database_file(settings.url)
    if options.dry_run and file is not None and not file.is_file():
        return preview_lines(name, options.weight, _preview(options.file, settings, denied=()))
    database = await Database.open(settings.url)
    try:
        if options.undo:
            return [say("import.undone", name=name, n=await undo_import(database, name))]
        denied = [one.word for one in await read_words(database, "denied")]
        preview = _preview(options.file, settings, denied=denied)
        lines = preview_lines(name, options.weight, preview)
        if options.dry_run:
            return lines
        now = datetime.now(UTC)
        await import_sentences(database, name, preview.sentences, weight=options.weight, now=now)
    finally:
        await database.close()
    counts = {"wanted": preview.wanted, "unwanted": preview.unwanted}
    return [*lines, say("import.stored", name=name, undo=f"`{undo}`", **counts)]


def _preview(file: Path | None, settings: Settings, *, denied: Collection[str]) -> Preview:
    if file is None:
        raise ImportFileError(say("import.ending"))
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    return read_file(
        file.name, data, max_chars=settings.max_query_chars, max_masks=settings.max_masks, denied=denied
    )


def _argument(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type for an argument, whose errors `argparse` shows."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ImportFileError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
