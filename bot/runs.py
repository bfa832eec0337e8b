"""Training runs: one at a time, spawned, followed, reloaded from, settled when they were interrupted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from bot.child import GRACE_S, Line, follow, spawned
from bot.errors import RunBusyError
from bot.serving import Serving
from bot.settings import Settings
from bot.texts import say
from storage import runs
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Run
from training.errors import TrainingError
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)
REPAIR_EVERY_S = 1.0


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
        self._task: asyncio.Task[RunEnd] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._is_closed = self._left_open = False
        self.moving = asyncio.Lock()  # held by a rollback: its open row is no crash's

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress in this process."""
        return self._task is not None and not self._task.done()

    def begin(
        self, trigger: str, *, on_progress: Callable[[Line], None] | None = None
    ) -> "asyncio.Task[RunEnd]":
        """Begin a run. The task ends, without raising, after what was promoted has been reloaded.

        Raises:
            RunBusyError: a run is in progress.
        """
        if self.is_running or self._is_closed:
            raise RunBusyError
        self._task = asyncio.create_task(self._run(trigger, on_progress), name=f"run ({trigger})")
        return self._task

    async def close(self) -> None:
        """End the run in progress and settle its row; none begins after this. Idempotent."""
        self._is_closed = True
        if self._task is None or self._task.done():
            return
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
        await asyncio.wait([self._task], timeout=GRACE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def repair(self) -> list[Run]:
        """Settle the rows that a crash left open, unless a run is alive. Returns those that failed."""
        lock = FileLock(self._settings.home / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._left_open = True
            return []
        self._left_open = False
        try:
            async with self.moving:
                champion = self._registry.champion()
                found = await runs.repair(self._database, champion=champion, now=datetime.now(UTC))
        finally:
            lock.release()
        for run in found:
            log.warning("run.repaired", run_id=run.id, trigger=run.trigger)
        return [run for run in found if run.challenger is None or run.challenger != champion]

    async def repair_later(self) -> None:
        """Go on trying where the last `repair` met a run that was alive: one by hand, or a dying orphan."""
        while self._left_open:
            await asyncio.sleep(REPAIR_EVERY_S)
            if not self.is_running:
                await self.repair()

    async def _run(self, trigger: str, on_progress: Callable[[Line], None] | None) -> RunEnd:
        try:
            end = await self._follow_child(trigger, on_progress)
        except Exception as error:
            log.exception("run.failed", trigger=trigger)
            is_told = isinstance(error, StorageError | TrainingError)
            return RunEnd(None, str(error) if is_told else say("run.not_started", error=error))
        await self._serving.follow_champion()
        status = end.run.status if end.run else "failed"
        log.info("run.finished", trigger=trigger, status=status, sentence=end.sentence)
        return end

    async def _follow_child(self, trigger: str, on_progress: Callable[[Line], None] | None) -> RunEnd:
        run_id: int | None = None
        sentence = ""

        def on_line(line: Line) -> None:
            nonlocal run_id, sentence
            if line.get("event") == "opened":
                run_id = int(line["run_id"])
            sentence = str(line.get("sentence", sentence))
            if on_progress is not None and line.get("event") == "progress":
                on_progress(line)

        log_path = self._settings.home / "training.log"
        try:
            code = await self._spawn(trigger, on_line, log_path)
        except TimeoutError:
            sentence = say("run.took_too_long", seconds=self._settings.run_timeout_s, log=log_path)
        else:
            if self._is_closed:
                sentence = sentence or say("run.stopped")
            elif code and not sentence:
                sentence = say("run.ended", code=code, log=log_path)
        await self.repair()
        row = await runs.get_run(self._database, run_id) if run_id is not None else None
        return RunEnd(row, sentence)

    async def _spawn(self, trigger: str, on_line: Callable[[Line], None], log_path: Path) -> int:
        """Spawn the training process and follow it to its exit code; TimeoutError after `run_timeout_s`."""
        command = ("domain",) if trigger == "domain" else ("run", "--trigger", trigger)
        async with (
            spawned(self._settings, *command, "--progress", "json", log_path=log_path) as process,
            asyncio.timeout(self._settings.run_timeout_s),
        ):
            self._process = process
            if self._is_closed:
                process.terminate()
            return await follow(process, on_line)
