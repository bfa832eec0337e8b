"""A run whose row another process closes, to forget somebody or to roll back, is ended soon."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog

from bot.background import Supervisor
from storage import runs
from storage.database import Database
from storage.errors import StorageError

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_S = 2.0


@contextlib.asynccontextmanager
async def cancelled_with_its_row(
    run_id: Callable[[], int | None],
    database: Database,
    end: Callable[[], None],
    *,
    is_shared: bool,
    supervisor: Supervisor,
) -> AsyncIterator[None]:
    """Call `end` once the row of the run that goes on in the block is closed from elsewhere.

    It would see so by itself before it promotes; but whoever closed the row waits for its lock. Where no
    other process shares the database, those that close rows end the run themselves.
    """
    if not is_shared:
        yield
        return
    watching = supervisor.run("run's row", lambda: _watch(run_id, database, end), may_end=True)
    watch = asyncio.create_task(watching, name="run's row")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(run_id: Callable[[], int | None], database: Database, end: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        number = run_id()
        if number is None:
            continue
        try:
            run = await runs.get_run(database, number)
        except StorageError:
            continue  # it may be away for a moment
        if run is None or run.status == "failed":
            log.warning("run.ended_elsewhere", run_id=number)
            end()
            return
