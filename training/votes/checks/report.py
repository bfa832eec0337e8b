"""The result of the vote checks, read from the JSON lines that a `CheckSet` writes to its folder."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from training.votes.aggregation import Judgement
from training.votes.checks.approval import COUNTS, approval_by_version
from training.votes.checks.queries import QueryWords

JUDGEMENTS = "judgements.jsonl"
MAX_MARGIN_WEIGHT = 3.0  # a margin of nine votes weighs three times one vote; more adds little

JUDGEMENT: dict[str, Any] = {
    "query": pl.Utf8,
    "query_hash": pl.Utf8,
    "mask_index": pl.Int64,
    "word": pl.Utf8,
    "up": pl.Float64,
    "down": pl.Float64,
    "voters": pl.Int64,
    "weight": pl.Float64,
}
WRITTEN = {**JUDGEMENT, "signals": pl.Utf8}


@dataclass(frozen=True, slots=True)
class ChecksReport:
    """The result of the vote checks.

    Attributes:
        judgements: the aggregated votes on each word.
        votes: number of votes before any check.
        voters: number of people who cast them.
        rejected: reason → number of votes.
        edge_cases: signal → number of judgements.
        approval: one row per model version.
        drift: see `queries.word_drift`.
        limited_voters: new voters whose votes count for less, since together they would decide the run.
        reliability: voter id → probability that they agree with the consensus.
    """

    judgements: list[Judgement]
    votes: int = 0
    voters: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    edge_cases: dict[str, int] = field(default_factory=dict)
    approval: list[dict[str, Any]] = field(default_factory=list)
    drift: dict[str, Any] = field(default_factory=dict)
    limited_voters: int = 0
    reliability: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON for the run's report, without voters and without the judgements themselves."""
        names = ("votes", "voters", "rejected", "edge_cases", "approval", "drift", "limited_voters")
        return {name: getattr(self, name) for name in names} | {"judgements": len(self.judgements)}


@dataclass(slots=True)
class ResultCollector:
    """Adds up the results of the checks over the parts of the votes."""

    votes: int = 0
    voters: set[int] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    approval: list[dict[str, Any]] = field(default_factory=list)
    query_words: list[QueryWords] = field(default_factory=list)

    def add(self, voters: pl.Series, folder: Path, query_words: QueryWords) -> None:
        """Add a part.

        Args:
            voters: (votes,) ids.
            folder: the folder of a finished `CheckSet`.
            query_words: the words of the part's queries.
        """
        self.votes += len(voters)
        self.voters.update(voters.unique())
        self.rejected.update({row["flag"]: row["votes"] for row in _rows(folder / "rejected.jsonl")})
        self.approval += _rows(folder / "approval.jsonl")
        self.query_words.append(query_words)

    def report(
        self, folder: Path, *, reliability: dict[int, float], drift: dict[str, Any], limited_voters: int
    ) -> ChecksReport:
        """Return the total, with the judgements that were written to `folder`."""
        rows = _judgements(folder / JUDGEMENTS)
        names = rows["signals"].str.split("; ").explode().value_counts(sort=True)
        return ChecksReport(
            judgements=list(map(Judgement, *(rows[name] for name in JUDGEMENT))),
            votes=self.votes,
            voters=len(self.voters),
            rejected=dict(sorted(self.rejected.items())),
            edge_cases={name: count for name, count in sorted(names.iter_rows()) if name},
            approval=approval_by_version(pl.DataFrame(self.approval, schema=COUNTS)).to_dicts(),
            drift=drift,
            limited_voters=limited_voters,
            reliability=reliability,
        )


def _judgements(path: Path) -> pl.DataFrame:
    """Return the columns of a `Judgement`, and `signals`."""
    is_written = path.stat().st_size > 0  # polars raises on an empty file
    rows = pl.read_ndjson(path, schema=WRITTEN) if is_written else pl.DataFrame(schema=WRITTEN)
    margin_weight = (pl.col("up") - pl.col("down")).abs().sqrt().clip(upper_bound=MAX_MARGIN_WEIGHT)
    return rows.with_columns(pl.col("weight") * margin_weight)


def _rows(path: Path) -> list[dict[str, Any]]:
    """Read the JSON lines of a check; the file is empty if it had no rows."""
    lines = path.read_text().split("\n")  # not splitlines: words may contain U+2028
    return [json.loads(line) for line in lines if line.strip()]
