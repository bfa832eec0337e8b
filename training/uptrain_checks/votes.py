"""Votes from the database → quality flags → judgements → weights: a real `CheckSet` of our operators."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import PrivateAttr

from storage.database import Database
from storage.feedback import votes_until
from training.judgements import HALF_LIFE_DAYS, judge, weights_by_age
from training.uptrain_checks.approval import Approval
from training.uptrain_checks.edge_cases import EdgeCases
from training.uptrain_checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    Ready,
    TransformOp,
    register_op,
    run,
)
from training.uptrain_checks.queries import Drift, Novelty
from training.uptrain_checks.report import ChecksReport, read_report

SCHEMA: dict[str, Any] = {
    "prediction_id": pl.Int64,
    "query": pl.Utf8,
    "query_hash": pl.Utf8,
    "mask_index": pl.Int64,
    "word": pl.Utf8,
    "voter_id": pl.Int64,  # never in a result: those go through JSON to a file
    "via": pl.Utf8,
    "value": pl.Int64,
    "cast_at": pl.Datetime("us", "UTC"),
    "score": pl.Float64,
    "adjusted": pl.Boolean,
    "model_version": pl.Utf8,
}
ITEM = ["query_hash", "mask_index", "word"]
MICROSECONDS_A_DAY = 86_400_000_000


@register_op
class LatestVote(Ready, TransformOp):
    """One vote a voter on (query, mask, word): a menu beats a reaction, then the latest counts.

    Attributes:
        per_version: Whether votes on the words of different model versions stand beside each other.
    """

    per_version: bool = False

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Keep that vote."""
        subset = [*ITEM, "voter_id", *(["model_version"] if self.per_version else [])]
        # The votes come oldest first, and the sort keeps that order among equals.
        chosen = data.sort(pl.col("via") != "reaction", maintain_order=True)
        return {"output": chosen.unique(subset=subset, keep="last", maintain_order=True)}


@register_op
class QualityFlags(Ready, ColumnOp):
    """The first failed rule of each vote in `flag`; empty where it is clean."""

    denied: list[str]
    max_chars: int = 2000

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Flag."""
        text, word = pl.col("query"), pl.col("word")
        rest = text.str.replace_all(r"\[MASK\]", "").str.count_matches(r"[\p{L}]{2,}")
        rules = [
            ("no mask", ~text.str.contains(r"\[MASK\]")),
            ("only masks", rest < 1),
            ("too long", text.str.len_chars() > self.max_chars),
            ("link or mention", text.str.contains(r"https?://|<[@#]")),
            ("personal data", text.str.contains(r"\[(?:email|phone|number|mention)\]")),
            ("not a word", ~word.str.contains(r"^[\p{L}]+(?:[-'’][\p{L}]+)*$")),
            ("denied word", word.str.to_lowercase().is_in(pl.Series(self.denied, dtype=pl.Utf8))),
            ("bad score", pl.col("score").is_not_null() & ~pl.col("score").is_between(0.0, 1.0)),
        ]
        flag = pl.lit("")
        for reason, failed in reversed(rules):
            flag = pl.when(failed).then(pl.lit(reason)).otherwise(flag)
        return {"output": data.with_columns(flag.alias("flag"))}


@register_op
class Flagged(Ready, TransformOp):
    """How many votes each quality flag rejected."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Count."""
        rejected = data.filter(pl.col("flag") != "").group_by("flag").agg(pl.len().alias("votes"))
        return {"output": rejected.sort("flag")}


