"""What the checks made of the votes, read from the JSON lines that a `CheckSet` leaves in its folder."""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.judgements import Judgement

MAX_FIRMNESS_WEIGHT = 3.0  # nine votes of average people weigh three times one: more say little that is new


@dataclass(frozen=True, slots=True)
class ChecksReport:
    """What the checks made of the votes."""

    judgements: list[Judgement]
    votes: int = 0
    voters: int = 0
    rejected: dict[str, int] = field(default_factory=dict)  # reason → votes
    edge_cases: dict[str, int] = field(default_factory=dict)  # signal → judgements
    approval: list[dict[str, Any]] = field(default_factory=list)  # one row a model version

    def to_json(self) -> dict[str, Any]:
        """For the run's report; the judgements themselves stand in the retraining set."""
        return {
            "votes": self.votes,
            "voters": self.voters,
            "judgements": len(self.judgements),
            "rejected": self.rejected,
            "edge_cases": self.edge_cases,
            "approval": self.approval,
        }


def read_report(folder: Path, *, votes: int, voters: int) -> ChecksReport:
    """The report on a finished `CheckSet`; `votes` and `voters` are those before any check."""
    rows = _rows(folder / "judgements.jsonl")
    return ChecksReport(
        judgements=[_judgement(row) for row in rows],
        votes=votes,
        voters=voters,
        rejected={row["flag"]: row["votes"] for row in _rows(folder / "rejected.jsonl")},
        edge_cases=dict(Counter(name for row in rows for name in row["signals"].split("; ") if name)),
        approval=_rows(folder / "approval.jsonl"),
    )


def _judgement(row: dict[str, Any]) -> Judgement:
    firmness = min(math.sqrt(abs(row["up"] - row["down"])), MAX_FIRMNESS_WEIGHT)
    return Judgement(
        query=row["query"],
        query_hash=row["query_hash"],
        mask_index=row["mask_index"],
        word=row["word"],
        up=row["up"],
        down=row["down"],
        voters=row["voters"],
        weight=row["weight"] * firmness,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a check; none where it had nothing to write."""
    lines = path.read_text().split("\n") if path.exists() else []  # not splitlines: words may hold U+2028
    return [json.loads(line) for line in lines if line.strip()]
