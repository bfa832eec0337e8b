"""A training shared by workers of this cluster, by Ray Train: begun, heard, gone on with after a worker died.

What a worker does is a function of its context in the group, the same for all; what the first one returns is
what comes of it. A worker or node that dies takes the others with it; all begin again, from the last state
that was kept.
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
KEEP_EVERY_S = 60.0
MESSAGE_S = 300  # that a worker waits for another's message
STATE = "state.pt"
LOOK_S = 0.2  # between looks at what the workers say
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """Who trains, and where what is kept in between lies.

    Attributes:
        workers: how many.
        device: as `FILLBOT_DEVICE`; auto: GPUs where the cluster has any.
        storage: a folder or URL that every node reaches.
        wait_s: without progress from the workers, before the run fails.
        keep_every_s: between states that are kept.
    """

    workers: int
    device: str
    storage: str
    wait_s: float
    keep_every_s: float = KEEP_EVERY_S

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings have it."""
        return cls(
            workers=settings.ray_workers,
            device=settings.device,
            storage=str(settings.home.absolute() / "runs" / "workers"),
            wait_s=settings.ray_wait_s,
        )


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker is given, beside what it works on."""

    workers: Workers
    device: torch.device
    checkpointer: "RayCheckpointer"
    progress: Progress


Work = Callable[[WorkerContext, Any], T]


def run_on_workers(group: WorkerGroup, work: Work[T], subject: Any, *, name: str, progress: Progress) -> T:
    """Let the workers do `work(context, subject)`. Returns what the first of them returns.

    Args:
        group: who.
        work: a function of a module that every node has; the same for every worker but for its context.
        subject: anything that can be pickled.
        name: of the folder in `group.storage`.
        progress: the first worker's is told here.

    Raises:
        TrainingError: the work's own; or workers never began, fell silent, or died too often.
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
            "keep_every_s": group.keep_every_s,
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
    """Tell what the workers say until they are done."""
    ended: Future[Any] = Future()

    def fit() -> None:
        try:
            ended.set_result(trainer.fit().return_value)
        except ray.train.TrainingFailedError as error:
            ended.set_exception(WorkersFailedError(_last_line(error)))
        except BaseException as error:  # noqa: BLE001 — raised where it is waited for
            ended.set_exception(error)

    threading.Thread(target=fit, daemon=True, name="workers").start()  # not waited for at the end
    last_heard = time.monotonic()
    while True:
        wait([ended], timeout=LOOK_S)
        is_over = ended.done()  # before the last calls are read
        for call in calls.get_nowait_batch(calls.size()):
            replay(progress, call)
            last_heard = time.monotonic()
        if is_over:
            found = ended.result()
            if isinstance(found, TrainingError):
                raise found
            return found
        if time.monotonic() - last_heard > group.wait_s:
            raise WorkersSilentError(group.workers, group.wait_s)


def _work(config: dict[str, Any]) -> Any:
    """What runs in every worker. A run's own error is no crash, after which all would begin again."""
    device = torch.device("cuda" if config["use_gpu"] else "cpu")
    assert dist.group.WORLD is not None
    workers = Workers(dist.group.WORLD, device)
    progress = QueueProgress(config["calls"]) if workers.rank == 0 else NoProgress()
    checkpointer = RayCheckpointer(workers, every_s=config["keep_every_s"])
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
        """What was kept last."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return None
        with checkpoint.as_directory() as folder:
            state: dict[str, Any] = torch.load(Path(folder) / STATE, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Keep it where the last time is long ago by the first worker's clock; all wait until it is kept."""
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
