"""Predictions, and votes cast, changed, withdrawn and cleared."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError, StatementError
from support.ballots import NOON, QUERY, ask, hash_of, minutes, opt_out, vote, votes_on_message

from storage.database import Database
from storage.schema import candidates, predictions, votes
from storage.votes import predictions as feedback
from storage.votes.consensus import votes_on_query
from storage.votes.predictions import StoredVote, recent_queries
from storage.votes.reactions import ThumbAdded, ThumbChange, ThumbRemoved, ThumbsCleared, apply_thumbs
from storage.votes.standing import Value

MESSAGE, ADA, BEN = 1_400_000_000_000_000_001, 1_300_000_000_000_000_007, 9_223_372_036_854_775_807

THUMBS = {1: "👍", -1: "👎"}


async def standing(database: Database, message_id: int = MESSAGE) -> list[tuple[int, str, int, int]]:
    stored = await votes_on_message(database, message_id)
    return [(v.mask_index, v.word, v.voter_id, v.value) for v in stored]


async def change(database: Database, one: ThumbChange) -> int:
    (votes,) = await apply_thumbs(database, [one])
    return votes


async def cast(database: Database, value: Value, *, by: int = ADA, at: datetime = NOON) -> int:
    return await change(database, ThumbAdded(MESSAGE, by, THUMBS[value], at))


async def withdraw(database: Database, value: Value, *, by: int = ADA) -> int:
    return await change(database, ThumbRemoved(MESSAGE, by, THUMBS[value], NOON))


async def votes_until(database: Database, as_of: datetime, **chunking: int) -> list[dict[str, Any]]:
    """One dictionary a vote."""
    return [
        dict(zip(chunk, row, strict=True))
        async for chunk in feedback.votes_until(database, as_of, **chunking)
        for row in zip(*chunk.values(), strict=True)
    ]


async def test_a_prediction_is_stored_with_its_candidates_and_no_message(database: Database) -> None:
    prediction_id = await ask(database, words=(("cheap", 0.4), ("ugly", 0.1)), masks=2)
    async with database.read() as connection:
        row = (await connection.execute(select(predictions))).one()
        words = (await connection.execute(select(candidates).order_by("mask_index", "rank"))).all()
    assert (row.id, row.message_id, row.query, row.query_hash) == (prediction_id, None, QUERY, hash_of(QUERY))
    assert (row.created_at, row.deleted_at) == (NOON, None)
    assert [(w.mask_index, w.rank, w.word, w.score) for w in words] == [
        (0, 0, "cheap", 0.4),
        (0, 1, "ugly", 0.1),
        (1, 0, "cheap", 0.4),
        (1, 1, "ugly", 0.1),
    ]


async def test_a_prediction_without_a_candidate_is_stored(database: Database) -> None:
    prediction_id = await ask(database, words=(), message_id=MESSAGE)
    assert await feedback.prediction_of_message(database, MESSAGE) == prediction_id
    assert await cast(database, 1) == 0


async def test_a_prediction_is_stored_whole_or_not_at_all(database: Database) -> None:
    twice = feedback.StoredCandidate(0, 0, "cheap", 0.4)
    new = feedback.NewPrediction(1, 2, 3, QUERY, hash_of(QUERY), "v0001", 1.0, NOON, (twice, twice))
    with pytest.raises(IntegrityError):
        await feedback.record_predictions(database, [new])
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(predictions))).scalar_one() == 0


async def test_a_reply_is_found_by_its_64_bit_message_id(database: Database) -> None:
    first, second = await ask(database, message_id=MESSAGE), await ask(database, message_id=BEN)
    assert first != second
    assert await feedback.prediction_of_message(database, MESSAGE) == first
    assert await feedback.prediction_of_message(database, BEN) == second
    assert await feedback.prediction_of_message(database, MESSAGE + 1) is None


async def test_two_predictions_cannot_share_a_message(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    with pytest.raises(IntegrityError):
        await ask(database, message_id=MESSAGE)


async def test_a_reply_without_votes_can_show_another_prediction(database: Database) -> None:
    first = await ask(database, message_id=MESSAGE)
    assert await feedback.detach_reply(database, MESSAGE, now=NOON)
    second = await ask(database, message_id=MESSAGE)
    assert await feedback.prediction_of_message(database, MESSAGE) == second
    await feedback.attach_messages(database, {first: MESSAGE + 1})  # as a look at the channel may want to
    assert await feedback.prediction_of_message(database, MESSAGE + 1) is None


async def test_a_message_is_adopted_only_where_none_is_stored(database: Database) -> None:
    """A look at the channel may find a message while the reply is still being sent."""
    prediction = await ask(database)
    assert await feedback.adopt_message(database, prediction, MESSAGE)
    assert await feedback.prediction_of_message(database, MESSAGE) == prediction
    assert not await feedback.adopt_message(database, prediction, MESSAGE + 1)
    assert await feedback.prediction_of_message(database, MESSAGE + 1) is None


async def test_a_reply_that_was_voted_on_keeps_its_prediction(database: Database) -> None:
    prediction = await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    assert not await feedback.detach_reply(database, MESSAGE, now=NOON)
    assert await feedback.prediction_of_message(database, MESSAGE) == prediction


async def test_a_thumb_rates_the_top_word_alone(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    assert await cast(database, 1) == 1
    assert await standing(database) == [(0, "cheap", ADA, 1)]


async def test_a_thumb_rates_the_top_word_of_every_mask(database: Database) -> None:
    await ask(database, masks=3, message_id=MESSAGE)
    assert await cast(database, -1) == 3
    assert await standing(database) == [(mask, "cheap", ADA, -1) for mask in range(3)]


async def test_casting_twice_is_casting_once(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    await cast(database, 1)
    assert await standing(database) == [(0, "cheap", ADA, 1)]


async def test_the_other_thumb_replaces_the_first(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1, at=minutes(0))
    await cast(database, -1, at=minutes(5))
    (stored,) = await votes_on_message(database, MESSAGE)
    assert (stored.value, stored.cast_at) == (-1, minutes(5))


async def test_people_vote_independently(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1, by=ADA, at=minutes(0))
    await cast(database, -1, by=BEN, at=minutes(1))
    assert await standing(database) == [(0, "cheap", ADA, 1), (0, "cheap", BEN, -1)]


async def test_a_removed_thumb_withdraws_the_vote(database: Database) -> None:
    await ask(database, masks=2, message_id=MESSAGE)
    await cast(database, 1)
    assert await withdraw(database, 1) == 2
    assert await standing(database) == []
    assert await withdraw(database, 1) == 0


async def test_only_the_thumb_that_stands_can_be_taken_back(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    await cast(database, -1)
    assert await withdraw(database, 1) == 0  # the first thumb, replaced long ago
    assert await withdraw(database, -1, by=BEN) == 0  # somebody else's
    assert await standing(database) == [(0, "cheap", ADA, -1)]


async def test_a_message_that_is_no_reply_takes_no_votes(database: Database) -> None:
    await ask(database)  # not yet sent
    assert await cast(database, 1) == 0
    assert await withdraw(database, 1) == 0
    assert await change(database, ThumbsCleared(MESSAGE, NOON)) == 0
    assert await feedback.mark_deleted(database, [MESSAGE], NOON) == 0
    assert await votes_on_message(database, MESSAGE) == []


async def test_clearing_one_emoji_leaves_the_other(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1, by=ADA)
    await cast(database, -1, by=BEN)
    assert await change(database, ThumbsCleared(MESSAGE, NOON, "👍")) == 1
    assert await standing(database) == [(0, "cheap", BEN, -1)]


async def test_clearing_all_reactions_leaves_what_was_voted_otherwise(database: Database) -> None:
    prediction_id = await ask(database, message_id=MESSAGE)
    await ask(database, message_id=MESSAGE + 1)
    await cast(database, 1, by=ADA)
    await cast(database, -1, by=BEN)
    await vote(database, prediction_id, "ugly", -1, by=ADA, via="menu")
    await change(database, ThumbAdded(MESSAGE + 1, ADA, "👍", NOON))
    assert await change(database, ThumbsCleared(MESSAGE, NOON)) == 2
    assert await standing(database) == [(0, "ugly", ADA, -1)]
    assert await standing(database, MESSAGE + 1) == [(0, "cheap", ADA, 1)]


async def test_a_reaction_and_a_menu_stand_side_by_side(database: Database) -> None:
    prediction_id = await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    await vote(database, prediction_id, "cheap", -1, by=ADA, via="menu", at=minutes(1))
    assert await withdraw(database, 1) == 1
    (stored,) = await votes_on_message(database, MESSAGE)
    assert (stored.via, stored.value) == ("menu", -1)


async def test_a_deleted_reply_keeps_its_votes_and_its_first_time(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    assert await feedback.mark_deleted(database, [MESSAGE, 5, 6], minutes(1)) == 1
    assert await feedback.mark_deleted(database, [MESSAGE], minutes(2)) == 0
    async with database.read() as connection:
        assert (await connection.execute(select(predictions.c.deleted_at))).scalar_one() == minutes(1)
    assert await standing(database) == [(0, "cheap", ADA, 1)]
    assert len(await votes_until(database, NOON)) == 1


async def test_casting_no_votes_is_fine(database: Database) -> None:
    await feedback.cast_votes(database, [])
    assert await feedback.count_votes(database) == 0


async def test_votes_are_cast_together_or_not_at_all(database: Database) -> None:
    prediction_id = await ask(database)
    good = StoredVote(prediction_id, 0, "cheap", ADA, "menu", 1, NOON)
    for bad in (
        StoredVote(prediction_id + 1, 0, "cheap", ADA, "menu", 1, NOON),  # no such prediction
        StoredVote(prediction_id, 0, "ugly", ADA, "menu", 0, NOON),  # type: ignore[arg-type]
        StoredVote(prediction_id, 0, "ugly", ADA, "letter", 1, NOON),  # type: ignore[arg-type]
    ):
        with pytest.raises(IntegrityError):
            await feedback.cast_votes(database, [good, bad])
    assert await feedback.count_votes(database) == 0


async def test_votes_go_with_their_prediction(database: Database) -> None:
    await ask(database, message_id=MESSAGE)
    await cast(database, 1)
    async with database.write() as connection:
        await connection.execute(delete(predictions))
    async with database.read() as connection:
        for table in (candidates, votes):
            assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 0


async def test_votes_until_a_time_come_oldest_first_with_query_and_score(database: Database) -> None:
    prediction_id = await ask(database, model_version="v0007")
    await vote(database, prediction_id, "ugly", -1, by=ADA, at=minutes(2))
    await vote(database, prediction_id, "cheap", 1, by=BEN, at=minutes(1))
    await vote(database, prediction_id, "cheap", 1, by=ADA, at=minutes(3))
    rows = await votes_until(database, minutes(2))
    assert [(r["word"], r["voter_id"], r["value"], r["score"]) for r in rows] == [
        ("cheap", BEN, 1, 0.4),
        ("ugly", ADA, -1, 0.05),
    ]
    assert rows[0] == {
        "prediction_id": prediction_id,
        "query": QUERY,
        "query_hash": hash_of(QUERY),
        "mask_index": 0,
        "word": "cheap",
        "voter_id": BEN,
        "via": "reaction",
        "value": 1,
        "cast_at": minutes(1),
        "weight": 1.0,
        "score": 0.4,
        "adjusted": False,
        "model_version": "v0007",
    }


async def test_votes_come_in_chunks_by_column(database: Database) -> None:
    prediction_id = await ask(database)
    for voter in range(5):
        await vote(database, prediction_id, "cheap", 1, by=voter, at=minutes(voter))
    chunks = [chunk async for chunk in feedback.votes_until(database, minutes(9), chunk_rows=2)]
    assert [chunk["voter_id"] for chunk in chunks] == [(0, 1), (2, 3), (4,)]


async def test_every_vote_on_an_adjusted_reply_says_so(database: Database) -> None:
    adjusted, bare = await ask(database), await ask(database)
    for prediction_id in (adjusted, bare):
        await vote(database, prediction_id, "cheap", 1, by=ADA)
        await vote(database, prediction_id, "sturdy", 1, by=ADA, via="suggestion")
    async with database.write() as connection:
        changed = (candidates.c.prediction_id == adjusted) & (candidates.c.word == "ugly")
        await connection.execute(update(candidates).where(changed).values(adjusted=True))
    rows = await votes_until(database, NOON)
    assert {(row["prediction_id"], row["adjusted"]) for row in rows} == {(adjusted, True), (bare, False)}
    assert len(rows) == 4


async def test_a_suggested_word_has_no_score(database: Database) -> None:
    prediction_id = await ask(database, masks=2)
    await vote(database, prediction_id, "sturdy", 1, by=ADA, via="suggestion", mask_index=1)
    (row,) = await votes_until(database, NOON)
    assert (row["word"], row["mask_index"], row["score"]) == ("sturdy", 1, None)


async def test_one_vote_is_one_row_also_when_a_word_was_offered_twice(database: Database) -> None:
    prediction_id = await ask(database, words=(("cheap", 0.4), ("cheap", 0.2)))
    await vote(database, prediction_id, "cheap", 1, by=ADA)
    (row,) = await votes_until(database, NOON)
    assert row["score"] == 0.4


async def test_votes_of_opted_out_people_do_not_count(database: Database) -> None:
    prediction_id = await ask(database)
    await vote(database, prediction_id, "cheap", 1, by=ADA)
    await vote(database, prediction_id, "cheap", -1, by=BEN)
    await opt_out(database, BEN)
    assert [row["voter_id"] for row in await votes_until(database, NOON)] == [ADA]


async def test_votes_of_opted_out_people_do_not_end_a_pause(database: Database) -> None:
    prediction_id = await ask(database)
    await vote(database, prediction_id, "cheap", 1, by=ADA, at=minutes(1))
    await vote(database, prediction_id, "cheap", -1, by=BEN, at=minutes(1))
    await opt_out(database, BEN)
    assert await feedback.count_votes(database) == 1


async def test_counting_votes_since_a_time(database: Database) -> None:
    prediction_id = await ask(database)
    for voter, at in enumerate((minutes(0), minutes(1), minutes(2))):
        await vote(database, prediction_id, "cheap", 1, by=voter, at=at)
    assert await feedback.count_votes(database) == 3
    assert await feedback.count_votes(database, since=minutes(0)) == 2
    assert await feedback.count_votes(database, since=minutes(2)) == 0


async def test_times_in_other_zones_are_the_same_moments(database: Database) -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    prediction_id = await ask(database, created_at=NOON.astimezone(kathmandu))
    await vote(database, prediction_id, "cheap", 1, by=ADA, at=minutes(1).astimezone(kathmandu))
    async with database.read() as connection:
        created_at = (await connection.execute(select(predictions.c.created_at))).scalar_one()
    assert created_at == NOON
    assert created_at.tzinfo is UTC
    assert await votes_until(database, NOON.astimezone(kathmandu)) == []
    assert len(await votes_until(database, minutes(1).astimezone(kathmandu))) == 1


async def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"):
        await ask(database, created_at=NOON.replace(tzinfo=None))


async def test_words_and_queries_keep_every_character(database: Database) -> None:
    query, word = "Ça coûte [MASK] — 50 % 'de' \"moins\"; DROP TABLE votes;--🙂.", "l’été"
    prediction_id = await ask(database, query, words=((word, 0.5),))
    await vote(database, prediction_id, word, 1, by=ADA)
    (row,) = await votes_until(database, NOON)
    assert (row["query"], row["word"], row["score"]) == (query, word, 0.5)


async def test_the_latest_vote_stands_when_the_clock_was_set_back(database: Database) -> None:
    first, second = await ask(database), await ask(database)
    await vote(database, second, "cheap", 1, by=7, at=minutes(60))
    await vote(database, first, "cheap", -1, by=7, at=minutes(0))
    votes = await votes_on_query(database, hash_of(QUERY))
    assert [one.value for one in votes] == [1, -1]


async def test_a_persons_own_queries_are_listed_newest_first_and_once(database: Database) -> None:
    for query in ("First [MASK].", "Second [MASK].", "First [MASK]."):
        await ask(database, query, asker_id=7)
    await ask(database, "Of another [MASK].", asker_id=8)
    await ask(database, "Written by another [MASK].", asker_id=7, author_id=8)
    await ask(database, "In a quiz [MASK].", asker_id=7, quiz_at=NOON)
    assert await recent_queries(database, 7) == ["First [MASK].", "Second [MASK]."]


async def test_a_shown_query_names_the_version_of_each_word_and_ends_with_its_reply(
    database: Database,
) -> None:
    prediction_id = await ask(database, message_id=MESSAGE)
    of_other = (candidates.c.prediction_id == prediction_id) & (candidates.c.word == "ugly")
    await database.execute(update(candidates).where(of_other).values(model_version="v0002"))
    shown = await feedback.shown_query(database, prediction_id=prediction_id)
    assert shown is not None
    brought = {one.word: one.model_version for one in shown.words}
    assert brought == {"cheap": "v0001", "comfortable": "v0001", "ugly": "v0002"}
    await feedback.mark_deleted(database, [MESSAGE], NOON)
    assert await feedback.shown_query(database, prediction_id=prediction_id) is None
