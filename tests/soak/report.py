"""Samples → what an hour did to the process: quarters, growth, and the table. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from itertools import combinations

Sample = dict[str, float]
COLUMNS = {
    "rss_mb": "memory, MB",
    "pss_mb": "its own share, MB",
    "handles": "open files",
    "threads": "threads",
    "cpu": "CPU, cores",
    "database_mb": "database, MB",
    "wal_mb": "its log (WAL), MB",
    "log_mb": "bot's log, MB",
    "answers_a_s": "answers a second",
    "p50_ms": "wait p50, ms",
    "p99_ms": "wait p99, ms",
    "waiting": "waiting",
    "harness_cpu": "harness CPU, cores",
}
GROWTH = ("rss_mb", "pss_mb", "handles", "threads", "database_mb", "wal_mb", "log_mb", "p50_ms")
WARM_UP_S = 120.0  # of a life: caches fill
MAX_POINTS = 400


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The median slope of all pairs (Theil 1950, Sen 1968): a third of the points may be anything."""
    if len(points) > MAX_POINTS:
        points = points[:: -(-len(points) // MAX_POINTS)]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    return statistics.median(slopes) if slopes else None


def quarters(samples: Sequence[Sample], *, parts: int = 4) -> list[list[Sample]]:
    """The samples by quarter of the time that they span."""
    if not samples:
        return []
    first, last = samples[0]["at_s"], samples[-1]["at_s"]
    found: list[list[Sample]] = [[] for _ in range(parts)]
    for sample in samples:
        share = (sample["at_s"] - first) / ((last - first) or 1.0)
        found[min(int(share * parts), parts - 1)].append(sample)
    return found


def growth(samples: Sequence[Sample], column: str) -> float | None:
    """How much a column grows an hour in the longest life, its warm-up left out."""
    lives: dict[float, list[Sample]] = {}
    for sample in samples:
        lives.setdefault(sample["life"], []).append(sample)
    if not lives:
        return None
    longest = max(lives.values(), key=lambda life: life[-1]["at_s"] - life[0]["at_s"])
    warm = [one for one in longest if one["at_s"] - longest[0]["at_s"] >= WARM_UP_S] or longest
    found = slope([(one["at_s"], one[column]) for one in warm if column in one])
    return None if found is None else found * 3600


def samples_table(samples: Sequence[Sample]) -> str:
    """Each column, a quarter of the run at a time: min / median / max; then its growth an hour."""
    parts = quarters(samples)
    head = ["", *(f"quarter {number}" for number in range(1, len(parts) + 1)), "growth an hour"]
    lines = [head]
    for column, name in COLUMNS.items():
        cells = [_spread([one[column] for one in part if column in one]) for part in parts]
        grown = growth(samples, column) if column in GROWTH else None
        lines.append([name, *cells, "" if grown is None else f"{grown:+.4g}"])
    return aligned(lines)


def bytes_each(samples: Sequence[Sample], column: str, *, per: str) -> float | None:
    """How many bytes a column in MB grows for each one more of `per`."""
    found = slope([(one[per], one[column]) for one in samples if column in one and per in one])
    return None if found is None else found * 1e6


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Lines of cells below each other."""
    lines = list(lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def percentile(values: Sequence[float], q: float) -> float:
    """A percentile of some values, q in [0, 1]."""
    ranked = sorted(values)
    return ranked[min(int(q * len(ranked)), len(ranked) - 1)]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return " / ".join(f"{each:.4g}" for each in (min(values), statistics.median(values), max(values)))
