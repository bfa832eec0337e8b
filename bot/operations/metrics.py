"""Prometheus metrics in a registry of their own. Labels hold no text and no ids.

Events are counted where they happen; gauges (`add_gauge`) are read at every scrape.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

from bot.errors import BusyError, QueryError
from training.errors import QueryTooLongError

ANSWER_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
QUERY_OUTCOMES = ("answered", "refused", "turned_away", "failed")
VIAS, VALUES = ("reaction", "menu", "suggestion"), ("up", "down")
RUN_OUTCOMES = ("promoted", "rejected", "waiting", "proving", "skipped", "failed", "done")
OUTCOMES = ("done", "failed")
ANSWERED_BY = ("service", "fallback")
SERVICE_LOST = ("unreachable", "timeout", "busy", "invalid")


class Metrics:
    """All instruments, with every label value present from the start at 0. The app has one instance."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._queries = self._counter("queries", "Queries by outcome.", outcome=QUERY_OUTCOMES)
        self._answers = Histogram(
            "fillbot_answer_seconds",
            "Seconds from receiving a query to sending its reply.",
            buckets=ANSWER_BUCKETS_S,
            registry=registry,
        )
        self.cache_hits = self._counter("cache_hits", "Queries answered from the cache.")
        self._answered = self._counter(
            "service_answers",
            "Uncached queries, by whether the inference service answered or the local session did instead.",
            by=ANSWERED_BY,
        )
        self.service_lost = self._counter(
            "service_lost",
            "Times that the inference service stopped answering, by reason.",
            reason=SERVICE_LOST,
        )
        self._votes = self._counter("votes", "Votes cast, by way and value.", via=VIAS, value=VALUES)
        self._runs = self._counter("runs", "Training runs by outcome.", outcome=RUN_OUTCOMES)
        self.run_seconds = Gauge(
            "fillbot_last_run_duration_seconds", "Duration of the last training run.", registry=registry
        )
        self._reloads = self._counter(
            "model_reloads", "Attempts to load another model version, by outcome.", outcome=OUTCOMES
        )
        self.background_failures = self._counter(
            "background_failures", "Failures of background tasks.", task=()
        )
        self._backups = self._counter("backups", "Backups by outcome.", outcome=OUTCOMES)
        self._model = Info("fillbot_model", "The model version that answers.", registry=registry)
        ProcessCollector(registry=registry)  # memory, CPU time, open files, start time

    def _counter(self, name: str, about: str, **labels: Sequence[str]) -> Counter:
        """Make a counter whose label values that are known beforehand start at 0."""
        counter = Counter(f"fillbot_{name}", about, list(labels), registry=self.registry)
        for values in product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter

    @contextlib.contextmanager
    def query(self) -> Iterator[None]:
        """Count one query by how the block ends, and time it if it was answered."""
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            is_refusal = isinstance(error, QueryError | QueryTooLongError)
            outcome = "turned_away" if isinstance(error, BusyError) else "refused" if is_refusal else "failed"
            self._queries.labels(outcome).inc()
            raise
        self._queries.labels("answered").inc()
        self._answers.observe(time.perf_counter() - started)

    def turned_away(self) -> None:
        """Count a query that load shedding refused."""
        self._queries.labels("turned_away").inc()

    def answered(self, *, by: Literal["service", "fallback"]) -> None:
        """Count an uncached query where there is an inference service."""
        self._answered.labels(by).inc()

    def vote(self, via: Literal["reaction", "menu", "suggestion"], value: int, *, words: int = 1) -> None:
        """Count votes: `value` is +1 or −1, on `words` words."""
        self._votes.labels(via, "up" if value > 0 else "down").inc(words)

    def run(self, outcome: str, *, duration_s: float) -> None:
        """Count a finished run."""
        self._runs.labels(outcome).inc()
        self.run_seconds.set(duration_s)

    def reload(self, *, is_done: bool) -> None:
        """Count an attempt to load another version."""
        self._reloads.labels("done" if is_done else "failed").inc()

    def backup(self, *, is_done: bool) -> None:
        """Count an attempt to back up."""
        self._backups.labels("done" if is_done else "failed").inc()

    def add_gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value `read` returns at every scrape; a boolean counts as 1 or 0."""
        Gauge(f"fillbot_{name}", about, registry=self.registry).set_function(lambda: float(read()))

    def exposed(self, accept: str, *, model_version: str | None) -> tuple[bytes, str]:
        """All metrics in the format that the scraper accepts, and its content type."""
        if model_version is not None:
            self._model.info({"version": model_version})
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


def size_of(path: Path) -> float:
    """Bytes of a database file with its write-ahead log; 0 without the file."""
    total = 0
    for one in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            total += one.stat().st_size
    return float(total)
