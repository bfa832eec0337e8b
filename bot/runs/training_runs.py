"""Training runs: at most one at a time, in a subprocess whose progress is followed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bot.answering.champion_follower import BotChampionFollower
from bot.background import Supervisor
from bot.errors import RunBusyError
from bot.operations.metrics import Metrics
from bot.runs.cancellation import cancelled_with_its_row
from bot.settings import Settings
from bot.subprocesses.training_process import GRACE_S, Line, follow, spawned
from bot.texts import say, translated
from storage import runs
from storage.backends.locks import POINTER, RUN, QueuedLock, holding_async, is_shared, lock_for
from storage.database import Database
from storage.errors import LockHeldError, StorageError
from storage.runs import Run
from storage.sentences import sentence_in
from training.errors import RegistryError, RegistryUnreadableError, TrainingError
from training.registry import promotion
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
REPAIR_EVERY_S = 1.0
REPAIR_OTHERS_EVERY_S = 5.0
VERSIONS_SEARCHED = 20  # by version_of; older runs are not reported any more


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: its row (None if it never opened one), and one sentence."""

    run: Run | None
    sentence: str


class TrainingRuns:
    """Starts training runs and waits for them; refuses a second run meanwhile."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        registry: Registry,
        follower: BotChampionFollower,
        *,
        metrics: Metrics | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._supervisor = supervisor or Supervisor(self._metrics)
        self._settings, self._database = settings, database
        self._registry, self._follower = registry, follower
        self._task: asyncio.Task[RunEnd] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._is_closed = self._left_open = False
        self._halts = 0
        self._is_shared = is_shared(settings.url)
        # Held while a rollback moves the pointer, so that `repair` does not take its open row for a crash.
        self.moving = QueuedLock(settings, POINTER)

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress in this process."""
        return self._task is not None and not self._task.done()

    @property
    def is_closed(self) -> bool:
        """Whether the bot is stopping and starts no more runs."""
        return self._is_closed

    @contextlib.asynccontextmanager
    async def halted(self, reason: str) -> AsyncIterator[None]:
        """End the run in progress; inside the block none is running and none can start.

        A run started on the command line ends by itself before it promotes; this waits for that.
        """
        self._halts += 1
        try:
            self._terminate()
            if self._task is not None:
                await asyncio.wait([self._task])
            async with contextlib.AsyncExitStack() as stack:
                while True:
                    await runs.end_open_training(self._database, reason, now=datetime.now(UTC))
                    with contextlib.suppress(LockHeldError):
                        await stack.enter_async_context(holding_async(lock_for(self._settings, RUN)))
                        break
                    await asyncio.sleep(REPAIR_EVERY_S)
                yield
        finally:
            self._halts -= 1

    async def is_under_way(self) -> bool:
        """Whether a run is in progress in any process."""
        if self.is_running:
            return True
        try:
            async with holding_async(lock_for(self._settings, RUN)):
                return False
        except LockHeldError:
            return True

    async def idle(self) -> None:
        """Wait until no run of this process is in progress."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def has_begun(self, trigger: str, *, since: datetime) -> bool:
        """Whether a run with this trigger started since then, in any process."""
        last = await runs.latest(self._database, trigger)
        return last is not None and last.started_at >= since

    def begin(
        self,
        trigger: str,
        *,
        on_progress: Callable[[Line], None] | None = None,
        on_opened: Callable[[int], None] | None = None,
        unless_since: datetime | None = None,
    ) -> "asyncio.Task[RunEnd]":
        """Start a run. The task never raises, and ends after a promoted version has been reloaded.

        Args:
            trigger: what started the run, as stored in `runs.trigger`.
            on_progress: called with every progress line.
            on_opened: called with the run's id once it has one.
            unless_since: the run ends at once if another process started one with this trigger since then.

        Raises:
            RunBusyError: a run is in progress.
        """
        if self.is_running or self._is_closed or self._halts:
            raise RunBusyError
        self._task = asyncio.create_task(
            self._run(trigger, on_progress, on_opened, unless_since), name=f"run ({trigger})"
        )
        return self._task

    async def close(self) -> None:
        """End the run in progress, settle its row, and start no more runs. Idempotent."""
        self._is_closed = True
        if self._task is None or self._task.done():
            return
        self._terminate()
        await asyncio.wait([self._task], timeout=GRACE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _terminate(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    async def repair(self) -> list[Run]:
        """Settle rows that a crash left open, unless a run is alive. Returns the runs that failed."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(holding_async(lock_for(self._settings, RUN)))
            except LockHeldError:
                self._left_open = True
                return []
            self._left_open = False
            await stack.enter_async_context(self.moving)
            try:
                found = await promotion.repair(self._registry, self._database, now=datetime.now(UTC))
            except RegistryUnreadableError:
                # It is unknown whether the run promoted its version.
                self._left_open = True
                return []
        for run in found:
            log.warning("run.repaired", run_id=run.id, trigger=run.trigger)
        settled = [await runs.get_run(self._database, run.id) for run in found]
        return [run for run in settled if run is not None and run.status == "failed"]

    async def repair_until_settled(self) -> None:
        """Repeat `repair` while a run that was alive then, manual or orphaned, holds the lock."""
        while self._left_open:
            await asyncio.sleep(REPAIR_EVERY_S)
            if not self.is_running:
                await self.repair()

    async def keep_repairing(self) -> None:
        """Settle rows that any process leaves open, forever; only the leader does this."""
        while True:
            try:
                if not self.is_running and await runs.latest(self._database, statuses=("open",)):
                    await self.repair()
            except StorageError as error:
                log.warning("repair.failed", reason=str(error))
            await asyncio.sleep(REPAIR_OTHERS_EVERY_S)

    async def _run(
        self,
        trigger: str,
        on_progress: Callable[[Line], None] | None,
        on_opened: Callable[[int], None] | None,
        unless_since: datetime | None,
    ) -> RunEnd:
        started = time.monotonic()
        command = ("domain",) if trigger == "domain" else ("run", "--trigger", trigger)
        if unless_since is not None:
            command = (*command, "--unless-since", unless_since.isoformat())
        try:
            end = await self._follow_subprocess(command, on_progress, on_opened)
        except Exception as error:
            log.exception("run.failed", trigger=trigger)
            self._metrics.run("failed", duration_s=time.monotonic() - started)
            is_expected = isinstance(error, StorageError | TrainingError)
            return RunEnd(None, translated(error) if is_expected else say("run.not_started", error=error))
        run_id, status = (end.run.id, end.run.status) if end.run else (None, "failed")
        if end.run is not None and status == "promoted":
            log.info(
                "model.promoted", model_version=end.run.challenger, previous=end.run.champion, run_id=run_id
            )
        await self._follower.follow_champion()
        duration_s = round(time.monotonic() - started, 1)
        self._metrics.run(status, duration_s=duration_s)
        log.info(
            "run.finished",
            run_id=run_id,
            trigger=trigger,
            status=status,
            duration_s=duration_s,
            sentence=end.sentence,
        )
        return replace(end, sentence=translated(end.sentence))

    async def _follow_subprocess(
        self,
        command: tuple[str, ...],
        on_progress: Callable[[Line], None] | None,
        on_opened: Callable[[int], None] | None,
    ) -> RunEnd:
        run_id: int | None = None
        sentence = ""

        def on_line(line: Line) -> None:
            nonlocal run_id, sentence
            if line.get("event") == "opened" and isinstance(line.get("run_id"), int):
                run_id = line["run_id"]
                if on_opened is not None:
                    on_opened(run_id)
            sentence = sentence_in(line) or sentence
            if on_progress is not None and line.get("event") == "progress":
                on_progress(line)

        log_path = self._settings.home / "training.log"
        try:
            async with cancelled_with_its_row(
                lambda: run_id,
                self._database,
                self._terminate,
                is_shared=self._is_shared,
                supervisor=self._supervisor,
            ):
                code = await self._spawn(command, on_line, log_path)
        except TimeoutError:
            sentence = say("run.took_too_long", seconds=self._settings.run_timeout_s, log=log_path)
        else:
            if self._is_closed:
                sentence = sentence or say("run.stopped")
            elif self._halts:
                sentence = sentence or say("forgetting.run_ended")
            elif code and not sentence:
                sentence = say("run.ended", code=code, log=log_path)
        await self.repair()
        row = await runs.get_run(self._database, run_id) if run_id is not None else None
        return RunEnd(row, sentence)

    async def _spawn(self, command: tuple[str, ...], on_line: Callable[[Line], None], log_path: Path) -> int:
        """Spawn the training process and follow it to its exit code.

        Raises:
            TimeoutError: it ran longer than `run_timeout_s`.
        """
        async with (
            spawned(self._settings, *command, "--progress", "json", log_path=log_path) as process,
            asyncio.timeout(self._settings.run_timeout_s),
        ):
            self._process = process
            if self._is_closed or self._halts:
                process.terminate()
            return await follow(process, on_line)


def version_of(registry: Registry, run: Run) -> str | None:
    """Return the version whose card names the run; None if it made none, or the version was deleted."""
    for version in reversed(registry.versions()[-VERSIONS_SEARCHED:]):
        try:
            if registry.card(version).run_id == run.id:
                return version
        except RegistryError:
            continue
    return None
