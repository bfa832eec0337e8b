"""`python -m storage`: back up, restore and check the database, from the command line.

Exit codes: 0 done, 1 could not be done, 2 wrong usage, 78 a setting must be changed.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from storage.backups import all_files, back_up, back_up_today, database_file, examine
from storage.errors import BackupError, StorageError
from storage.restoring import alone_in, restore
from storage.settings import Settings

EX_CONFIG = 78
ON_A_SERVER = "FILLBOT_DATABASE_URL names no file"


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = command_line().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else ""
        _say(f"The settings cannot be used: FILLBOT_{name}: {first['msg']}. See .env.example.", is_error=True)
        return EX_CONFIG
    try:
        database = database_file(settings.url)
        if database is None:
            raise BackupError(ON_A_SERVER, "Use the tools of the database that it names.")
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
    with alone_in(settings.home):
        kept = asyncio.run(restore(options.file, database, now=datetime.now(UTC)))
    before = f" What was there before is kept as {kept}." if kept else ""
    _say(f"Restored {database} from {options.file}.{before} You can start the bot.")
    return 0


def _check(_options: argparse.Namespace, settings: Settings, database: Path) -> int:
    is_well = True
    for path in (database, *all_files(settings.backups_dir, database)):
        found = examine(path)
        if found.problem is not None:
            is_well = False
            _say(f"✗ {path}: {found.problem}")
            continue
        rows = ", ".join(f"{number} {name}" for name, number in found.rows)
        _say(f"✓ {path}: {_size(path)}, schema {found.revision}, {rows}")
    return 0 if is_well else 1


def command_line() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="python -m storage", description="Back up, restore and check the database."
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
