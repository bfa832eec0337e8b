"""The weight of judgements in training: UpTrain's edge cases, as formulae of `Signal`s."""

from typing import Any

import polars as pl

from training.votes.checks.framework import ColumnOp, NoSetup, Signal, register_op

CONFIDENT, UNSURE = 0.30, 0.10  # scores of the model without vote adjustment
NEW_KIND = 0.5  # share of a query's words that were in no query before
CONTESTED = 0.3  # share of the weight on the lesser side: 2 to 1 is contested, 3 to 1 is not
EDGE_CASE_WEIGHT = 2.0  # an edge case teaches more than what the model already knows
CONTESTED_WEIGHT = 0.5  # takes precedence: what people disagree on teaches less, even if it is an edge case
CONTESTED_NAME = "contested"


@register_op
class EdgeCaseWeights(NoSetup, ColumnOp):
    """Adds `signals`, the names of the signals that hold for each judgement, and `weight`."""

    weight: float = EDGE_CASE_WEIGHT
    contested_weight: float = CONTESTED_WEIGHT

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the columns to the judgements."""
        up, down = pl.col("up"), pl.col("down")
        known = data.with_columns(
            pl.col("score").fill_null(0.0),
            (up - down).alias("net"),
            (pl.min_horizontal(up, down) / (up + down)).alias("dissent"),
        )
        holds = {
            name: pl.Series(signal.run(known), dtype=pl.Boolean) for name, signal in edge_signals().items()
        }
        names = [pl.when(hit).then(pl.lit(name)) for name, hit in holds.items()]
        signals = pl.concat_str(names, separator="; ", ignore_nulls=True)  # "" where no signal holds
        weight = (
            pl.when(holds[CONTESTED_NAME])
            .then(self.contested_weight)
            .when(pl.col("signals") != "")
            .then(self.weight)
            .otherwise(1.0)
        )
        named = known.drop("dissent").with_columns(signals.alias("signals"))
        return {"output": named.with_columns(weight.alias("weight"))}


def edge_signals() -> dict[str, Signal]:
    """Name → boolean formula over the columns of the judgements."""
    return {
        "confident but rejected": (Signal("score") >= CONFIDENT) & (Signal("net") < 0),
        "unsure but liked": (Signal("score") < UNSURE) & (Signal("net") > 0),
        "new kind of query": Signal("novelty") >= NEW_KIND,
        CONTESTED_NAME: Signal("dissent") >= CONTESTED,
    }
