"""Votes from the database → quality flags → judgements → weights: a real `CheckSet` of our operators."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from storage.database import Database
from storage.feedback import votes_until
from training.judgements import judge
from training.uptrain_checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    Ready,
    Signal,
    TransformOp,
    register_op,
    run,
)
from training.uptrain_checks.report import ChecksReport, read_report

SCHEMA: dict[str, Any] = {
    "prediction_id": pl.Int64,
    "query": pl.Utf8,
    "query_hash": pl.Utf8,
    "mask_index": pl.Int64,
    "word": pl.Utf8,
    "voter_id": pl.Utf8,  # 64-bit ids do not survive a trip through JSON as numbers
    "via": pl.Utf8,
    "value": pl.Int64,
    "cast_at": pl.Datetime("us", "UTC"),
    "score": pl.Float64,
    "model_version": pl.Utf8,
}
ITEM = ["query_hash", "mask_index", "word"]
CONFIDENT, UNSURE = 0.30, 0.10  # scores of a bare model: sure of a word, unsure of it
EDGE_CASE_WEIGHT = 2.0  # an edge case teaches more than what the model already knew


@register_op
class LatestVote(Ready, TransformOp):
    """One vote a voter on (query, mask, word): a menu beats a reaction, then the latest counts."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Keep that vote."""
        chosen = data.with_columns((pl.col("via") != "reaction").alias("deliberate")).sort(
            ["deliberate", "cast_at"], maintain_order=True
        )
        kept = chosen.unique(subset=[*ITEM, "voter_id"], keep="last", maintain_order=True)
        return {"output": kept.drop("deliberate")}


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
    """Clean votes → one row a judgement, with its weight for and against."""

    min_voters: int = 2

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Judge."""
        clean = data.filter(pl.col("flag") == "").sort([*ITEM, "voter_id"])
        numbered = clean.with_columns(
            (pl.struct(ITEM).rle_id()).cast(pl.Int64).alias("item"),
            (pl.col("voter_id").rank("dense") - 1).cast(pl.Int64).alias("voter"),
        )
        consensus = judge(
            numbered["item"].to_numpy(), numbered["voter"].to_numpy(), numbered["value"].to_numpy()
        )
        items = numbered.group_by("item", maintain_order=True).agg(
            pl.col(["query", *ITEM]).first(), pl.col("score").mean(), pl.col("prediction_id").max()
        )
        items = items.with_columns(
            pl.Series("up", consensus.up, dtype=pl.Float64),
            pl.Series("down", consensus.down, dtype=pl.Float64),
            pl.Series("voters", consensus.voters, dtype=pl.Int64),
            pl.Series("judged", consensus.counts(min_voters=self.min_voters), dtype=pl.Boolean),
        )
        return {"output": items.filter(pl.col("judged")).drop("item", "judged", "prediction_id")}


@register_op
class EdgeCases(Ready, ColumnOp):
    """Which judgements are worth more in training, and why: UpTrain's edge cases over `Signal`s."""

    weight: float = EDGE_CASE_WEIGHT

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Name the signals that hold, and set the weight."""
        known = data.with_columns(
            pl.col("score").fill_null(0.0), (pl.col("up") - pl.col("down")).alias("net")
        )
        hits = [
            pl.when(pl.Series(signal.run(known), dtype=pl.Boolean)).then(pl.lit(name))
            for name, signal in edge_signals().items()
        ]
        signals = pl.concat_str(hits, separator="; ", ignore_nulls=True)  # of no judgements, too
        named = data.with_columns(signals.alias("signals"))
        weight = pl.when(pl.col("signals") != "").then(self.weight).otherwise(1.0)
        return {"output": named.with_columns(weight.alias("weight"))}


@register_op
class Approval(Ready, TransformOp):
    """Share of 👍 a model version, with its 95 % Wilson interval."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Count."""
        table = (
            data.filter(pl.col("flag") == "")
            .group_by("model_version")
            .agg(pl.len().alias("votes"), (pl.col("value") == 1).mean().alias("approval"))
            .sort("model_version")
        )
        p, n, z = pl.col("approval"), pl.col("votes"), 1.96
        middle = p + z * z / (2 * n)
        half = z * ((p * (1 - p) + z * z / (4 * n)) / n).sqrt()
        return {
            "output": table.with_columns(
                ((middle - half) / (1 + z * z / n)).round(4).alias("low"),
                ((middle + half) / (1 + z * z / n)).round(4).alias("high"),
                p.round(4),
            )
        }


def edge_signals() -> dict[str, Signal]:
    """Boolean formulae over the columns of the judgements."""
    return {
        "confident but rejected": (Signal("score") >= CONFIDENT) & (Signal("net") < 0),
        "unsure but liked": (Signal("score") < UNSURE) & (Signal("net") > 0),
    }


def run_checks(
    database_url: str, folder: Path, *, as_of: datetime, min_voters: int, denied: list[str]
) -> ChecksReport:
    """Run the `CheckSet` over the votes up to `as_of`. Blocking; `folder` is emptied first.

    Returns:
        Judgements with their weights, and what was rejected and why.
    """
    votes = read_votes(database_url, as_of)
    if not len(votes):  # UpTrain raises on an empty source
        return ChecksReport(judgements=[])
    checks = CheckSet(
        source=FrameSource.of(votes),
        preprocessors=[LatestVote(), QualityFlags(denied=[word.lower() for word in denied])],
        checks=[
            Check("rejected", [Flagged()]),
            Check("judgements", [Consensus(min_voters=min_voters), EdgeCases()]),
            Check("approval", [Approval()]),
        ],
    )
    run(checks, folder)
    return read_report(folder, votes=len(votes), voters=votes["voter_id"].n_unique())


def read_votes(database_url: str, as_of: datetime) -> pl.DataFrame:
    """The votes in the database up to a time, oldest first, with an explicit schema. Blocking."""
    rows = asyncio.run(_votes(database_url, as_of))
    columns = {name: [row[name] for row in rows] for name in SCHEMA}
    columns["voter_id"] = [str(voter_id) for voter_id in columns["voter_id"]]
    return pl.DataFrame(columns, schema=SCHEMA)


async def _votes(database_url: str, as_of: datetime) -> list[dict[str, Any]]:
    database = await Database.open(database_url)
    try:
        return await votes_until(database, as_of)
    finally:
        await database.close()
