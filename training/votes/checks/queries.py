"""The words of the queries: how new a query is, and how the words drift between runs. All in polars."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import polars as pl
from pydantic import PrivateAttr

from training.corpus.language import grammar
from training.votes.checks.framework import ColumnOp, NoSetup, TransformOp, register_op
from training.votes.checks.speech import load_signal_words

WORD = r"\p{L}[\p{L}\p{M}'’-]*"
GROWN_WORDS = 5  # named in the drift


@dataclass(frozen=True, slots=True)
class QueryWords:
    """Word counts of queries before and since the previous run; a query counts once per period.

    Attributes:
        words: `word`, and the number of queries that contain it in either period, in `before` and `since`.
        askers: `word` and `voter_id` of up to `min_voters` people who voted since then on queries with it.
        before, since: number of queries.
    """

    words: pl.DataFrame
    askers: pl.DataFrame
    before: int
    since: int

    @property
    def seen(self) -> pl.Series:
        """Words of queries voted on before, without brands: another brand does not make a query new."""
        is_new = (pl.col("before") > 0) & ~pl.col("word").is_in(_series(load_signal_words().brands))
        return self.words.filter(is_new)["word"]

    @classmethod
    def merged(cls, parts: "Sequence[QueryWords]") -> "QueryWords":
        """Add up parts that have no query in common."""
        words = pl.concat([part.words for part in parts]).group_by("word", maintain_order=True)
        return cls(
            words.agg(pl.col("before", "since").sum()),
            pl.concat([part.askers for part in parts]).unique(maintain_order=True),
            sum(part.before for part in parts),
            sum(part.since for part in parts),
        )


@register_op
class CountQueryWords(NoSetup, TransformOp):
    """Counts the words of the queries of clean votes.

    Attributes:
        previous_as_of: the `as_of` of the previous run, or None.
        min_voters: people who must have voted on queries with a word before it is named.
    """

    previous_as_of: datetime | None = None
    min_voters: int = 2
    _query_words: QueryWords = PrivateAttr()

    @property
    def query_words(self) -> QueryWords:
        """The counts of the last run. Not a result: UpTrain writes those out, and these name voters."""
        return self._query_words

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Keep the counts as a property, and return the numbers of queries."""
        is_before = _is_before(self.previous_as_of)
        clean = data.filter(pl.col("flag") == "")
        queries = clean.group_by("query_hash", maintain_order=True).agg(
            pl.col("query").first(), is_before.any().alias("before"), (~is_before).any().alias("since")
        )
        words = _words(queries).group_by("word", maintain_order=True)
        counted = words.agg(pl.col("before", "since").cast(pl.Int64).sum())
        asked = clean.filter(~is_before).select("query_hash", "voter_id").unique(maintain_order=True)
        uses = _words(queries.filter(pl.col("since")).select("query_hash", "query"))
        pairs = asked.join(uses, on="query_hash").select("word", "voter_id").unique(maintain_order=True)
        askers = pairs.group_by("word", maintain_order=True).head(self.min_voters)
        periods = {period: int(queries[period].sum() or 0) for period in ("before", "since")}
        self._query_words = QueryWords(counted, askers, **periods)
        return {"output": pl.DataFrame([periods])}


@register_op
class Novelty(NoSetup, ColumnOp):
    """Adds `novelty`: the share of a query's words that no query voted on before the previous run contains.

    Stop words and brands do not count. 0 on the first run, which has nothing to compare with.
    """

    _seen: pl.Series = PrivateAttr()

    @classmethod
    def of(cls, seen: pl.Series) -> Self:
        """Compare with the words of earlier queries."""
        novelty = cls()
        novelty._seen = seen
        return novelty

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the column."""
        if not len(self._seen):
            return {"output": data.with_columns(pl.lit(0.0).alias("novelty"))}
        queries = data.group_by("query_hash").agg(pl.col("query").first())
        words = _words(queries).filter(~pl.col("word").is_in(_series(load_signal_words().brands)))
        is_new = ~pl.col("word").is_in(self._seen)
        novelty = words.group_by("query_hash").agg(is_new.mean().alias("novelty"))
        known = data.join(novelty, on="query_hash", how="left", coalesce=True)
        return {"output": known.with_columns(pl.col("novelty").fill_null(0.0))}


def word_drift(query_words: QueryWords, *, min_voters: int) -> dict[str, Any]:
    """Compare the words of the queries since the previous run with those before.

    `divergence` is the Jensen–Shannon divergence in bits: 0 if both periods use the same words equally often,
    1 if they have none in common, None if a period is empty. Small samples of the same distribution differ,
    too: `by_chance` is the divergence to expect, to first order. `grew` names the words whose share grew
    most, but only words from queries that at least `min_voters` people voted on, so that no one person's
    words are shown.
    """
    shares = query_words.words.with_columns(pl.col("before", "since") / pl.col("before", "since").sum())
    row: dict[str, Any] = {"before": query_words.before, "since": query_words.since}
    before, since = (int(query_words.words[name].sum() or 0) for name in ("before", "since"))
    row |= {"divergence": None, "by_chance": None, "grew": []}
    if before and since:
        row["divergence"] = round(_divergence(shares), 4)
        row["by_chance"] = round(_divergence_by_chance(len(shares), before, since), 4)
        row["grew"] = _grown(shares, query_words.askers, min_voters)
    return row


def _grown(shares: pl.DataFrame, askers: pl.DataFrame, min_voters: int) -> list[dict[str, Any]]:
    growth = pl.col("since") - pl.col("before")
    voters = askers.group_by("word").agg(pl.col("voter_id").n_unique().alias("voters"))
    named = shares.filter(growth > 0).join(voters, on="word").filter(pl.col("voters") >= min_voters)
    named = named.sort(growth, "word", descending=[True, False]).head(GROWN_WORDS)
    return named.select("word", pl.col("before", "since").round(4)).to_dicts()


def _words(queries: pl.DataFrame) -> pl.DataFrame:
    """One row per query and distinct word, in `word`: lower case, without stop words."""
    plain = pl.col("query").str.to_lowercase().str.replace_all(r"\[\w+\]", " ").str.replace_all("’", "'")
    words = queries.with_columns(plain.str.extract_all(WORD).alias("word")).drop("query").explode("word")
    words = words.with_columns(pl.col("word").str.replace("(?:'s|['-])$", ""))
    return (
        words.filter(~pl.col("word").is_in(_series(grammar().query_stop_words)))
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
    """Return the expected divergence, in bits, of two samples of the same distribution over `words` words."""
    nats = (words - 1) / 8 * (1 / before + 1 / since)
    return float(min(nats / math.log(2), 1.0))
