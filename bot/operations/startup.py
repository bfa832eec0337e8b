"""Start-up steps: the lock of the home, repairs, the token, and a first model version."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from bot.connection.session import check_token, set_discord_urls
from bot.errors import EX_UNAVAILABLE, StartError
from bot.settings import Settings
from bot.subprocesses.training_process import follow, spawned
from bot.texts import say
from storage import runs
from storage.backends.locks import BOT, RUN, FileLocks
from storage.database import Database
from storage.errors import LockHeldError
from storage.maintenance.backups import database_file
from storage.maintenance.recovery import recover
from training.registry.repair import repair_champion
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


@contextlib.contextmanager
def home_lock(settings: Settings) -> Iterator[None]:
    """Hold `bot.lock`, so that only one bot runs on a home.

    Raises:
        StartError: another bot holds it, or the folder cannot be written.
    """
    lock = FileLocks(settings.home, BOT)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except LockHeldError as error:
        sentence = (
            f"Another fillbot is running in {settings.home}. Stop it, or set FILLBOT_HOME to another folder."
        )
        raise StartError(sentence, exit_code=EX_UNAVAILABLE) from error
    except OSError as error:
        raise StartError(
            f"The folder {settings.home} cannot be written ({error.strerror}). Give this user the right to "
            "write there, free some disk space, or set FILLBOT_HOME to another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


async def recover_database(settings: Settings) -> str | None:
    """Recover a damaged database before it is opened. Returns the notice that says so.

    Raises:
        StorageError: a run has it open, or the disk is full.
    """
    database = database_file(settings.url)
    if database is None or not database.is_file():
        return None
    lock = FileLocks(settings.home, RUN)
    try:
        lock.acquire()
    except LockHeldError:
        return None  # a run has it open, and would have failed on a damaged database
    try:
        recovery = await recover(database, settings.backups_dir, now=datetime.now(UTC))
    finally:
        lock.release()
    if recovery is None:
        return None
    backup, kept = recovery.backup and recovery.backup.name, recovery.kept and recovery.kept.name
    log.critical(
        "database.recovered", reason=recovery.problem, backup=backup, kept=kept, is_whole=recovery.is_whole
    )
    source = "read" if recovery.is_whole else "backup" if backup else "rest"
    return say(f"database.recovered.{source}", reason=recovery.problem, backup=backup, kept=kept)


async def repair_champion_pointer(registry: Registry, database: Database) -> str | None:
    """Rewrite an unreadable champion pointer. Returns the notice that says so."""
    last = await runs.last_champion(database)
    version = await asyncio.to_thread(repair_champion, registry, last=last)
    if version is None:
        return None
    log.error("champion_pointer.repaired", model_version=version)
    return say("model.pointer_repaired", version=version)


async def validate_token(settings: Settings) -> None:
    """Validate the token before the first version is made, which takes minutes."""
    if settings.discord_token is not None:
        set_discord_urls(settings.discord_api_url, settings.discord_gateway_url)
        await check_token(settings.discord_token.get_secret_value())


async def make_first_version(settings: Settings) -> None:
    """Run the training process in the foreground, so that its progress shows on this terminal.

    Raises:
        StartError: it could not be made.
    """
    log.info("model.first_version")
    sys.stderr.write(say("model.first_version") + "\n")  # above the progress, which starts seconds later
    sentences: list[str] = []
    async with spawned(settings, "init") as process:
        code = await follow(process, lambda line: sentences.append(str(line.get("sentence", ""))))
    if code:
        reason = "".join(sentences[-1:]) or f"The training process ended unexpectedly (code {code})."
        raise StartError(f"There is no model to serve yet. {reason}", exit_code=EX_UNAVAILABLE)
