"""Cancels the training subprocess when another process closes the row of its run."""

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
    """Call `end` when another process closes the row of the run that goes on inside the block.

    A rollback and a request to be forgotten close rows. The subprocess notices by itself before it promotes,
    but the process that closed the row waits for its lock meanwhile. With a database that no other process
    shares, this does nothing: the code that closes a row also ends the run.
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
            continue  # the database may be unreachable for a moment
        if run is None or run.status == "failed":
            log.warning("run.ended_elsewhere", run_id=number)
            end()
            return
