"""Checks of this machine: the model, disk space, the GPU, the database and its backups."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from bot.operations.checks.result import Finding, failed, passed, skipped, unavailable
from bot.runs.schedule import Daily
from bot.settings import Settings
from storage.backends.locks import is_shared
from storage.errors import StorageError
from storage.maintenance.backups import database_file, examine, last_made_at, open_sqlite
from storage.maintenance.server_info import describe_server
from storage.sentences import Sentence
from training.corpus.language import CorpusLanguage
from training.errors import BaseModelError, RegistryError, TrainingError
from training.inference.loading import load
from training.models.base_model import known_blanks, locate_base
from training.registry.factory import open_registry, probe_shared_storage

RESERVE_BYTES = 500_000_000  # for run files and logs
FIRST_RUN_BYTES = 3_000_000_000  # without a version to derive the size from
OLD_BACKUP = timedelta(hours=50)  # two nights
SMI = ("--query-gpu=name,memory.total", "--format=csv,noheader")
SMI_TIMEOUT_S = 15.0


async def machine_findings(settings: Settings, *, now: datetime) -> AsyncIterator[Finding]:
    """All checks that need no token."""
    if settings.models_url is not None:
        yield await asyncio.to_thread(_models, settings)
    yield await _model(settings)
    yield await asyncio.to_thread(_base, settings)
    yield _language(settings)
    yield await _gpu(settings)
    yield await asyncio.to_thread(_disk, settings)
    if is_shared(settings.url):
        yield await _server(settings)
    else:
        yield await asyncio.to_thread(_database, settings)
    yield _backup(settings, now)
    yield _nightly(settings, now)


def _models(settings: Settings) -> Finding:
    """Whether shared storage can be read and written as by one of several machines."""
    name = "shared models"
    try:
        versions = probe_shared_storage(settings)
    except TrainingError as error:
        fix = "Set FILLBOT_MODELS_URL to storage that this machine may read and write."
        return unavailable(name, str(error), fix)
    count = f"{versions} version{'' if versions == 1 else 's'}"
    return passed(name, f"the storage can be read and written, {count} there")


async def _model(settings: Settings) -> Finding:
    """Load the champion as the bot does, verify it, and ask it a query."""
    try:
        registry = open_registry(settings)
        champion = registry.champion()
        if champion is None:
            return skipped("model", "none yet: the first start makes one")
        model = await asyncio.to_thread(load, registry, champion)
    except RegistryError as error:
        fix = "Roll back with `python -m training rollback`, or restore that folder from a copy."
        return unavailable("model", str(error), fix)
    return passed("model", f"{model.version} answers ({model.precision})")


def _language(settings: Settings) -> Finding:
    """What the language of the corpus lacks, and what that means."""
    language = CorpusLanguage(settings.corpus_language)
    if not language.missing:
        return passed("language", f"{language.code}: patterns, word lists, suites and denied words are here")
    parts = Sentence("{missing}", missing=language.missing)
    person = "" if language.denied.exists() else ", and an admin decides about each version"
    detail = f"{language.code} has no {parts}: runs learn and are judged without them{person}"
    return skipped("language", detail)


def _base(settings: Settings) -> Finding:
    if settings.lacks_base:
        if CorpusLanguage(settings.corpus_language).starter_patterns.exists():
            return skipped("base model", f"none set for {settings.corpus_language}: the starter is trained")
        fix = "Set FILLBOT_BASE_MODEL to a masked language model of this language."
        return failed(
            "base model", f"none set for {settings.corpus_language}, and no starter can learn it", fix
        )
    try:
        where = locate_base(settings.base_model)
    except BaseModelError as error:
        fix = "Set FILLBOT_BASE_MODEL to a folder with the model, or let this machine reach the hub."
        return unavailable("base model", str(error), fix)
    if where is None:
        detail = f"{settings.base_model} is not available here: the starter is trained instead"
        return skipped("base model", detail)
    try:
        known = known_blanks(settings)
    except TrainingError as error:
        return failed("base model", str(error), "Set FILLBOT_BASE_MODEL to another masked language model.")
    asked = "" if known is None else f", knows {known:.0%} of the easy blanks"
    return passed("base model", f"{settings.base_model}: {where}{asked}")


async def _gpu(settings: Settings) -> Finding:
    """As nvidia-smi reports it, without importing torch."""
    if settings.device == "cpu":
        return skipped("GPU", "FILLBOT_DEVICE=cpu: runs train on the CPU")
    found = await _smi()
    if found:
        return passed("GPU", found)
    if settings.device == "cuda":
        fix = "Install the NVIDIA driver (nvidia-smi must work), or set FILLBOT_DEVICE=auto."
        return failed("GPU", "none, and FILLBOT_DEVICE=cuda asks for one", fix)
    return skipped("GPU", "none: runs train on the CPU")


async def _smi() -> str:
    """Names and memory of the GPUs; empty without any."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    process = await asyncio.create_subprocess_exec(
        program, *SMI, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SMI_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return "; ".join(out.decode(errors="replace").strip().splitlines()) if process.returncode == 0 else ""


