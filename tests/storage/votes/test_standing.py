"""Which vote stands: the same one in SQL, in Python and in polars."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete, insert, select
from support.ballots import NOON, QUERY, hash_of, minutes

from storage.schema import metadata, predictions, votes
from storage.votes.predictions import StoredVote
from storage.votes.standing import Via, standing_rank, standing_votes
from training.votes.checks.votes import SCHEMA, LatestVote

PREDICTIONS = (1, 2, 3)
VOTER = 7
cast = st.builds(
    StoredVote,
    prediction_id=st.sampled_from(PREDICTIONS),
    mask_index=st.integers(0, 1),
    word=st.sampled_from(("cheap", "soft")),
    voter_id=st.integers(VOTER, VOTER + 1),
    via=st.sampled_from(get_args(Via)),
    value=st.sampled_from((1, -1)),
    cast_at=st.integers(0, 2).map(minutes),  # few, for ties
)
many = st.lists(
    cast, max_size=30, unique_by=lambda v: (v.prediction_id, v.mask_index, v.word, v.voter_id, v.via)
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    row = {"channel_id": 2, "query": QUERY, "query_hash": hash_of(QUERY), "model_version": "v0001"}
    with engine.begin() as connection:
        metadata.create_all(connection)
        rows = [{"id": i, "latency_ms": 1.0, "created_at": NOON, **row} for i in PREDICTIONS]
        connection.execute(insert(predictions), rows)
    yield engine
    engine.dispose()


def in_sql(engine: Engine, cast: Sequence[StoredVote]) -> set[StoredVote]:
    with engine.begin() as connection:
        connection.execute(delete(votes))
        if cast:
            connection.execute(insert(votes), [asdict(vote) for vote in cast])
        ranked = (
            select(votes, standing_rank(predictions.c.query_hash).label("rank"))
            .join(predictions, predictions.c.id == votes.c.prediction_id)
            .subquery()
        )
        columns = [ranked.c[column.name] for column in votes.columns]
        found = connection.execute(select(*columns).where(ranked.c.rank == 1)).all()
    return {StoredVote(**row._mapping) for row in found}


def in_polars(cast: Sequence[StoredVote]) -> set[StoredVote]:
    if not cast:
        return set()
    frame = pl.DataFrame([asdict(vote) for vote in cast], schema_overrides={"cast_at": SCHEMA["cast_at"]})
    kept = LatestVote().run(frame.with_columns(query_hash=pl.lit(hash_of(QUERY))))["output"]
    return {StoredVote(**row) for row in kept.drop("query_hash").iter_rows(named=True)}


@given(many)
def test_sql_python_and_polars_agree_on_which_votes_stand(engine: Engine, cast: list[StoredVote]) -> None:
    standing = set(standing_votes(cast))
    assert standing == in_sql(engine, cast)
    assert standing == in_polars(cast)


@given(many.flatmap(lambda cast: st.tuples(st.just(cast), st.permutations(cast))))
def test_the_order_of_the_votes_does_not_matter(orders: tuple[list[StoredVote], list[StoredVote]]) -> None:
    cast, shuffled = orders
    assert set(standing_votes(cast)) == set(standing_votes(shuffled))


@pytest.mark.parametrize(
    ("stands", "does_not"),
    [
        pytest.param((1, "menu", 0), (2, "reaction", 5), id="a menu before a later reaction"),
        pytest.param((1, "suggestion", 0), (2, "reaction", 5), id="a suggestion before a later reaction"),
        pytest.param((1, "reaction", 5), (2, "reaction", 0), id="the later reaction"),
        pytest.param((1, "menu", 5), (2, "suggestion", 0), id="the later one of a menu and a suggestion"),
        pytest.param((2, "reaction", 0), (1, "reaction", 0), id="at one moment, the newer prediction"),
        pytest.param((1, "suggestion", 0), (1, "menu", 0), id="at one moment, a suggestion before a menu"),
    ],
)
def test_one_vote_of_a_voter_on_a_word_stands(
    stands: tuple[int, Via, int], does_not: tuple[int, Via, int]
) -> None:
    first, second = (
        StoredVote(prediction, 0, "cheap", VOTER, via, 1, minutes(at))
        for prediction, via, at in (stands, does_not)
    )
    assert standing_votes([first, second]) == standing_votes([second, first]) == [first]