@register_op
class Consensus(Ready, TransformOp):
    """Clean votes → one row a judgement, with its weight for and against.

    Attributes:
        as_of: The time to which the votes have aged.
        min_voters: Voters that a word needs to be judged.
        half_life_days: After so many days a vote weighs half.
    """

    as_of: datetime
    min_voters: int = 2
    half_life_days: float = HALF_LIFE_DAYS
    _reliability: dict[int, float] = PrivateAttr(default_factory=dict)

    @property
    def reliability(self) -> dict[int, float]:
        """Voter → reliability, of the last run; not among its results, which are written to a file."""
        return self._reliability

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Judge."""
        clean = data.filter(pl.col("flag") == "").sort([*ITEM, "voter_id"])
        numbered = clean.with_columns(
            (pl.struct(ITEM).rle_id()).cast(pl.Int64).alias("item"),
            (pl.col("voter_id").rank("dense") - 1).cast(pl.Int64).alias("voter"),
        )
        age_days = (self.as_of - pl.col("cast_at")).dt.total_microseconds() / MICROSECONDS_A_DAY
        consensus = judge(
            numbered["item"].to_numpy(),
            numbered["voter"].to_numpy(),
            numbered["value"].to_numpy(),
            age_weights=weights_by_age(
                numbered.select(age_days).to_series().to_numpy(), half_life_days=self.half_life_days
            ),
            min_voters=self.min_voters,
        )
        voters = clean["voter_id"].unique().sort()
        self._reliability = dict(zip(voters.to_list(), consensus.reliability.tolist(), strict=True))
        items = numbered.group_by("item", maintain_order=True).agg(
            pl.col(["query", *ITEM, "novelty"]).first(), pl.col("score").mean()
        )
        items = items.with_columns(
            pl.Series("up", consensus.up, dtype=pl.Float64),
            pl.Series("down", consensus.down, dtype=pl.Float64),
            pl.Series("voters", consensus.voters, dtype=pl.Int64),
            pl.Series("judged", consensus.judged, dtype=pl.Boolean),
        )
        return {"output": items.filter(pl.col("judged")).drop("item", "judged")}


def run_checks(
    database_url: str,
    folder: Path,
    *,
    as_of: datetime,
    min_voters: int,
    denied: list[str],
    half_life_days: float = HALF_LIFE_DAYS,
    previous_as_of: datetime | None = None,
) -> ChecksReport:
    """Run the `CheckSet` over the votes up to `as_of`. Blocking; `folder` is emptied first.

    Args:
        database_url: Where the votes are.
        folder: Where the results go.
        as_of: Later votes do not count, and those before have aged until then.
        min_voters: Voters that a word needs to be judged.
        denied: Words that no vote can bring up.
        half_life_days: After so many days a vote weighs half.
        previous_as_of: The `as_of` of the run before, which says what is new; None: there was none.

    Returns:
        Judgements with their weights, and what was rejected and why.
    """
    votes = read_votes(database_url, as_of)
    if not len(votes):  # UpTrain raises on an empty source
        return ChecksReport(judgements=[])
    as_of, previous_as_of = as_of.astimezone(UTC), previous_as_of and previous_as_of.astimezone(UTC)
    consensus = Consensus(as_of=as_of, min_voters=min_voters, half_life_days=half_life_days)
    flags = QualityFlags(denied=[word.lower() for word in denied])
    checks = CheckSet(
        source=FrameSource.of(votes, [flags, Novelty(previous_as_of=previous_as_of)]),
        checks=[
            Check("rejected", [Flagged()]),
            Check("judgements", [LatestVote(), consensus, EdgeCases()]),
            Check("approval", [LatestVote(per_version=True), Approval()]),
            Check("drift", [Drift(previous_as_of=previous_as_of, min_voters=min_voters)]),
        ],
    )
    run(checks, folder)
    return read_report(
        folder, votes=len(votes), voters=votes["voter_id"].n_unique(), reliability=consensus.reliability
    )


def read_votes(database_url: str, as_of: datetime) -> pl.DataFrame:
    """The votes in the database up to a time, oldest first, with an explicit schema. Blocking."""
    chunks = asyncio.run(_chunks(database_url, as_of))
    return pl.concat([pl.DataFrame(schema=SCHEMA), *chunks])


async def _chunks(database_url: str, as_of: datetime) -> list[pl.DataFrame]:
    database = await Database.open(database_url)
    try:
        return [
            pl.DataFrame({name: columns[name] for name in SCHEMA}, schema=SCHEMA)
            async for columns in votes_until(database, as_of)
        ]
    finally:
        await database.close()