def _disk(settings: Settings) -> Finding:
    """Free space against what a run writes: a version, its checkpoint, both exports, and a backup."""
    folder = _existing(settings.home)
    versions = [path for path in settings.models_dir.glob("v*") if path.is_dir()]
    largest = max((_bytes_in(path) for path in versions), default=0)
    file = database_file(settings.url)
    database = file.stat().st_size if file is not None and file.is_file() else 0
    needed = (3 * largest or FIRST_RUN_BYTES) + database + RESERVE_BYTES
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free, a run may need {needed / 1e9:.1f} GB"
    if free >= needed:
        return passed("disk", detail)
    fix = f"Free some space where {folder} is, lower FILLBOT_KEEP_VERSIONS, or move FILLBOT_HOME elsewhere."
    return unavailable("disk", detail, fix)


async def _server(settings: Settings) -> Finding:
    try:
        return passed("database", await describe_server(settings.url))
    except StorageError as error:
        fix = "Start the server, and look at FILLBOT_DATABASE_URL."
        return unavailable("database", str(error), fix)


def _database(settings: Settings) -> Finding:
    file = database_file(settings.url)
    if file is None:
        return skipped("database", "in memory")
    if not file.is_file():
        return _writable_home(settings)
    found = examine(file)
    if found.problem is None:
        try:
            with open_sqlite(file) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            fix = f"Let this user write to {file} and its folder."
            return failed("database", f"cannot be written ({error})", fix)
        votes = dict(found.rows).get("votes", 0)
        return passed("database", f"whole and writable, {votes} vote{'' if votes == 1 else 's'}")
    fix = "Stop the bot and restore a backup: `python -m storage restore FILE`."
    return unavailable("database", found.problem, fix)


def _writable_home(settings: Settings) -> Finding:
    """Whether the first start could create the database."""
    folder = _existing(settings.home)
    probe = folder / ".fillbot-check"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        fix = "Give this user the right to write there, or set FILLBOT_HOME to another folder."
        return failed("database", f"{folder} cannot be written ({error.strerror})", fix)
    return skipped("database", "none yet: the first start makes it")


def _backup(settings: Settings, now: datetime) -> Finding:
    if is_shared(settings.url):
        return skipped("backup", "not made here: back up the PostgreSQL server itself (pg_dump)")
    file = database_file(settings.url)
    if file is None or not file.is_file() or not settings.keep_backups:
        return skipped("backup", "switched off" if not settings.keep_backups else "nothing to back up here")
    made_at = last_made_at(settings.backups_dir)
    if made_at is None:
        detail = "none yet: the next nightly run makes one, or `python -m storage backup` now"
        return skipped("backup", detail)
    age = now - made_at
    detail = f"the newest is {age / timedelta(hours=1):.0f} h old"
    if age <= OLD_BACKUP:
        return passed("backup", detail)
    fix = "See `backup.failed` in the log, and make one now: `python -m storage backup`."
    return unavailable("backup", detail, fix)


def _nightly(settings: Settings, now: datetime) -> Finding:
    """When the next nightly run starts; the settings have validated the zone."""
    next_at = Daily(settings.nightly_at, settings.zone).get_next_fire_time(None, now)
    here = now.astimezone(settings.zone)
    detail = f"next {next_at:%a %d %b %H:%M} {settings.timezone}, where it is {here:%H:%M} now"
    return passed("nightly run", detail)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
