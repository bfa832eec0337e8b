"""What the benchmarks share: rows of the table, medians in turn, limits of the machine."""

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

PROJECT = Path(__file__).parents[2]
PAUSE_S = 0.25
HEADINGS = ("what", "ours", "alternative", "ratio", "limit", "of the limit")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured.
        ours: our figure.
        unit: of all figures of the row.
        alternative: the figure of what people use instead, or None.
        limit: the figure that the machine, or the issue, allows at best, or None.
        is_rate: more is better; else less is.
        note: what else must be known.
    """

    what: str
    ours: float
    unit: str
    alternative: float | None = None
    limit: float | None = None
    is_rate: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the alternative."""
        if self.alternative is None or not self.ours:
            return None
        return self.ours / self.alternative if self.is_rate else self.alternative / self.ours

    @property
    def of_limit(self) -> float | None:
        """Ours over the limit."""
        return self.ours / self.limit if self.limit else None

    def to_json(self) -> dict[str, Any]:
        """For the file."""
        return {**asdict(self), "ratio": self.ratio, "of_limit": self.of_limit}

    def cells(self) -> tuple[str, ...]:
        """For the table."""

        def figure(value: float | None) -> str:
            return (
                "–"
                if value is None
                else f"{value:,.3g} {self.unit}"
                if value < 1000
                else f"{value:,.0f} {self.unit}"
            )

        return (
            f"{self.what}{f' ({self.note})' if self.note else ''}",
            figure(self.ours),
            figure(self.alternative),
            "–" if self.ratio is None else f"{self.ratio:.1f} ×",
            figure(self.limit),
            "–" if self.of_limit is None else f"{self.of_limit:.2f}",
        )


def table(rows: list[Row]) -> str:
    """Rows as Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def in_turn(works: Mapping[str, Callable[[], Any]], *, rounds: int, times: int = 1) -> dict[str, float]:
    """Median seconds of each, all taken in every round, after one round to warm up.

    Args:
        works: what to time, by name.
        rounds: so many.
        times: so often one after the other in a round. Before that comes a pause: threads of the one before
            may still be spinning.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            time.sleep(PAUSE_S)  # threads of the previous work spin until then
            for _ in range(times):
                started = time.perf_counter()
                work()
                if number:
                    seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def percentile(values: list[float], q: float) -> float:
    """A percentile; q in [0, 100]."""
    return float(np.percentile(values, q)) if values else float("nan")


def bandwidth() -> float:
    """Bytes a second that the machine reads from memory: the sum of 512 MB by as many threads as cores."""
    import torch

    block = torch.ones(128 * 1024 * 1024, dtype=torch.float32)
    return block.nbytes / in_turn({"read": block.sum}, rounds=7)["read"]


def int8_operations() -> float:
    """Operations a second of ONNX Runtime's integer product, 1024 × 768 · 768 × 3072, all cores."""
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((768, 3072), np.int8), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1024, 768])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1024, 3072])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"x": np.ones((1024, 768), np.uint8)}
    return 2 * 1024 * 768 * 3072 / in_turn({"product": lambda: session.run(None, feed)}, rounds=15)["product"]


def device() -> "torch.device":
    """The device to train on, as `FILLBOT_DEVICE` says."""
    from training.models.torch_model import pick_device

    return pick_device(os.environ.get("FILLBOT_DEVICE", "auto"))


def device_name() -> str:
    """What it is."""
    import torch

    if device().type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"


def peak_mb(pid: int | None = None) -> float:
    """The most memory that a process has held; this one when None."""
    if pid is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return _status_mb(pid, "VmHWM")


def resident_mb(pid: int) -> float:
    """The memory that a process holds."""
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return float("nan")
