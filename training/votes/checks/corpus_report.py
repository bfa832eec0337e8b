"""The report on edge cases of the corpus: which texts were kept and why the others were dropped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from training.tables import aligned

KEPT = "kept"
PRIVATE = "link, address or number"
SIGNALS = ("brand", "product", "wanted", "blames", "flagged", "open", "positive", "negative")
SCHEMA: dict[str, Any] = {
    "row": pl.Int64,
    **dict.fromkeys((*SIGNALS, KEPT), pl.Boolean),
    "reason": pl.Utf8,
}
NUMBERS = frozenset({"rows", "kept", "dropped", "kept %"})  # headers of right-aligned columns
MIN_EXAMPLE_CHARS, MAX_EXAMPLE_CHARS = 24, 72  # shorter texts are often not sentences


@dataclass(frozen=True, slots=True)
class EdgeCaseReport:
    """The edge cases of a corpus.

    Attributes:
        kept: their indices among the texts, ascending.
        by_source: source → outcome → number of rows; an outcome is `KEPT` or a reason.
        signals: signal → number of rows; `positive` and `negative` are computed for `open` rows only.
        examples: outcome → a short text, except for texts with an address or a number.
    """

    kept: tuple[int, ...] = ()
    by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    signals: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Outcome → number of rows."""
        return dict(sum(map(Counter, self.by_source.values()), Counter()))

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON without the indices, which are in the file of the check."""
        sources = {source: _summary(counts) for source, counts in self.by_source.items()}
        more = {"sources": sources, "signals": self.signals, "examples": self.examples}
        return _summary(self.counts) | more

    def table(self) -> str:
        """Format three tables: rows by source, by outcome and by signal."""
        content = self.to_json()
        summaries = {**content["sources"], "all": content}
        sources = []
        for source, each in summaries.items():
            rows, kept = each["rows"], each["kept"]
            sources.append((_line(source), rows, kept, rows - kept, f"{100 * each['share']:.1f}"))
        outcomes = {KEPT: content["kept"], **content["dropped"]}
        reasons = [(outcome, rows, self.examples.get(outcome, "")) for outcome, rows in outcomes.items()]
        return "\n\n".join(
            [
                aligned(("source", "rows", "kept", "dropped", "kept %"), sources, numbers=NUMBERS),
                aligned(("outcome", "rows", "for example"), reasons, numbers=NUMBERS),
                aligned(("signal", "rows"), list(self.signals.items()), numbers=NUMBERS),
            ]
        )


def read_edge_cases(path: Path, texts: Sequence[str], sources: Sequence[str]) -> EdgeCaseReport:
    """Read the report from the JSON lines of a finished check."""
    rows = pl.read_ndjson(path, schema=SCHEMA)
    outcome = pl.when(KEPT).then(pl.lit(KEPT)).otherwise("reason").alias("outcome")
    outcomes = rows.select(outcome)["outcome"].to_list()
    by_source: dict[str, Counter[str]] = {}
    for source, outcome in zip(sources, outcomes, strict=True):
        by_source.setdefault(source, Counter())[outcome] += 1
    return EdgeCaseReport(
        kept=tuple(rows.filter(pl.col(KEPT))["row"]),
        by_source={source: dict(counts) for source, counts in by_source.items()},
        signals={signal: int(rows[signal].sum()) for signal in SIGNALS},
        examples=_examples(texts, outcomes),
    )


def _summary(counts: Mapping[str, int]) -> dict[str, Any]:
    dropped = {reason: rows for reason, rows in counts.items() if reason != KEPT}
    rows, kept = sum(counts.values()), counts.get(KEPT, 0)
    return {
        "rows": rows,
        "kept": kept,
        "share": round(kept / rows, 4) if rows else 0.0,
        "dropped": dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0]))),
    }


def _examples(texts: Sequence[str], outcomes: Sequence[str]) -> dict[str, str]:
    """Outcome → a short sentence on one line; the first of equally short ones."""
    best: dict[str, str] = {}
    for text, outcome in zip(texts, outcomes, strict=True):
        if outcome != PRIVATE and (outcome not in best or _distance(text) < _distance(best[outcome])):
            best[outcome] = text
    return {outcome: _line(text) for outcome, text in sorted(best.items())}


def _distance(text: str) -> tuple[bool, int]:
    return len(text) < MIN_EXAMPLE_CHARS, abs(len(text) - MIN_EXAMPLE_CHARS)


def _line(text: str) -> str:
    line = "".join(char for char in " ".join(text.split()) if char.isprintable())
    return line if len(line) <= MAX_EXAMPLE_CHARS else f"{line[: MAX_EXAMPLE_CHARS - 1]}…"
