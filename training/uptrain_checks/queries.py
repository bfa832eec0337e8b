"""What the queries speak of: new kinds of them, and how their words drift from night to night. All polars."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl

from training.uptrain_checks.framework import ColumnOp, Ready, TransformOp, register_op
from training.uptrain_checks.speech import load_words

WORD = r"\p{L}[\p{L}\p{M}'’-]*"
STOP_WORDS = """
    a an the this that these those and or but so if as at by for from in into of off on out over to
    under with without than then i me my we us our you your he him his she her it its they them their
    who which what when where why how am is are was were be been being do does did done have has had
    will would can could should may might must not no never very really quite rather too also just only
    even still ever always most more much many some any all every both each one two here there about
    after before again"""
GROWN_WORDS = 5  # how many words the drift names


@register_op
class Novelty(Ready, ColumnOp):
    """How unlike the queries before the previous run each vote's query is, in [0, 1], in `novelty`.

    It is the share of the query's words that no query voted on before then has; stop words and brands aside,
    as another brand makes no new kind of query. 0 on the first run, when there is nothing to compare with.

    Attributes:
        previous_as_of: The time the previous run saw the votes of; None: there was none.
    """

    previous_as_of: datetime | None = None

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Compare."""
        clean = data.filter(pl.col("flag") == "")
        queries = clean.group_by("query_hash").agg(pl.col("query").first(), pl.col("cast_at").min())
        words = _words(queries).filter(~pl.col("word").is_in(_series(load_words().brands)))
        seen = words.filter(_is_before(self.previous_as_of))["word"].unique()
        if not len(seen):
            return {"output": data.with_columns(pl.lit(0.0).alias("novelty"))}
        novelty = words.group_by("query_hash").agg((~pl.col("word").is_in(seen)).mean().alias("novelty"))
        known = data.join(novelty, on="query_hash", how="left", coalesce=True)
        return {"output": known.with_columns(pl.col("novelty").fill_null(0.0))}


@register_op
class Drift(Ready, TransformOp):
    """How far the words of the queries since the previous run are from those before, in one row.

    Every query counts once a period, however often it was asked. `divergence` is Jensen and Shannon's, in
    bits: 0 where both periods say the same words equally often, 1 where they have none in common. Small
    samples of one and the same language are apart, too: `by_chance` is how far, to first order. `grew` names
    the words whose share grew most, of those in queries that at least `min_voters` people voted on: one
    person's words stay unsaid.

    Attributes:
        previous_as_of: The time the previous run saw the votes of; None: there was none, and so no drift.
    """

    previous_as_of: datetime | None = None
    min_voters: int = 2

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Compare."""
        is_before = _is_before(self.previous_as_of)
        clean = data.filter(pl.col("flag") == "")
        queries = clean.group_by("query_hash").agg(
            pl.col("query").first(), is_before.any().alias("before"), (~is_before).any().alias("since")
        )
        words = _words(queries).group_by("word").agg(pl.col("before", "since").sum())
        shares = words.with_columns(pl.col("before", "since") / pl.col("before", "since").sum())
        row: dict[str, Any] = {name: int(queries[name].sum()) for name in ("before", "since")}
        before, since = (int(words[name].sum() or 0) for name in ("before", "since"))
        row |= {"divergence": None, "by_chance": None, "grew": []}
        if before and since:
            row["divergence"] = round(_divergence(shares), 4)
            row["by_chance"] = round(_divergence_by_chance(len(words), before, since), 4)
            row["grew"] = self._grown(shares, clean.filter(~is_before))
        return {"output": pl.DataFrame([row])}

    def _grown(self, shares: pl.DataFrame, votes: pl.DataFrame) -> list[dict[str, Any]]:
        growth = pl.col("since") - pl.col("before")
        grown = shares.filter(growth > 0).sort(growth, "word", descending=[True, False])
        asked = votes.group_by("query_hash").agg(pl.col("query").first())
        uses = _words(asked).filter(pl.col("word").is_in(grown["word"].head(10 * GROWN_WORDS)))
        people = votes.select("query_hash", "voter_id").unique().join(uses, on="query_hash")
        voters = people.group_by("word").agg(pl.col("voter_id").n_unique().alias("voters"))
        named = grown.join(voters, on="word").filter(pl.col("voters") >= self.min_voters)
        named = named.sort(growth, "word", descending=[True, False]).head(GROWN_WORDS)
        return named.select("word", pl.col("before", "since").round(4)).to_dicts()


def _words(queries: pl.DataFrame) -> pl.DataFrame:
    """The words of each query below each other in `word`, in lower case, each once, without stop words."""
    plain = pl.col("query").str.to_lowercase().str.replace_all(r"\[\w+\]", " ").str.replace_all("’", "'")
    words = queries.with_columns(plain.str.extract_all(WORD).alias("word")).drop("query").explode("word")
    words = words.with_columns(pl.col("word").str.replace("(?:'s|['-])$", ""))
    return (
        words.filter(~pl.col("word").is_in(_series(STOP_WORDS.split())))
        .drop_nulls("word")
        .unique(maintain_order=True)
    )


def _series(words: Iterable[str]) -> pl.Series:
    return pl.Series(sorted(words), dtype=pl.Utf8)


def _is_before(previous_as_of: datetime | None) -> pl.Expr:
    if previous_as_of is None:
        return pl.lit(value=False)
    return pl.col("cast_at") <= previous_as_of


def _divergence(shares: pl.DataFrame) -> float:
    middle = (pl.col("before") + pl.col("since")) / 2
    bits = [
        pl.when(pl.col(name) > 0).then(pl.col(name) * (pl.col(name) / middle).log(2)).otherwise(0.0).sum() / 2
        for name in ("before", "since")
    ]
    return float(shares.select(bits[0] + bits[1]).item())


def _divergence_by_chance(words: int, before: int, since: int) -> float:
    """What is to be expected of two samples of so many words from one distribution over `words` words."""
    nats = (words - 1) / 8 * (1 / before + 1 / since)
    return float(min(nats / math.log(2), 1.0))
