"""What the checks made of the votes, read from the JSON lines that a `CheckSet` leaves in its folder."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from training.votes.aggregation import Judgement
from training.votes.checks.approval import COUNTS, approval_by_version
from training.votes.checks.queries import Spoken

JUDGEMENTS = "judgements.jsonl"
MAX_FIRMNESS_WEIGHT = 3.0  # nine votes of average people weigh three times one: more say little that is new

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
    """What the checks made of the votes.

    Attributes:
        judgements: What the votes on each word add up to.
        votes: How many there were, before any check.
        voters: How many people cast them.
        rejected: Reason → votes.
        edge_cases: Signal → judgements.
        approval: One row a model version.
        drift: Queries `before` the previous run and `since`, how far their words are apart, and which grew.
        reliability: Voter → how likely they agree with the consensus, in [0, 1].
    """

    judgements: list[Judgement]
    votes: int = 0
    voters: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    edge_cases: dict[str, int] = field(default_factory=dict)
    approval: list[dict[str, Any]] = field(default_factory=list)
    drift: dict[str, Any] = field(default_factory=dict)
    reliability: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the run's report: no voter, and no judgement, which stand in the retraining set."""
        return {
            "votes": self.votes,
            "voters": self.voters,
            "judgements": len(self.judgements),
            "rejected": self.rejected,
            "edge_cases": self.edge_cases,
            "approval": self.approval,
            "drift": self.drift,
        }


class Found:
    """What the checks of each part of the votes found, added up."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._votes = 0
        self._voters = pl.Series(dtype=pl.Int64)
        self._rejected: Counter[str] = Counter()
        self._approval: list[dict[str, Any]] = []
        self.spoken: list[Spoken] = []

    def add(self, voters: pl.Series, folder: Path, spoken: Spoken) -> None:
        """A part: who voted, (votes,), the folder of a finished `CheckSet`, and what the queries speak of."""
        self._votes += len(voters)
        self._voters = pl.concat([self._voters, voters.unique()]).unique()
        self._rejected.update({row["flag"]: row["votes"] for row in _rows(folder / "rejected.jsonl")})
        self._approval += _rows(folder / "approval.jsonl")
        self.spoken.append(spoken)

    def report(self, folder: Path, *, reliability: dict[int, float], drift: dict[str, Any]) -> ChecksReport:
        """All of it, with the judgements that were written to `folder`."""
        rows = _judgements(folder / JUDGEMENTS)
        names = rows["signals"].str.split("; ").explode().value_counts(sort=True)
        return ChecksReport(
            judgements=list(map(Judgement, *(rows[name] for name in JUDGEMENT))),
            votes=self._votes,
            voters=len(self._voters),
            rejected=dict(sorted(self._rejected.items())),
            edge_cases={name: count for name, count in sorted(names.iter_rows()) if name},
            approval=approval_by_version(pl.DataFrame(self._approval, schema=COUNTS)).to_dicts(),
            drift=drift,
            reliability=reliability,
        )


def _judgements(path: Path) -> pl.DataFrame:
    """The columns of a `Judgement`, and `signals`."""
    written = path.stat().st_size > 0  # polars refuses an empty file
    rows = pl.read_ndjson(path, schema=WRITTEN) if written else pl.DataFrame(schema=WRITTEN)
    firmness = (pl.col("up") - pl.col("down")).abs().sqrt().clip(upper_bound=MAX_FIRMNESS_WEIGHT)
    return rows.with_columns(pl.col("weight") * firmness)


def _rows(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a check; none where it had nothing to write."""
    lines = path.read_text().split("\n")  # not splitlines: words may hold U+2028
    return [json.loads(line) for line in lines if line.strip()]
