"""A process that forks a training run for every line it reads, and kills it where the line says.

The libraries are imported once, before any thread is started; each run is then a process of its own with its
own end, in a second instead of ten. Only `killed_runs` starts this.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
import torch
import uptrain  # noqa: F401  here and below: imported once, rather than in every run
from transformers.models.distilbert import modeling_distilbert  # noqa: F401

from training.domain import training_run
from training.evaluation import candidate
from training.evaluation.gate import Verdict
from training.finetuning.reference_model import ModelWithReference
from training.models import writing as versions  # noqa: F401
from training.pipeline import run as pipeline
from training.progress import NoProgress
from training.settings import DomainSettings, NightSettings, Settings
from training.synchronous_database import SynchronousDatabase

WRITES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")  # audit events
NIGHT = NightSettings(
    learning_rate=1e-3,
    min_steps=3,
    max_steps=3,
    batch_examples=4,
    replay_examples=2,
    anchor_examples=2,
    sentences=100,
    replayed=10,
)
LARGE = {"replay_examples": 3000, "anchor_examples": 600, "sentences": 3000, "replayed": 3000}
DOMAIN = DomainSettings(recipe="full", sentences=100, batch_examples=16, evaluations=2, new_word_count=1000)


class Places:
    """Counts places in a run, from 1, and ends the process at one of them; 0: at none."""

    def __init__(self, deadly: int) -> None:
        self.passed, self._deadly = 0, deadly
        self._lock = threading.Lock()  # SQLite has threads of its own

    def here(self, *_: Any) -> None:
        with self._lock:
            self.passed += 1
            if self.passed == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)


class Steps(NoProgress):
    """Every step and event of a run is a place, and so are both ends of what it does in the database.

    From the fine-tuning on there is so much more memory and no more, unless that is None.
    """

    def __init__(self, places: Places, *, memory_mib: int | None) -> None:
        self._places, self._memory_mib = places, memory_mib
        call = SynchronousDatabase.call

        def called(database: SynchronousDatabase, *arguments: Any, **options: Any) -> Any:
            places.here()
            found = call(database, *arguments, **options)
            places.here()
            return found

        SynchronousDatabase.call = called  # type: ignore[method-assign]

    def step(self, name: str, total: int = 0) -> None:
        self._places.here()
        if name.startswith("fine-tuning") and self._memory_mib is not None:
            limit_memory(self._memory_mib)

    def advance(self, units: int = 1, **figures: float) -> None:
        self._places.here()

    def event(self, name: str, **values: Any) -> None:
        self._places.here()


def count_writes(home: str, places: Places) -> None:
    """Every change in the file system, every flush to the disk and every commit is a place."""

    def hear(event: str, details: tuple[Any, ...]) -> None:
        if event in WRITES or (event == "open" and _is_write(home, *details)):
            places.here()

    sys.addaudithook(hear)
    flush = os.fsync
    os.fsync = lambda file: (places.here(), flush(file))[1]  # type: ignore[assignment]
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", places.here)


def _is_write(home: str, path: Any, mode: str | None, flags: int) -> bool:
    is_written = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return is_written and isinstance(path, str | os.PathLike) and os.fspath(path).startswith(home)


def limit_memory(mib: int) -> None:
    """From here on this process gets so much more of this machine's memory, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (mib << 20),) * 2)


def limit_rows(most: int) -> None:
    """Pretend that a GPU has memory for so many rows at once."""

    def refuse(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        if isinstance(module, ModelWithReference) and len(arguments[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    torch.nn.modules.module.register_module_forward_pre_hook(refuse)


def run(asked: dict[str, Any]) -> int:
    """The run itself, in the forked process. Returns how many places it passed."""
    if asked["rows"] is not None:
        limit_rows(asked["rows"])
    places = Places(asked["at"])
    if asked["place"] == "write":
        count_writes(asked["home"], places)
    progress = Steps(places if asked["place"] == "step" else Places(0), memory_mib=asked["memory_mib"])
    decide: Callable[..., Verdict] = candidate.gate.decide

    def decided(measured: Any) -> Verdict:
        return Verdict(asked["is_promotable"], decide(measured).reasons)

    candidate.gate.decide = decided  # a tiny model cannot please the gate
    settings = Settings(
        home=Path(asked["home"]),
        device="cpu",
        base_model=f"{asked['home']}/base",
        allow_weak_base=True,  # it is tiny
    )
    if asked["command"] == "domain":
        training_run.judge_domain_model = lambda *_: (Verdict(asked["is_promotable"], ()), {})
        pipeline.run_domain(settings, progress, trigger="domain", domain=DOMAIN)
    else:
        nightly = NIGHT.model_copy(update=LARGE if asked["is_large"] else {})
        pipeline.run_night(settings, progress, trigger="retrain", night=nightly)
    return places.passed


def forked(asked: dict[str, Any]) -> dict[str, Any]:
    """Fork a run, kill it after `after_s` where that is asked for, and say how it ended."""
    reading, writing = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if not child:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        code = 1
        try:
            os.write(writing, b"%d" % run(asked))
            code = 0
        finally:
            if code:
                sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    if asked["after_s"] is not None:
        time.sleep(asked["after_s"])  # the instant at which it is killed is given in real time
        os.kill(child, signal.SIGKILL)  # not yet waited for, so the number is still its own
    _, status = os.waitpid(child, 0)
    passed = os.read(reading, 20)
    os.close(reading)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "places": int(passed or 0),
        "took_s": time.perf_counter() - started,
    }


def main() -> None:
    """Answer lines until there are no more."""
    assert threading.active_count() == 1, "a process with threads must not fork"
    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
