"""Novelty of queries and drift of their words, from votes in memory."""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from support.ballots import hash_of, minutes

from training.votes.checks import queries
from training.votes.checks.queries import CountQueryWords, Novelty, QueryWords
from training.votes.checks.votes import SCHEMA

RUN = minutes(5)
Cast = tuple[str, float, int]  # query, minute, voter


def votes(*cast: Cast, flag: str = "") -> pl.DataFrame:
    columns = {
        "query": [query for query, _, _ in cast],
        "query_hash": [hash_of(query) for query, _, _ in cast],
        "cast_at": [minutes(minute) for _, minute, _ in cast],
        "voter_id": [voter for _, _, voter in cast],
    }
    frame = pl.DataFrame(columns, schema={name: SCHEMA[name] for name in columns})
    return frame.with_columns(pl.lit(flag).alias("flag"))


def spoken(frame: pl.DataFrame, previous: datetime | None, *, min_voters: int = 1) -> QueryWords:
    """Of all votes, put together from one part for each query."""
    parts = []
    for one in frame.partition_by("query_hash"):
        operator = CountQueryWords(previous_as_of=previous, min_voters=min_voters)
        operator.run(one)
        parts.append(operator.query_words)
    return QueryWords.merged(parts)


def novelty(frame: pl.DataFrame, *, previous: datetime | None = RUN) -> list[float]:
    clean = frame.filter(pl.col("flag") == "")
    return list(Novelty.of(spoken(frame, previous).seen).run(clean)["output"]["novelty"])


def word_drift(
    frame: pl.DataFrame, *, previous: datetime | None = RUN, min_voters: int = 1
) -> dict[str, Any]:
    return queries.word_drift(spoken(frame, previous, min_voters=min_voters), min_voters=min_voters)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Nike shoes are very [MASK].", 0.0),  # asked before
        ("The boots feel [MASK].", 0.0),  # all words were there before
        ("Adidas boots are [MASK]!", 0.0),  # a brand is no new kind
        ("The SHOES’ soles are [MASK].", 0.5),  # soles
        ("My shoe's sole [MASK].", 1.0),  # shoe and sole
        ("Refunds take [MASK] days.", 1.0),
        ("It is [MASK].", 0.0),  # says nothing
    ],
)
def test_novelty_is_the_share_of_words_not_seen_before(query: str, expected: float) -> None:
    before = [("Nike shoes are very [MASK].", 0.0, 1), ("My boots feel [MASK].", 5.0, 1)]
    assert novelty(votes(*before, (query, 6.0, 2)))[-1] == expected


def test_a_query_is_as_old_as_its_first_vote() -> None:
    frame = votes(
        ("Refunds are [MASK].", 9.0, 1), ("Boots are [MASK].", 1.0, 1), ("Refunds are [MASK].", 2.0, 2)
    )
    assert novelty(frame) == [0.0, 0.0, 0.0]


def test_no_query_is_new_on_the_first_run() -> None:
    frame = votes(("Refunds are [MASK].", 9.0, 1))
    assert novelty(frame, previous=None) == [0.0]
    assert novelty(frame) == [0.0]


def test_words_of_rejected_votes_stay_new() -> None:
    rejected = votes(("Refunds are [MASK].", 0.0, 1), flag="denied word")
    clean = votes(("Boots are [MASK].", 0.0, 1), ("Refunds were [MASK].", 9.0, 1))
    assert novelty(pl.concat([rejected, clean])) == [0.0, 1.0]


def test_drift_by_hand() -> None:
    frame = votes(
        *(("Boots are [MASK].", 0.0, 1), ("Shoes are [MASK].", 1.0, 1)),
        *(("Boots are [MASK].", 6.0, 1), ("Boots are [MASK].", 6.0, 2), ("Refunds are [MASK].", 7.0, 1)),
    )
    # Before: boots ½, shoes ½. Since: boots ½ (once, however often), refunds ½. The middle: ½, ¼, ¼.
    # Each is ½ · log2(1) + ½ · log2(2) = ½ from it. By chance: (3 − 1) / 8 · (1/2 + 1/2) nats = 0.3607 bits.
    assert word_drift(frame) == {
        "before": 2,
        "since": 2,
        "divergence": 0.5,
        "by_chance": 0.3607,
        "grew": [{"word": "refunds", "before": 0.0, "since": 0.5}],
    }


@pytest.mark.parametrize(("since", "expected"), [("Boots are [MASK].", 0.0), ("The refund was [MASK].", 1.0)])
def test_no_drift_and_all_of_it(since: str, expected: float) -> None:
    assert word_drift(votes(("Boots are [MASK].", 0.0, 1), (since, 6.0, 1)))["divergence"] == expected


@pytest.mark.parametrize("previous", [None, minutes(-1), minutes(10)])
def test_there_is_no_drift_without_two_periods(previous: datetime | None) -> None:
    drift = word_drift(votes(("Boots are [MASK].", 0.0, 1)), previous=previous)
    assert (drift["divergence"], drift["by_chance"], drift["grew"]) == (None, None, [])
    assert drift["before"] + drift["since"] == 1


def test_no_clean_vote_is_no_drift() -> None:
    assert word_drift(votes(("Boots are [MASK].", 0.0, 1), flag="too long"))["divergence"] is None


def test_the_words_that_grew_most_come_first_without_words_of_one_person() -> None:
    since: Sequence[Cast] = [
        *(("Refunds take [MASK] days.", 6.0, voter) for voter in (1, 2)),
        *(("Refunds are [MASK].", 6.0, voter) for voter in (1, 2)),
        ("My secret diet is [MASK].", 6.0, 3),
        ("Another secret is [MASK].", 7.0, 3),
    ]
    drift = word_drift(votes(("Boots are [MASK].", 0.0, 1), *since), min_voters=2)
    assert [row["word"] for row in drift["grew"]] == ["refunds", "days", "take"]


def test_samples_of_one_language_are_apart_by_chance() -> None:
    chance = random.Random(0)
    words = [f"{a}o{b}" for a in "bcdfghklmp" for b in "bcdfghklmp"]
    cast = [
        (f"{chance.choice(words)} {chance.choice(words)} [MASK].", nth % 2 * 9.0, 1) for nth in range(400)
    ]
    drift = word_drift(votes(*cast))
    assert drift["divergence"] == pytest.approx(drift["by_chance"], rel=0.25)
