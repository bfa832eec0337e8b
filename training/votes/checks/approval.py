"""The approval of each model version: the share of 👍 among the votes on its predictions."""

from typing import Any

import polars as pl

from training.votes.checks.framework import NoSetup, TransformOp, register_op

Z = 1.96  # of a 95 % interval
COUNTS: dict[str, Any] = {"model_version": pl.Utf8, "votes": pl.Int64, "liked": pl.Int64}


@register_op
class ApprovalCounts(NoSetup, TransformOp):
    """Counts the votes on each model version, and those of them that are 👍.

    Votes on an adjusted reply or on a suggested word say nothing about the model alone, and do not count.
    """

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Return one row per model version, with the columns of `COUNTS`."""
        offered = (pl.col("flag") == "") & ~pl.col("adjusted") & (pl.col("via") != "suggestion")
        counts = data.filter(offered).group_by("model_version")
        return {"output": counts.agg(pl.len().alias("votes"), (pl.col("value") == 1).sum().alias("liked"))}


def approval_by_version(counts: pl.DataFrame) -> pl.DataFrame:
    """Share of 👍 of each model version, with its 95 % Wilson interval.

    Args:
        counts: the columns of `COUNTS`; a version may have several rows.
    """
    table = (
        counts.group_by("model_version")
        .agg(pl.col("votes", "liked").sum())
        .select("model_version", "votes", (pl.col("liked") / pl.col("votes")).alias("approval"))
        .sort("model_version")
    )
    p, n = pl.col("approval"), pl.col("votes")
    middle = p + Z * Z / (2 * n)
    half = Z * ((p * (1 - p) + Z * Z / (4 * n)) / n).sqrt()
    return table.with_columns(
        ((middle - half) / (1 + Z * Z / n)).round(4).alias("low"),
        ((middle + half) / (1 + Z * Z / n)).round(4).alias("high"),
        p.round(4),
    )
