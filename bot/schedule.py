"""The nightly trigger, and runs: one at a time, spawned, followed, reloaded from."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from filelock import FileLock, Timeout

from bot.child import Line, follow, spawned
from bot.errors import RunBusyError
from bot.serving import Serving
from bot.settings import Settings
from storage import runs
from storage.database import Database
from storage.runs import Run
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)
GRACE_S = 6 * 3600  # a nightly run that is late by less is still started


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: its row (None when it never opened one), and one sentence."""

    run: Run | None
    sentence: str


class Runs:
    """Starts runs and waits for them; refuses a second one meanwhile."""

    def __init__(self, settings: Settings, database: Database, registry: Registry, serving: Serving) -> None:
        """Take what a run touches."""
        self._settings, self._database = settings, database
        self._registry, self._serving = registry, serving
        self._running = asyncio.Lock()

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress in this process."""
        return self._running.locked()

    async def start(self, trigger: str, *, on_progress: Callable[[Line], None] | None = None) -> RunEnd:
        """Run to the end, reload what was promoted, and say how it ended.

        Raises:
            RunBusyError: a run is in progress.
        """
        if self._running.locked():
            raise RunBusyError
        async with self._running:
            end = await self._run(trigger, on_progress)
            await self._serving.follow_champion()
        status = end.run.status if end.run else "failed"
        log.info("run.finished", trigger=trigger, status=status, sentence=end.sentence)
        return end

    async def repair(self) -> None:
        """Settle rows that a crash left open, unless a run is alive somewhere."""
        lock = FileLock(self._settings.home / "run.lock")
        try:
            await asyncio.to_thread(lock.acquire, timeout=0)
        except Timeout:
            return
        try:
            champion = self._registry.champion()
            for run in await runs.repair(self._database, champion=champion, now=datetime.now(UTC)):
                log.warning("run.repaired", run_id=run.id, trigger=run.trigger)
        finally:
            await asyncio.to_thread(lock.release)

    async def _run(self, trigger: str, on_progress: Callable[[Line], None] | None) -> RunEnd:
        run_id: int | None = None
        sentence = ""

        def on_line(line: Line) -> None:
            nonlocal run_id, sentence
            if line.get("event") == "opened":
                run_id = int(line["run_id"])
            sentence = str(line.get("sentence", sentence))
            if on_progress is not None and line.get("event") == "progress":
                on_progress(line)

        command = ("domain",) if trigger == "domain" else ("run", "--trigger", trigger)
        log_path = self._settings.home / "training.log"
        try:
            async with (
                spawned(self._settings, *command, "--progress", "json", log_path=log_path) as process,
                asyncio.timeout(self._settings.run_timeout_s),
            ):
                code = await follow(process, on_line)
        except TimeoutError:
            sentence = (
                f"The run took longer than {self._settings.run_timeout_s} s and was ended; see {log_path}."
            )
        else:
            if code and not sentence:
                sentence = f"The training process ended unexpectedly (code {code}); see {log_path}."
        await self.repair()
        row = await runs.get_run(self._database, run_id) if run_id is not None else None
        return RunEnd(row, sentence)


class Nightly:
    """Starts a run at the configured time of day, and once after a downtime that swallowed it."""

    def __init__(self, start: Callable[[], Any], *, at: time, zone: ZoneInfo) -> None:
        """Call `start()` (a coroutine function) every day at `at` in `zone`."""
        self._start = start
        self._trigger = CronTrigger(hour=at.hour, minute=at.minute, timezone=zone)
        self._scheduler = AsyncIOScheduler(timezone=zone)

    def open(self, *, last_started_at: datetime | None, now: datetime) -> bool:
        """Begin; True when a run was missed since `last_started_at`, and is started at once."""
        self._scheduler.add_job(
            self._start,
            self._trigger,
            id="nightly",
            misfire_grace_time=GRACE_S,
            coalesce=True,
            max_instances=1,
        )
        missed = last_started_at is not None and is_missed(self._trigger, last_started_at, now)
        if missed:
            self._scheduler.add_job(self._start, id="catch-up", max_instances=1)
        self._scheduler.start()
        return missed

    def next_at(self) -> datetime | None:
        """When the next run begins."""
        job = self._scheduler.get_job("nightly")
        return job.next_run_time if job else None

    def close(self) -> None:
        """Stop; call it after the run in progress was ended. Idempotent."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def is_missed(trigger: CronTrigger, last_started_at: datetime, now: datetime) -> bool:
    """Whether the trigger should have fired between the last start and now."""
    due = trigger.get_next_fire_time(last_started_at, last_started_at)
    return due is not None and due <= now
