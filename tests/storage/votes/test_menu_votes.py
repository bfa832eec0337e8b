"""Votes from menus and suggestions: which choices replace earlier ones, and which votes stand."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import delete, select
from support.ballots import NOON, ask, minutes, opt_out

from storage.database import Database
from storage.errors import PredictionGoneError
from storage.schema import people, predictions, votes
from storage.votes.menu_votes import (
    SEEN_FOR,
    Standing,
    count_reasons,
    give_reason,
    ratable,
    store_choices,
    suggest_words,
    withdraw_choices,
)
from storage.votes.predictions import NewPrediction, StoredCandidate, attach_messages, record_predictions
from storage.votes.reactions import ThumbAdded, apply_thumbs

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BEN, CLEO = 7, 8


@pytest_asyncio.fixture
async def prediction(database: Database) -> int:
    """A prediction of two masks, replied as message 50 in channel 20."""
    words = ((0, "soft"), (0, "light"), (1, "good"), (1, "soft"))
    offered = tuple(StoredCandidate(m, rank % 2, word, 0.1) for rank, (m, word) in enumerate(words))
    new = NewPrediction(10, 20, BEN, "[MASK] and [MASK].", "h", "v0001", 1.0, T0, offered)
    (prediction_id,) = await record_predictions(database, [new])
    await attach_messages(database, {prediction_id: 50})
    return prediction_id


async def test_the_words_offered_come_before_those_suggested(database: Database, prediction: int) -> None:
    await suggest_words(database, prediction, voter_id=BEN, words=[(1, "airy"), (0, "light")], cast_at=T0)
    found = await ratable(database, prediction)
    assert found is not None
    assert (found.channel_id, found.message_id) == (20, 50)
    assert found.words == ((0, "soft"), (0, "light"), (1, "good"), (1, "soft"), (1, "airy"))


async def test_there_is_nothing_to_rate_without_a_prediction(database: Database) -> None:
    assert await ratable(database, 99) is None


async def test_a_choice_replaces_the_one_before_of_that_person_and_sign(
    database: Database, prediction: int
) -> None:
    async def choose(voter_id: int, value: int, *words: tuple[int, str]) -> Standing:
        return await store_choices(
            database, prediction, voter_id=voter_id, value=1 if value > 0 else -1, words=words, cast_at=T0
        )

    await choose(CLEO, 1, (0, "light"))
    await choose(BEN, 1, (0, "soft"), (1, "good"))
    await choose(BEN, -1, (1, "soft"))
    standing = await choose(BEN, 1, (0, "light"))
    assert standing == Standing(liked=((0, "light"),), disliked=((1, "soft"),))
    assert await choose(CLEO, -1) == Standing(liked=((0, "light"),))


async def chosen(
    database: Database, prediction: int, *words: tuple[int, str], at: datetime, drawn_at: datetime | None
) -> tuple[tuple[int, str], ...]:
    """What Ben wants once he chose these words."""
    standing = await store_choices(
        database, prediction, voter_id=BEN, value=1, words=words, cast_at=at, drawn_at=drawn_at
    )
    return standing.liked


async def test_choices_from_before_the_menu_was_redrawn_stay(database: Database, prediction: int) -> None:
    await chosen(database, prediction, (0, "light"), at=T0, drawn_at=None)
    now, edited_at = T0 + timedelta(seconds=9), T0 - timedelta(hours=1)  # clocks differ
    both = ((0, "light"), (1, "good"))
    assert await chosen(database, prediction, (1, "good"), at=now, drawn_at=edited_at) == both
    both = ((0, "light"), (0, "soft"))
    assert await chosen(database, prediction, (0, "soft"), at=now, drawn_at=edited_at) == both
    assert await chosen(database, prediction, at=now, drawn_at=edited_at) == ((0, "light"),)
    assert await chosen(database, prediction, at=now, drawn_at=None) == ()


async def test_old_choices_stay_unless_the_menu_is_emptied(database: Database, prediction: int) -> None:
    await chosen(database, prediction, (0, "light"), at=T0, drawn_at=None)
    later = T0 + SEEN_FOR + timedelta(seconds=1)
    both = ((0, "light"), (1, "good"))
    assert await chosen(database, prediction, (1, "good"), at=later, drawn_at=None) == both
    assert await chosen(database, prediction, at=later, drawn_at=None) == ()


async def test_a_menu_vote_precedes_a_thumb_and_the_latest_vote_stands(
    database: Database, prediction: int
) -> None:
    await apply_thumbs(database, [ThumbAdded(50, BEN, "👍", T0 + timedelta(hours=1))])
    standing = await store_choices(
        database, prediction, voter_id=BEN, value=-1, words=[(0, "soft")], cast_at=T0
    )
    assert standing == Standing(liked=((1, "good"),), disliked=((0, "soft"),))
    later = T0 + timedelta(minutes=1)
    standing = await suggest_words(database, prediction, voter_id=BEN, words=[(0, "soft")], cast_at=later)
    assert standing.liked == ((0, "soft"), (1, "good"))


async def test_taking_back_leaves_the_thumb_and_other_people(database: Database, prediction: int) -> None:
    await apply_thumbs(database, [ThumbAdded(50, BEN, "👍", T0)])
    await suggest_words(database, prediction, voter_id=BEN, words=[(0, "airy")], cast_at=T0)
    await suggest_words(database, prediction, voter_id=CLEO, words=[(0, "airy")], cast_at=T0)
    standing = await withdraw_choices(database, prediction, voter_id=BEN)
    assert standing == Standing(liked=((0, "soft"), (1, "good")))
    found = await ratable(database, prediction)
    assert found is not None
    assert (0, "airy") in found.words


@pytest.mark.parametrize("opted_out_at", [None, T0])
async def test_votes_of_opted_out_people_do_not_count(
    database: Database, prediction: int, opted_out_at: datetime | None
) -> None:
    async with database.write() as connection:
        await connection.execute(people.insert(), {"user_id": BEN, "opted_out_at": opted_out_at})
    standing = await suggest_words(database, prediction, voter_id=BEN, words=[(0, "airy")], cast_at=T0)
    assert standing.is_counted == (opted_out_at is None)


async def test_a_vote_on_a_prediction_that_was_deleted_says_so(database: Database, prediction: int) -> None:
    async with database.write() as connection:
        await connection.execute(delete(predictions))
    words = [(0, "soft")]
    with pytest.raises(PredictionGoneError):
        await store_choices(database, prediction, voter_id=BEN, value=1, words=words, cast_at=T0)
    with pytest.raises(PredictionGoneError):
        await suggest_words(database, prediction, voter_id=BEN, words=words, cast_at=T0)
    assert await withdraw_choices(database, prediction, voter_id=BEN) == Standing()


async def test_choices_and_suggestions_have_a_weight(database: Database, prediction: int) -> None:
    await store_choices(
        database, prediction, voter_id=BEN, value=1, words=[(0, "light")], cast_at=T0, weight=2.0
    )
    await suggest_words(database, prediction, voter_id=BEN, words=[(0, "airy")], cast_at=T0, weight=3.0)
    async with database.read() as connection:
        rows = await connection.execute(select(votes.c.word, votes.c.weight))
        assert {row[0]: row[1] for row in rows} == {"light": 2.0, "airy": 3.0}


async def test_reasons_are_counted(database: Database) -> None:
    prediction = await ask(database)
    for voter, at in ((7, 0), (8, 1), (9, 2), (6, 0)):
        await store_choices(
            database,
            prediction,
            voter_id=voter,
            value=-1,
            words=[(0, "ugly"), (0, "cheap")],
            cast_at=minutes(at),
        )
        assert await give_reason(database, prediction, voter_id=voter, reason="tone") == 2
    await suggest_words(database, prediction, voter_id=7, words=[(0, "airy")], cast_at=NOON, reason="grammar")
    await opt_out(database, 6)
    assert await count_reasons(database, until=minutes(1)) == {"tone": 4, "grammar": 1}
    assert list(await count_reasons(database, until=minutes(5))) == ["tone", "grammar"]
    assert await give_reason(database, prediction, voter_id=1, reason="other") == 0
