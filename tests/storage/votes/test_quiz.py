"""The queries of a person's quiz, and their progress."""

import itertools
from datetime import datetime
from typing import Any

import pytest
from support.ballots import NOON, QUERY, ask, hash_of, minutes, opt_out, vote

from storage.database import Database
from storage.people.privacy import is_opted_out
from storage.votes import quiz
from storage.votes.predictions import mark_deleted
from storage.votes.quiz import QuizItem, QuizProgress

OPEN, PRIVATE = 2, 9  # channels
ANN, BEN, CLEO = 31, 32, 33
_messages = itertools.count(1)


async def asked(database: Database, query: str = QUERY, *, by: int = BEN, **where: Any) -> int:
    """A query that was answered."""
    columns: dict[str, Any] = {"asker_id": by, "message_id": next(_messages), **where}
    return await ask(database, query, **columns)


async def offered(
    database: Database, person_id: int = ANN, *, channel_ids: tuple[int, ...] = (OPEN,)
) -> list[str]:
    found = await quiz.open_sentences(database, person_id, channel_ids=channel_ids)
    return [sentence.query for sentence in found]


async def test_queries_of_others_are_offered_newest_first(database: Database) -> None:
    for query in ("one", "two", "three"):
        await asked(database, query)
    assert await offered(database) == ["three", "two", "one"]


async def test_a_query_asked_often_is_offered_once_as_it_was_asked_last(database: Database) -> None:
    await asked(database, words=(("old", 0.2),))
    await asked(database, words=(("new", 0.3), ("newer", 0.2)))
    (sentence,) = await quiz.open_sentences(database, ANN, channel_ids=[OPEN])
    assert (sentence.query_hash, sentence.asked) == (hash_of(QUERY), 2)
    assert [(c.rank, c.word, c.score) for c in sentence.candidates] == [(0, "new", 0.3), (1, "newer", 0.2)]


async def test_votes_on_all_replies_come_with_it_oldest_first(database: Database) -> None:
    first, second = await asked(database), await asked(database, guild_id=None, channel_id=77)
    await vote(database, second, "ugly", -1, by=BEN, at=minutes(2))
    await vote(database, first, "cheap", 1, by=CLEO, at=minutes(1))
    await opt_out(database, 50)
    await vote(database, first, "cheap", 1, by=50)
    (sentence,) = await quiz.open_sentences(database, ANN, channel_ids=[OPEN])
    assert [(v.word, v.voter_id, v.value) for v in sentence.votes] == [("cheap", CLEO, 1), ("ugly", BEN, -1)]


@pytest.mark.parametrize(
    "where",
    [
        {"by": ANN},
        {"channel_id": PRIVATE},
        {"guild_id": None},
        {"message_id": None},
        {"quiz_at": NOON},
    ],
    ids=["own", "elsewhere", "direct", "never sent", "quizzed"],
)
async def test_hidden_queries_are_not_offered(database: Database, where: dict[str, Any]) -> None:
    await asked(database, **where)
    assert await offered(database) == []


async def test_the_spelling_of_a_direct_message_is_not_shown(database: Database) -> None:
    await asked(database, "my shoes are [MASK].")
    direct = await asked(database, "my shoes are [MASK].", guild_id=None)
    assert direct > 1
    (sentence,) = await quiz.open_sentences(database, ANN, channel_ids=[OPEN])
    assert sentence.asked == 1


async def test_rated_and_offered_queries_are_not_offered_again(database: Database) -> None:
    rated = await asked(database, "rated")
    await vote(database, rated, "cheap", 1, by=ANN)
    await asked(database, "skipped")
    await asked(database, "skipped", by=ANN, quiz_at=NOON)
    await asked(database, "new")
    assert await offered(database) == ["new"]
    assert set(await offered(database, CLEO)) == {"rated", "skipped", "new"}


async def test_a_deleted_reply_is_not_brought_back(database: Database) -> None:
    await asked(database, message_id=7_000)
    await mark_deleted(database, [7_000], NOON)
    assert await offered(database) == []


async def test_queries_of_opted_out_people_are_not_offered(database: Database) -> None:
    await asked(database, "ben's")
    await opt_out(database, BEN)
    await asked(database, "cleo's", by=CLEO)
    assert await offered(database) == ["cleo's"]
    assert await is_opted_out(database, BEN)
    assert not await is_opted_out(database, CLEO)


async def test_a_database_without_predictions_offers_nothing(database: Database) -> None:
    assert await offered(database) == []
    assert await offered(database, channel_ids=()) == []
    assert await quiz.latest_item(database, ANN) is None


async def test_only_the_newest_predictions_are_looked_through(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiz, "WINDOW", 2)
    for query in ("old", "two", "three"):
        await asked(database, query)
    assert await offered(database) == ["three", "two"]


async def test_the_item_offered_last_is_found_again(database: Database) -> None:
    await asked(database, "one", by=ANN, quiz_at=NOON)
    last = await asked(database, "two", by=ANN, quiz_at=minutes(5), message_id=8_000)
    await asked(database, "typed", by=ANN)
    await asked(database, "three", by=BEN, quiz_at=NOON)
    assert await quiz.latest_item(database, ANN) == QuizItem(last, OPEN, 8_000, minutes(5))


async def item(database: Database, query: str, quiz_at: datetime | None) -> int:
    return await asked(database, query, by=ANN, quiz_at=quiz_at)


async def test_a_tally_counts_the_words_of_one_quiz(database: Database) -> None:
    one, two, skipped = [await item(database, query, NOON) for query in ("one", "two", "three")]
    await vote(database, one, "cheap", 1, by=ANN)
    await vote(database, one, "cheap", -1, by=ANN, via="menu")  # the same word
    await vote(database, one, "ugly", -1, by=ANN, via="menu")
    await vote(database, two, "cheap", 1, by=ANN)
    await vote(database, skipped, "cheap", 1, by=BEN)
    await vote(database, await item(database, "four", minutes(9)), "cheap", 1, by=ANN)
    await vote(database, await item(database, "five", None), "cheap", 1, by=ANN)
    assert await quiz.quiz_progress(database, ANN, quiz_at=NOON) == QuizProgress(words=3, sentences=2)
    assert await quiz.quiz_progress(database, BEN, quiz_at=NOON) == QuizProgress(words=0, sentences=0)


async def test_the_queries_that_a_person_knows_are_those_asked_or_rated(database: Database) -> None:
    await asked(database, "mine", by=ANN)
    await vote(database, await asked(database, "rated", by=BEN), "cheap", 1, by=ANN)
    await asked(database, "unknown", by=BEN)
    assert await quiz.known_hashes(database, ANN) == {hash_of("mine"), hash_of("rated")}
