"""How many people approve of what each model version offers."""

from typing import Any

import polars as pl

from training.uptrain_checks.framework import Ready, TransformOp, register_op

Z = 1.96  # of a 95 % interval


@register_op
class Approval(Ready, TransformOp):
    """Share of 👍 a model version, with its 95 % Wilson interval.

    Votes on an adjusted reply say nothing of the bare model, nor do those on a word that it did not offer.
    """

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Count."""
        offered = (pl.col("flag") == "") & ~pl.col("adjusted") & (pl.col("via") != "suggestion")
        table = (
            data.filter(offered)
            .group_by("model_version")
            .agg(pl.len().alias("votes"), (pl.col("value") == 1).mean().alias("approval"))
            .sort("model_version")
        )
        p, n = pl.col("approval"), pl.col("votes")
        middle = p + Z * Z / (2 * n)
        half = Z * ((p * (1 - p) + Z * Z / (4 * n)) / n).sqrt()
        return {
            "output": table.with_columns(
                ((middle - half) / (1 + Z * Z / n)).round(4).alias("low"),
                ((middle + half) / (1 + Z * Z / n)).round(4).alias("high"),
                p.round(4),
            )
        }
