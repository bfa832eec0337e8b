"""Votes on words that one of two versions brought."""

from support.ballots import NOON, QUERY, hash_of, minutes, opt_out, vote

from storage.database import Database
from storage.people.forgetting import erase_person
from storage.votes.approval import votes_on_version
from storage.votes.credits import credited_votes
from storage.votes.predictions import NewPrediction, StoredCandidate, record_predictions

VERSIONS = ("v0001", "v0002")
ORIGINS = {"cheap": "v0001", "great": "v0002", "soft": None}


async def answered(database: Database, query: str = QUERY, **origins: str | None) -> int:
    """A reply whose words two versions brought. Returns its id."""
    words = origins or ORIGINS
    new = NewPrediction(
        guild_id=1,
        channel_id=2,
        asker_id=3,
        query=query,
        query_hash=hash_of(query),
        model_version="v0001",
        latency_ms=1.0,
        created_at=NOON,
        candidates=tuple(
            StoredCandidate(0, rank, word, 0.1, model_version=version)
            for rank, (word, version) in enumerate(words.items())
        ),
    )
    (prediction_id,) = await record_predictions(database, [new])
    return prediction_id


async def credits_of(database: Database) -> list[tuple[int, int, int, str]]:
    found = await credited_votes(database, VERSIONS, since=NOON)
    return [(one.prediction_id, one.voter_id, one.value, one.model_version) for one in found]


async def test_a_vote_credits_the_version_that_brought_the_word(database: Database) -> None:
    reply = await answered(database)
    await vote(database, reply, "great", 1, by=7)
    await vote(database, reply, "cheap", -1, by=7, at=minutes(1))
    assert await credits_of(database) == [(reply, 7, 1, "v0002"), (reply, 7, -1, "v0001")]


async def test_words_of_both_or_of_nobody_credit_neither(database: Database) -> None:
    reply = await answered(database)
    await vote(database, reply, "soft", 1, by=7)
    await vote(database, reply, "own", 1, by=7, via="suggestion")
    assert await credits_of(database) == []


async def test_only_the_standing_vote_on_a_word_counts(database: Database) -> None:
    first, second = await answered(database), await answered(database)
    await vote(database, first, "great", 1, by=7)
    await vote(database, second, "great", -1, by=7, at=minutes(1))
    assert await credits_of(database) == [(second, 7, -1, "v0002")]


async def test_votes_without_weight_or_of_people_who_opted_out_do_not_count(database: Database) -> None:
    reply = await answered(database)
    await vote(database, reply, "great", 1, by=7, weight=0.0)
    await vote(database, reply, "great", 1, by=8)
    await opt_out(database, 8)
    assert await credits_of(database) == []


async def test_votes_from_before_do_not_count(database: Database) -> None:
    reply = await answered(database)
    await vote(database, reply, "great", 1, by=7)
    assert await credited_votes(database, VERSIONS, since=minutes(1)) == []


async def test_forgetting_a_person_takes_their_credits_away(database: Database) -> None:
    reply = await answered(database)
    await vote(database, reply, "great", 1, by=7)
    await vote(database, reply, "great", 1, by=8, at=minutes(1))
    await erase_person(database, 7, since=None, now=minutes(2))
    assert await credits_of(database) == [(reply, 8, 1, "v0002")]


async def test_replies_of_two_versions_say_nothing_of_the_approval_of_one(database: Database) -> None:
    reply, alone = await answered(database), await answered(database, "alone [MASK].", cheap=None)
    for one in (reply, alone):
        await vote(database, one, "cheap", 1, by=7)
    found = await votes_on_version(database, "v0001", limit=10)
    assert [one.query_hash for one in found] == [hash_of("alone [MASK].")]
