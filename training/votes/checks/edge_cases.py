"""Which judgements are worth more in training than others, and why: UpTrain's edge cases over `Signal`s."""

from typing import Any

import polars as pl

from training.votes.checks.framework import ColumnOp, Ready, Signal, register_op

CONFIDENT, UNSURE = 0.30, 0.10  # scores of a bare model: sure of a word, unsure of it
NEW_KIND = 0.5  # of a query's words were in no query before
CONTESTED = 0.3  # of a word's weight is on the lesser side: two against one, not three against one
EDGE_CASE_WEIGHT = 2.0  # an edge case teaches more than what the model already knew
CONTESTED_WEIGHT = 0.5  # and what people disagree on less, whatever else it is
CONTESTED_NAME = "contested"


@register_op
class EdgeCases(Ready, ColumnOp):
    """Which signals hold for each judgement, in `signals`, and the `weight` they give it."""

    weight: float = EDGE_CASE_WEIGHT
    contested_weight: float = CONTESTED_WEIGHT

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Name the signals that hold, and set the weight."""
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
        signals = pl.concat_str(names, separator="; ", ignore_nulls=True)  # of no judgements, too
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
    """Boolean formulae over the columns of the judgements."""
    return {
        "confident but rejected": (Signal("score") >= CONFIDENT) & (Signal("net") < 0),
        "unsure but liked": (Signal("score") < UNSURE) & (Signal("net") > 0),
        "new kind of query": Signal("novelty") >= NEW_KIND,
        CONTESTED_NAME: Signal("dissent") >= CONTESTED,
    }
