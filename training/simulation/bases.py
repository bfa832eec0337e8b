"""Base models side by side, on the same work: what they know, what a night teaches, what they cost."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from training.errors import BaseModelError, TrainingError
from training.evaluation.generated_suite import positive_cases
from training.evaluation.metrics import read_texts, shipped_suite, suites_folder
from training.inference.fill_model import FillModel
from training.inference.loading import STATUS, peak_memory_mb
from training.models import torch_model
from training.models.base_check import check_base
from training.models.base_model import find_base, licence, weights_mb
from training.progress import Progress
from training.registry.versions import Registry
from training.settings import NightSettings, Settings
from training.simulation.nights import Plan, Simulation, home_of
from training.simulation.people import People

QUERIES = 40  # that five people rate before the night
ROUNDS = 30  # of single queries that are timed


@dataclass(frozen=True, slots=True)
class BaseReport:
    """What was measured of a base; None is what could not be measured.

    Attributes:
        name: its name or folder.
        refused: why it cannot be used, or None.
        licence: as its README says.
        kind: of transformers, such as distilbert.
        megabytes: of its weights on the disk.
        known: share of the easy blanks that it fills in.
        control: share of the words that fit complaints and negations, before the night.
        wanted: wanted share on praise before and after a night of simulated votes on other sentences.
        wanted_after: the same after it.
        night: what the gate said of that night: promoted or rejected.
        milliseconds: median of a query.
        memory_mb: most memory of a process that loads it and answers a query.
        precision: in which it serves.
    """

    name: str
    refused: str | None = None
    licence: str | None = None
    kind: str | None = None
    megabytes: float | None = None
    known: float | None = None
    control: float | None = None
    wanted: float | None = None
    wanted_after: float | None = None
    night: str | None = None
    milliseconds: float | None = None
    memory_mb: float | None = None
    precision: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON."""
        return asdict(self)


def measure(names: Sequence[str], settings: Settings, progress: Progress) -> list[BaseReport]:
    """Measure one base after the other; one that cannot be used says why."""
    reports = []
    for name in names:
        progress.step(f"measuring {name}")
        try:
            reports.append(_measured(name, settings, progress))
        except TrainingError as error:
            reports.append(BaseReport(Path(name).name, refused=str(error)))
    return reports


def _measured(name: str, settings: Settings, progress: Progress) -> BaseReport:
    folder = find_base(name)
    if folder is None:
        raise BaseModelError(name, "it is not available here")
    model = torch_model.load(folder, base=name)
    check, kind = check_base(model), str(model.model.config.model_type)
    del model
    own = settings.model_copy(update={"base_model": name, "allow_weak_base": True, "min_judgements": 1})
    with home_of(own, None) as at_home:
        simulation = Simulation(at_home, _plan(), progress)
        (night,) = simulation.nights()
        before: dict[str, Any] = simulation.before["serving"]
        after = night["challenger"] or night["serving"]
        registry = Registry(at_home.models_dir)
        first = registry.path(registry.versions()[0])
        served = FillModel(first)
        return BaseReport(
            name=Path(name).name,
            licence=licence(folder),
            kind=kind,
            megabytes=weights_mb(folder),
            known=None if check is None else check.share,
            control=before["groups"].get("control", {}).get("wanted_share"),
            wanted=before["main"]["wanted_share"],
            wanted_after=after["main"]["wanted_share"],
            night=str(night["status"]),
            milliseconds=_milliseconds(served),
            memory_mb=_memory_mb(first),
            precision=served.precision,
        )


def _plan() -> Plan:
    tests = [*shipped_suite("main"), *shipped_suite("control"), *shipped_suite("retention")]
    return Plan(
        queries=tuple(positive_cases(QUERIES, split="train")),
        tests=tuple(tests),
        texts=tuple(read_texts(suites_folder() / "texts.jsonl")),
        people=People.of("menu:5", flips=0.1),
        nights=1,
        night=NightSettings(),
    )


def _milliseconds(model: FillModel) -> float:
    texts = [case.text for case in positive_cases(ROUNDS)]
    seconds = []
    for text in texts[:3] + texts:
        began = time.perf_counter()
        model.fill([text], top=20)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[3:])


def _memory_mb(folder: Path) -> float | None:
    if not STATUS.exists():
        return None
    query = positive_cases(1)[0].text
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(peak_memory_mb, folder, query).result()
