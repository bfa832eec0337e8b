"""Promote and roll back versions for the chat, the command line and runs, and record the moves. No torch.

Each move opens a row in `runs`, moves the pointer and finishes the row. `repair` finishes rows that a crash
left open.
"""

import asyncio
from datetime import datetime

import structlog

from storage import runs
from storage.database import Database
from storage.runs import Run
from storage.sentences import Sentence
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    RegistryError,
    RegistryUnreadableError,
    UnknownVersionError,
)
from training.registry.sharing import pull
from training.registry.versions import SERVED_FILES, Registry

log = structlog.stdlib.get_logger(__name__)
DAMAGED = (CorruptVersionError, UnknownVersionError)


async def promote(
    registry: Registry, database: Database, version: str, *, now: datetime, by: str | None = None
) -> str:
    """Promote a version manually, whatever the gate decided. Returns the version.

    The row records who did it, and the gate's objections.

    Raises:
        RegistryError: There is no such version, or it is damaged or withdrawn.
        RegistryUnwritableError: The folder cannot be written.
    """
    return await _move(registry, database, version, trigger="promote", now=now, by=by)


async def roll_back(
    registry: Registry, database: Database, version: str | None = None, *, now: datetime
) -> str:
    """Make an earlier version champion (None: the predecessor). Returns the version.

    The retraining set of the version that is left will not be promoted automatically again, and nightly
    promotion pauses. A rollback to the current champion only verifies its files.

    Raises:
        RegistryError: There is no earlier or no such version, or it is damaged or withdrawn.
        RegistryUnwritableError: The folder cannot be written.
    """
    version = version or registry.previous()
    registry.require_not_withdrawn(version)
    if version == registry.champion():
        await asyncio.to_thread(registry.verify, version, only=SERVED_FILES)
        return version
    return await _move(registry, database, version, trigger="rollback", now=now)


async def replace_withdrawn_champion(registry: Registry, database: Database, *, now: datetime) -> str | None:
    """Replace a withdrawn champion by the domain model, which has not learnt from votes.

    Returns the replaced champion; None if the champion is not withdrawn.

    Raises:
        RegistryError: There is no domain model, or it is damaged.
        RegistryUnwritableError: The folder cannot be written.
    """
    champion, domain = registry.champion(), registry.domain()
    if champion is None or champion not in registry.withdrawn():
        return None
    if domain is None:
        raise NoChampionError
    await _move(registry, database, domain, trigger="withdrawal", now=now)
    return champion


def adopt_domain_model(registry: Registry, version: str) -> None:
    """Make a version the domain model, and also the champion if the present one has not learnt from votes.

    Raises:
        RegistryError: There is no such version, or it is withdrawn.
        RegistryUnwritableError: The folder cannot be written.
    """
    registry.set_domain(version)
    if not _has_learnt_from_votes(registry):
        registry.promote(version)


async def repair(registry: Registry, database: Database, *, now: datetime) -> list[Run]:
    """Finish the rows that a crash left open; call it only while no run is in progress.

    A domain model that crashed between its two pointers becomes champion, as it would have. Returns the rows
    as they were found.

    Raises:
        RegistryUnreadableError: The pointers cannot be read at present.
    """
    await asyncio.to_thread(pull, registry)
    half = await runs.latest(database, "domain", statuses=("open",))
    if half is not None and half.challenger is not None and half.challenger == registry.domain():
        try:
            await asyncio.to_thread(adopt_domain_model, registry, half.challenger)
        except RegistryUnreadableError:
            raise
        except RegistryError as error:  # nights still start from it
            log.warning("domain.does_not_serve", model_version=half.challenger, reason=str(error))
    return await runs.repair(database, champion=registry.champion(), domain=registry.domain(), now=now)


async def resume(registry: Registry, database: Database, *, now: datetime) -> bool:
    """End the pause of nightly promotion. Returns whether it was paused."""
    if await runs.paused_since(database) is None:
        return False
    await runs.end_pause(database, champion=registry.champion(), now=now)
    return True


async def _move(
    registry: Registry,
    database: Database,
    version: str,
    *,
    trigger: str,
    now: datetime,
    by: str | None = None,
) -> str:
    champion = registry.champion()
    if champion is None:
        raise NoChampionError
    registry.require_not_withdrawn(version)  # before an open run is cancelled for it
    # In a thread: hashing takes a second, and the bot must keep answering.
    await asyncio.to_thread(registry.verify, version, only=SERVED_FILES)
    reason = Sentence("a {trigger} came in between", trigger=trigger)
    await runs.end_open_training(database, reason, now=now)
    run_id = await runs.open_run(
        database,
        trigger,
        started_at=now,
        champion=champion,
        challenger=version,
        retraining_set_hash=_learnt_from(registry, champion) if trigger == "rollback" else None,
    )
    try:
        await asyncio.to_thread(registry.promote, version, instead_of=champion)
    except RegistryError as error:
        await runs.finish_run(database, run_id, "failed", finished_at=now, verdict=runs.failure(error))
        raise
    report = {"by": by, "overrides": _objections(registry, version)} if trigger == "promote" else None
    await runs.finish_run(database, run_id, "done", finished_at=now, report=report)
    return version


def _has_learnt_from_votes(registry: Registry) -> bool:
    """Whether the champion is a night's version; False if it is missing, damaged or withdrawn."""
    try:
        champion = registry.champion()
        if champion is None or champion in registry.withdrawn():
            return False
        return registry.card(champion).kind == "night"
    except DAMAGED:
        return False


def _objections(registry: Registry, version: str) -> list[str]:
    """Return why the gate rejected a version; empty if it was not judged, or its card is damaged."""
    try:
        reasons = registry.card(version).verdict.get("reasons", [])
    except DAMAGED:
        return []
    return [reason["text"] for reason in reasons if not reason["passed"]]


def _learnt_from(registry: Registry, version: str) -> str | None:
    """Return the hash of a version's retraining set; None if it has none, or its card is damaged."""
    try:
        return registry.card(version).retraining_set_hash
    except DAMAGED:
        return None
