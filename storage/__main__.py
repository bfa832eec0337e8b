"""`python -m storage`: back up, restore, check and copy the database.

Exit codes: 0 success, 1 failure, 2 wrong usage, 78 invalid setting.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from storage import variables
from storage.backends.locks import is_shared
from storage.backends.urls import usable_url
from storage.database import Database
from storage.errors import BackupError, CopyError, DatabaseUrlError, InUseError, SettingsError, StorageError
from storage.maintenance.backups import (
    NO_DATABASE,
    back_up,
    back_up_now,
    backup_files,
    database_file,
    examine,
)
from storage.maintenance.copy_to_postgres import TableCopy, copy
from storage.maintenance.restore import exclusive_access, restore
from storage.maintenance.server_info import describe_server
from storage.sentences import Sentence
from storage.settings import EX_CONFIG, Settings, load

PROGRESS_EVERY_S = 2.0
FINAL = "Set FILLBOT_DATABASE_URL to the server and start the bot. Keep the file until you trust the move."
NOT_FINAL = (
    "The bot is running and may have written more rows since. Stop it, run this command again to copy them, "
    "and start the bot with FILLBOT_DATABASE_URL set to the server."
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit code."""
    options = command_line().parse_args(arguments)
    try:
        settings = load(Settings)
    except SettingsError as error:
        _print(str(error), is_error=True)
        return EX_CONFIG
    try:
        database = database_file(settings.url)
        if database is None:
            if options.command is not _check:
                advice = "Use the server's tools, such as pg_dump and pg_restore."
                raise BackupError("FILLBOT_DATABASE_URL does not name a file", advice)
            _print(f"✓ {asyncio.run(describe_server(settings.url))}")
            return 0
        code: int = options.command(options, settings, database)
    except StorageError as error:
        _print(str(error), is_error=True)
        return 1
    return code


def _back_up(options: argparse.Namespace, settings: Settings, database: Path) -> int:
    file: Path | None = options.file
    if file is None:
        file = back_up_now(database, settings.backups_dir, now=datetime.now(UTC))
    else:
        back_up(database, file, replaces=False)
    _print(f"Backed up to {file} ({_size(file)}).")
    return 0


def _restore(options: argparse.Namespace, settings: Settings, database: Path) -> int:
    with exclusive_access(settings.home):
        kept = asyncio.run(restore(options.file, database, now=datetime.now(UTC)))
    before = f" The previous database is kept as {kept}." if kept else ""
    _print(f"Restored {database} from {options.file}.{before} You can start the bot.")
    return 0


def _check(_options: argparse.Namespace, settings: Settings, database: Path) -> int:
    is_intact = True
    for path in (database, *backup_files(settings.backups_dir, database)):
        found = examine(path)
        if found.problem is not None:
            is_intact = False
            _print(f"✗ {path}: {found.problem}")
            continue
        rows = ", ".join(f"{number} {name}" for name, number in found.rows)
        _print(f"✓ {path}: {_size(path)}, schema {found.revision}, {rows}")
    return 0 if is_intact else 1


def _copy(options: argparse.Namespace, settings: Settings, source: Path) -> int:
    try:
        to = usable_url(variables.cleaned(options.to))
    except ValueError as error:
        raise DatabaseUrlError(str(error)) from error
    if not is_shared(to):
        raise DatabaseUrlError("the target of a copy must be a server")
    if not source.is_file():
        raise CopyError(Sentence("{problem} at {path}", problem=NO_DATABASE, path=source))
    with contextlib.ExitStack() as stack:
        is_final = True
        try:
            stack.enter_context(exclusive_access(settings.home))
        except InUseError:
            is_final = False  # a snapshot of the running bot's database
        copied = asyncio.run(_copy_to(source, to, is_final=is_final))
    for one in copied:
        sign = "✓" if one.source == one.target else "✗"
        _print(
            f"{sign} {one.table}: {one.source.rows} rows, checksum {one.source.checksum:x}; on the server "
            f"{one.target.rows} rows, checksum {one.target.checksum:x}"
        )
    if any(one.source != one.target for one in copied):
        raise CopyError("the copy differs from the source, so another process is writing to the server")
    _print("All rows are on the server. " + (FINAL if is_final else NOT_FINAL))
    return 0


async def _copy_to(source: Path, url: str, *, is_final: bool) -> list[TableCopy]:
    await (await Database.open(url, is_copy_target=True)).close()
    reported_at = time.monotonic()

    def progress(table: str, rows: int, total: int) -> None:
        nonlocal reported_at
        if rows >= total or time.monotonic() > reported_at + PROGRESS_EVERY_S:
            reported_at = time.monotonic()
            _print(f"{table}: {rows} of {total} rows", is_error=True)

    return await copy(source, url, is_final=is_final, progress=progress)


def command_line() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m storage", description="Back up, restore, check and copy the database."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    backup = commands.add_parser("backup", help="write a backup; the bot may be running")
    backup.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="a new file; by default one named by the time in FILLBOT_HOME/backups",
    )
    backup.set_defaults(command=_back_up)
    back = commands.add_parser("restore", help="replace the database with a backup; stop the bot first")
    back.add_argument("file", type=Path, help="the backup")
    back.set_defaults(command=_restore)
    copying = commands.add_parser("copy", help="copy the database to a server; the bot may be running")
    copying.add_argument(
        "--to", required=True, metavar="URL", help="postgresql+asyncpg://user:password@host/name"
    )
    copying.set_defaults(command=_copy)
    check = commands.add_parser("check", help="check that the database and its backups are intact")
    check.set_defaults(command=_check)
    return parser


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _print(sentence: str, *, is_error: bool = False) -> None:
    (sys.stderr if is_error else sys.stdout).write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
