"""`python -m storage`: back up, restore, check and copy the database, from the command line.

Exit codes: 0 done, 1 could not be done, 2 wrong usage, 78 a setting must be changed.
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
    back_up_today,
    backup_files,
    database_file,
    examine,
)
from storage.maintenance.copy_to_postgres import TableCopy, copy
from storage.maintenance.restore import exclusive_access, restore
from storage.maintenance.server_info import describe_server
from storage.settings import EX_CONFIG, Settings, load

ON_A_SERVER = "FILLBOT_DATABASE_URL names no file"
SAID_EVERY_S = 2.0
FINAL = "Set FILLBOT_DATABASE_URL to it and start the bot; keep this file until you trust the move."
NOT_FINAL = (
    "The bot is running, so it may have stored more since: stop it, run this command once more, which brings "
    "that, and start it with FILLBOT_DATABASE_URL set to the server."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = command_line().parse_args(arguments)
    try:
        settings = load(Settings)
    except SettingsError as error:
        _say(str(error), is_error=True)
        return EX_CONFIG
    try:
        database = database_file(settings.url)
        if database is None:
            if options.command is not _check:
                raise BackupError(ON_A_SERVER, "Use the server's own tools, such as pg_dump and pg_restore.")
            return asyncio.run(_check_server(settings))
        code: int = options.command(options, settings, database)
    except StorageError as error:
        _say(str(error), is_error=True)
        return 1
    return code


def _back_up(options: argparse.Namespace, settings: Settings, database: Path) -> int:
    file: Path | None = options.file
    if file is None:
        keep, today = max(settings.keep_backups, 1), datetime.now(UTC).date()
        file = back_up_today(database, settings.backups_dir, keep=keep, today=today)
    elif file.exists():
        raise BackupError(f"{file} is there already", "Name a file that is not.")
    else:
        back_up(database, file)
    _say(f"Backed up to {file} ({_size(file)}).")
    return 0


def _restore(options: argparse.Namespace, settings: Settings, database: Path) -> int:
    with exclusive_access(settings.home):
        kept = asyncio.run(restore(options.file, database, now=datetime.now(UTC)))
    before = f" What was there before is kept as {kept}." if kept else ""
    _say(f"Restored {database} from {options.file}.{before} You can start the bot.")
    return 0


def _check(_options: argparse.Namespace, settings: Settings, database: Path) -> int:
    is_well = True
    for path in (database, *backup_files(settings.backups_dir, database)):
        found = examine(path)
        if found.problem is not None:
            is_well = False
            _say(f"✗ {path}: {found.problem}")
            continue
        rows = ", ".join(f"{number} {name}" for name, number in found.rows)
        _say(f"✓ {path}: {_size(path)}, schema {found.revision}, {rows}")
    return 0 if is_well else 1


async def _check_server(settings: Settings) -> int:
    database = Database.unmigrated(settings.url)
    try:
        _say(f"✓ {await describe_server(database)}")
    finally:
        await database.close()
    return 0


def _copy(options: argparse.Namespace, settings: Settings, source: Path) -> int:
    try:
        to = usable_url(variables.cleaned(options.to))
    except ValueError as error:
        raise DatabaseUrlError(str(error)) from error
    if not is_shared(to):
        raise DatabaseUrlError("a copy goes to a server")
    if not source.is_file():
        raise CopyError(f"{NO_DATABASE} at {source}")
    with contextlib.ExitStack() as stack:
        is_final = True
        try:
            stack.enter_context(exclusive_access(settings.home))
        except InUseError:
            is_final = False  # it is read as it is at this moment
        copied = asyncio.run(_copy_to(source, to, is_final=is_final))
    for one in copied:
        sign = "✓" if one.source == one.target else "✗"
        _say(
            f"{sign} {one.table}: {one.source.rows} rows {one.source.checksum:x}, on the server "
            f"{one.target.rows} rows {one.target.checksum:x}"
        )
    if any(one.source != one.target for one in copied):
        raise CopyError("the two differ, so somebody else writes to the server's")
    _say("All is on the server. " + (FINAL if is_final else NOT_FINAL))
    return 0


async def _copy_to(source: Path, url: str, *, is_final: bool) -> list[TableCopy]:
    await (await Database.open(url, is_copy_target=True)).close()
    said_at = time.monotonic()

    def progress(table: str, rows: int, total: int) -> None:
        nonlocal said_at
        if rows >= total or time.monotonic() > said_at + SAID_EVERY_S:
            said_at = time.monotonic()
            _say(f"{table}: {rows} of {total} rows", is_error=True)

    return await copy(source, url, is_final=is_final, progress=progress)


def command_line() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="python -m storage", description="Back up, restore, check and copy the database."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    backup = commands.add_parser("backup", help="write a backup, also while the bot runs")
    backup.add_argument(
        "file", nargs="?", type=Path, help="a new file; none: today's in FILLBOT_HOME/backups"
    )
    backup.set_defaults(command=_back_up)
    back = commands.add_parser("restore", help="put a backup in the database's place; stop the bot first")
    back.add_argument("file", type=Path, help="a backup")
    back.set_defaults(command=_restore)
    copying = commands.add_parser("copy", help="copy the database to a server, also while the bot runs")
    copying.add_argument(
        "--to", required=True, metavar="URL", help="postgresql+asyncpg://user:password@host/name"
    )
    copying.set_defaults(command=_copy)
    check = commands.add_parser("check", help="see whether the database and its backups are whole")
    check.set_defaults(command=_check)
    return parser


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _say(sentence: str, *, is_error: bool = False) -> None:
    (sys.stderr if is_error else sys.stdout).write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
