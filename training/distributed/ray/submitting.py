"""Submit a run as a job on a Ray cluster, follow it, stop it with this process, settle it when it is lost.

The job runs the same command. Its JSON lines come back in the job's log and are reported like a local run's.
"""

import asyncio
import json
import shlex
import signal
import socket
import sys
import uuid
from typing import TYPE_CHECKING, Any

from storage import runs
from storage.sentences import Sentence, sentence_in
from training.distributed.ray.errors import ClusterPackageError, JobFailedError
from training.distributed.ray.job_settings import environment
from training.errors import RegistryError, TrainingError
from training.pipeline.outcome import Outcome
from training.progress import Progress
from training.registry.factory import open_registry
from training.registry.sharing import pull
from training.settings import Settings
from training.synchronous_database import SynchronousDatabase, now

if TYPE_CHECKING:
    from training.distributed.ray.jobs import Job

PROGRAM = ("python", "-m", "training")  # of the nodes
LINES = ("--progress", "json", "--json")
STOPPED = Sentence("it was stopped")


def submit(settings: Settings, command: tuple[str, ...], progress: Progress) -> Outcome:
    """Run `python -m training COMMAND` on the cluster.

    Returns:
        The outcome of the run.

    Raises:
        TrainingError: The run or the cluster failed; the row in `runs` is finished.
        KeyboardInterrupt: This process was asked to end, and stopped the job.
    """
    try:
        import ray.job_submission  # noqa: F401
    except ImportError as error:
        raise ClusterPackageError from error
    output = _JobOutput(progress)
    try:
        return asyncio.run(_follow(settings, command, output))
    except (asyncio.CancelledError, KeyboardInterrupt):
        _settle(settings, output.run_id, STOPPED)
        raise KeyboardInterrupt from None
    except TrainingError as error:
        settled = _settle(settings, output.run_id, error)
        if settled is None:
            raise
        return settled


async def _follow(settings: Settings, command: tuple[str, ...], output: "_JobOutput") -> Outcome:
    from training.distributed.ray.jobs import Job

    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    assert settings.ray_address is not None
    job = await Job.submit(
        settings.ray_address,
        shlex.join([*PROGRAM, command[0], *LINES, *command[1:]]),
        job_id=f"fillbot-{socket.gethostname()}-{uuid.uuid4().hex[:12]}",
        environment=environment(settings),
    )
    try:
        await job.follow(output.read, wait_s=settings.ray_wait_s)
    except BaseException:
        await job.stop()
        raise
    return await _outcome(job, output)


async def _outcome(job: "Job", output: "_JobOutput") -> Outcome:
    if output.outcome is not None:
        return output.outcome
    if output.sentence:
        raise JobFailedError(output.sentence)
    status, code = await job.end()
    raise JobFailedError(
        Sentence(
            "The run ended on the cluster without a result (status {status}, code {code}). The log of job "
            "{job} on the Ray dashboard says more. The champion is unchanged.",
            status=status,
            code=code,
            job=job.id,
        )
    )


class _JobOutput:
    """The output of the job so far."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._step, self._done = "", 0
        self.run_id: int | None = None
        self.outcome: Outcome | None = None
        self.sentence = ""

    def read(self, raw: str) -> None:
        """Report the progress in a line; other lines, such as warnings, go to standard error."""
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            if raw.strip():
                sys.stderr.write(raw + "\n")
        elif "event" not in line:
            if {"status", "sentence"} <= line.keys():
                self.outcome = Outcome(
                    line["status"], sentence_in(line), line.get("version"), report=line.get("report") or {}
                )
        elif line["event"] == "progress":
            self._advance(line)
        elif line["event"] == "failed":
            self.sentence = sentence_in(line)
        else:
            if line["event"] == "opened" and isinstance(line.get("run_id"), int):
                self.run_id = line["run_id"]
            self._progress.event(**{"name" if key == "event" else key: value for key, value in line.items()})

    def _advance(self, line: dict[str, Any]) -> None:
        try:
            name, total, done = str(line.pop("step")), int(line.pop("total")), int(line.pop("done"))
        except (KeyError, TypeError, ValueError):  # a job of another release
            return
        del line["event"]
        if name != self._step or done < self._done:
            self._progress.step(name, total)
            self._step, self._done = name, 0
        if done > self._done or line:
            self._progress.advance(done - self._done, **line)
        self._done = done


def _may_be_moved(settings: Settings, challenger: str | None) -> bool:
    """Whether a pointer names the version, or cannot be read: then the next repair finishes the run."""
    if challenger is None:
        return False
    try:
        registry = open_registry(settings)
        pull(registry)
        return challenger in (registry.champion(), registry.domain())
    except RegistryError:
        return True


def _settle(settings: Settings, run_id: int | None, reason: TrainingError | str) -> Outcome | None:
    """Finish the row of a lost run, so that it cannot promote. Returns its outcome if it had ended."""
    if run_id is None:
        return None
    with SynchronousDatabase.open(settings.url) as database:
        run = database.call(runs.get_run, run_id)
        if run is None:
            return None
        if run.status == "open" and not _may_be_moved(settings, run.challenger):
            verdict = runs.failure(reason)
            database.call(runs.finish_run, run_id, "failed", finished_at=now(), verdict=verdict)
            run = database.call(runs.get_run, run_id)
    if run is None or run.status in ("open", "failed"):
        return None
    about = Sentence(
        "Run {id} had ended as {status} before the cluster was lost.", id=run_id, status=run.status
    )
    return Outcome(run.status, about, run.challenger, run.verdict or {}, run.report or {})
