"""Run one function on several workers of a Ray cluster with Ray Train, and resume it after a failure.

All workers run the same function with their own context; the first worker's return value is the result. When
a worker or node dies, Ray stops the others and restarts all of them from the last checkpoint.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import ray
import ray.train
import torch
import torch.distributed as dist
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from training.distributed.ray.errors import WorkersFailedError, WorkersSilentError
from training.distributed.ray.progress import QueueProgress, replay
from training.distributed.ray.workers import Workers
from training.errors import TrainingError
from training.progress import NoProgress, Progress
from training.settings import Settings

MAX_FAILURES = 3
CHECKPOINT_EVERY_S = 60.0
MESSAGE_S = 300  # timeout of a collective operation
STATE = "state.pt"
POLL_S = 0.2  # between reads of the progress queue
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The workers of a training run, and where its checkpoints are stored.

    Attributes:
        workers: Their number.
        device: As `FILLBOT_DEVICE`; auto: GPUs where the cluster has any.
        storage: A folder or URL that every node reaches.
        wait_s: How long the workers may be silent before the run fails.
        checkpoint_every_s: Time between checkpoints.
    """

    workers: int
    device: str
    storage: str
    wait_s: float
    checkpoint_every_s: float = CHECKPOINT_EVERY_S

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the workers that the settings ask for."""
        return cls(
            workers=settings.ray_workers,
            device=settings.device,
            storage=str(settings.home.absolute() / "runs" / "workers"),
            wait_s=settings.ray_wait_s,
        )


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What each worker gets in addition to the subject of its work."""

    workers: Workers
    device: torch.device
    checkpointer: "RayCheckpointer"
    progress: Progress


Work = Callable[[WorkerContext, Any], T]


def run_on_workers(group: WorkerGroup, work: Work[T], subject: Any, *, name: str, progress: Progress) -> T:
    """Run `work(context, subject)` on all workers. Returns the first worker's result.

    Args:
        group: The workers.
        work: A function of a module that is installed on every node.
        subject: Any picklable value.
        name: The folder of the checkpoints in `group.storage`.
        progress: Reports the first worker's progress.

    Raises:
        TrainingError: Raised by the work; or the workers never started, stopped reporting, or died too often.
    """
    if not ray.is_initialized():
        ray.init(address="auto", log_to_driver=False)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    calls = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    use_gpu = group.device == "cuda" or (group.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0)
    trainer = TorchTrainer(
        _work,
        train_loop_config={
            "work": work,
            "subject": ray.put(subject),
            "calls": calls,
            "checkpoint_every_s": group.checkpoint_every_s,
            "use_gpu": use_gpu,
        },
        scaling_config=ray.train.ScalingConfig(
            num_workers=group.workers, use_gpu=use_gpu, placement_strategy="SPREAD"
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=group.storage,
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
        torch_config=TorchConfig(timeout_s=MESSAGE_S),
    )
    found: T = _wait(trainer, calls, group, progress)
    return found


def _wait(trainer: TorchTrainer, calls: Queue, group: WorkerGroup, progress: Progress) -> Any:
    """Report the progress of the workers until they are done."""
    ended: Future[Any] = Future()

    def fit() -> None:
        try:
            ended.set_result(trainer.fit().return_value)
        except ray.train.TrainingFailedError as error:
            ended.set_exception(WorkersFailedError(_last_line(error)))
        except BaseException as error:  # noqa: BLE001 — raised by the future
            ended.set_exception(error)

    # A daemon: if the workers are silent, the process exits without waiting for it.
    threading.Thread(target=fit, daemon=True, name="workers").start()
    last_report_at = time.monotonic()
    while True:
        wait([ended], timeout=POLL_S)
        is_over = ended.done()  # before the last calls are read
        for call in calls.get_nowait_batch(calls.size()):
            replay(progress, call)
            last_report_at = time.monotonic()
        if is_over:
            found = ended.result()
            if isinstance(found, TrainingError):
                raise found
            return found
        if time.monotonic() - last_report_at > group.wait_s:
            raise WorkersSilentError(group.workers, group.wait_s)


def _work(config: dict[str, Any]) -> Any:
    """Run the work on one worker. A TrainingError is returned: a raised one would restart all workers."""
    device = torch.device("cuda" if config["use_gpu"] else "cpu")
    assert dist.group.WORLD is not None
    workers = Workers(dist.group.WORLD, device)
    progress = QueueProgress(config["calls"]) if workers.rank == 0 else NoProgress()
    checkpointer = RayCheckpointer(workers, every_s=config["checkpoint_every_s"])
    try:
        found = config["work"](
            WorkerContext(workers, device, checkpointer, progress), ray.get(config["subject"])
        )
    except TrainingError as error:
        return error
    if isinstance(progress, QueueProgress):
        progress.flush()
    return found if workers.rank == 0 else None


class RayCheckpointer:
    """A `Checkpointer` on the shared storage. It stores the first worker's state, as all are equal."""

    def __init__(self, workers: Workers, *, every_s: float) -> None:
        self._workers, self._every_s = workers, every_s
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the last checkpoint; None before the first."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return None
        with checkpoint.as_directory() as folder:
            state: dict[str, Any] = torch.load(Path(folder) / STATE, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Store the state if a checkpoint is due by the first worker's clock; all workers wait for it."""
        if not self._workers.same(int(time.monotonic() - self._last >= self._every_s)):
            return
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if self._workers.rank == 0:
                torch.save(state, Path(folder) / STATE)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({}, checkpoint=checkpoint)
        self._last = time.monotonic()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
