"""Moving the champion pointer by hand, with its record; the same for the chat and the command line. No torch.

Each move opens a row, moves the pointer, finishes the row: a crash in between is settled by `storage.runs.repair`.
"""

from datetime import datetime

from storage import runs
from storage.database import Database
from training.errors import NoChampionError
from training.registry import SERVED_FILES, Registry


async def promote(registry: Registry, database: Database, version: str, *, now: datetime) -> str:
    """Point the champion at a version by hand, whatever the gate said. Returns the version.

    Raises:
        RegistryError: there is no such version, it is damaged, or the folder cannot be written.
    """
    return await _move(registry, database, version, trigger="promote", now=now)


async def roll_back(
    registry: Registry, database: Database, version: str | None = None, *, now: datetime
) -> str:
    """Point the champion at an earlier version (the one before it when None). Returns the version.

    The retraining set of the version left behind is not promoted by itself again, and nightly promotion pauses.

    Raises:
        RegistryError: nothing to roll back to, no such version, it is damaged, or the folder cannot be written.
    """
    return await _move(registry, database, version or registry.previous(), trigger="rollback", now=now)


async def resume(registry: Registry, database: Database, *, now: datetime) -> bool:
    """End the pause of nightly promotion. False: there was none."""
    if await runs.paused_since(database) is None:
        return False
    run_id = await runs.open_run(database, "resume", started_at=now, champion=registry.champion())
    await runs.finish_run(database, run_id, "done", finished_at=now)
    return True


async def _move(registry: Registry, database: Database, version: str, *, trigger: str, now: datetime) -> str:
    champion = registry.champion()
    if champion is None:
        raise NoChampionError
    registry.verify(version, only=SERVED_FILES)
    left = registry.card(champion).retraining_set_hash if champion in registry.versions() else None
    await runs.end_open_training(database, f"a {trigger} by hand came in between", now=now)
    run_id = await runs.open_run(
        database,
        trigger,
        started_at=now,
        champion=champion,
        challenger=version,
        retraining_set_hash=left if trigger == "rollback" else None,
    )
    registry.promote(version)
    await runs.finish_run(database, run_id, "done", finished_at=now)
    return version
