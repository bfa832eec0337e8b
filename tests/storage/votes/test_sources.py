"""Sources of imported judgements: stored and undone in one step, and no people."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from support.ballots import NOON, QUERY, ask, hash_of, minutes, vote

from storage.database import Database
from storage.errors import SourceExistsError, UnknownSourceError
from storage.people.forgetting import erase_person
from storage.people.retention import delete_expired
from storage.schema import people, predictions, votes
from storage.votes.approval import totals
from storage.votes.consensus import store_reliabilities, votes_on_query
from storage.votes.quiz import open_sentences
from storage.votes.recent_replies import recent_replies
from storage.votes.shown_queries import voted_queries
from storage.votes.sources import ImportedSentence, import_sentences, list_sources, undo_import
from storage.votes.stats import top_voters, votes_by_version

OTHER = "The boots were [MASK]."
SENTENCES = (
    ImportedSentence(QUERY, hash_of(QUERY), ((0, "cheap", False), (0, "light", True))),
    ImportedSentence(OTHER, hash_of(OTHER), ((0, "warm", True),)),
)


async def imported(database: Database, name: str = "guide", *, weight: float = 2.0) -> int:
    source = await import_sentences(database, name, SENTENCES, weight=weight, now=NOON)
    return source.voter_id


async def rows(database: Database, table: object = votes) -> int:
    return int(await database.fetch_value(select(func.count()).select_from(table)))  # type: ignore[arg-type]


async def test_an_import_counts_like_the_votes_of_one_voter_with_its_weight(database: Database) -> None:
    voter_id = await imported(database)
    found = await votes_on_query(database, hash_of(QUERY))
    assert {(one.word, one.value, one.voter_id, one.weight) for one in found} == {
        ("cheap", -1, voter_id, 2.0),
        ("light", 1, voter_id, 2.0),
    }
    assert voter_id < 0
    ((source,),) = [await list_sources(database)]
    assert (source.voter_id, source.name, source.weight, source.imported_at) == (voter_id, "guide", 2.0, NOON)


async def test_undoing_restores_what_was_there_and_leaves_others_alone(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=7)
    other = await imported(database, "other")
    before = await rows(database), await rows(database, predictions)
    voter_id = await imported(database)
    await store_reliabilities(database, {voter_id: 0.8, 7: 0.9}, as_of=NOON)
    assert await undo_import(database, "guide") == 3
    assert (await rows(database), await rows(database, predictions)) == before
    assert [source.voter_id for source in await list_sources(database)] == [other]
    assert await rows(database, people) == 1
    assert await imported(database) < 0  # the name is free again


async def test_undoing_leaves_the_votes_on_a_quiz_item_with_the_same_sentence(database: Database) -> None:
    voter_id = await imported(database)
    await vote(database, await ask(database, asker_id=7, quiz_at=NOON), "cheap", 1, by=8)
    await undo_import(database, "guide")
    assert [one.voter_id for one in await votes_on_query(database, hash_of(QUERY))] == [8]
    assert voter_id < 0


async def test_a_name_is_imported_once_and_only_what_was_imported_is_undone(database: Database) -> None:
    await imported(database)
    before = await rows(database)
    with pytest.raises(SourceExistsError, match="guide"):
        await imported(database)
    assert await rows(database) == before
    with pytest.raises(UnknownSourceError, match="can be undone: guide"):
        await undo_import(database, "manual")


async def test_a_source_is_in_no_statistics_of_people(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=7)
    since = NOON - timedelta(days=1)
    before = await totals(database, since=since), await votes_by_version(database, since=since, most=5)
    await imported(database)
    assert (
        await totals(database, since=since),
        await votes_by_version(database, since=since, most=5),
    ) == before
    assert [one.user_id for one in await top_voters(database, since=since, most=5)] == [7]


async def test_imported_sentences_are_shown_to_nobody(database: Database) -> None:
    await imported(database)
    assert await voted_queries(database, [0, 2]) == {}


async def test_imported_sentences_crowd_no_reply_out_of_those_to_read_back(database: Database) -> None:
    for message_id in (50, 51, 52):
        await ask(database, message_id=message_id)
    await imported(database)
    found = await recent_replies(database, NOON - timedelta(days=1), limit=2)
    assert [reply.message_id for reply in found] == [52, 51]
    assert len(await recent_replies(database, NOON - timedelta(days=1), limit=9)) == 3


async def test_imported_sentences_crowd_no_question_out_of_the_quiz(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.votes.quiz.WINDOW", 2)
    await ask(database, "one [MASK]", message_id=50)
    await ask(database, "two [MASK]", message_id=51)
    await imported(database)
    await ask(database, "three [MASK]", message_id=52)
    found = await open_sentences(database, 7, channel_ids=[2])
    assert [sentence.query for sentence in found] == ["three [MASK]", "two [MASK]"]


async def test_forgetting_someone_who_asked_the_same_leaves_the_import(database: Database) -> None:
    await vote(database, await ask(database, asker_id=7), "cheap", 1, by=7)
    voter_id = await imported(database)
    await erase_person(database, 7, since=None, now=minutes(1))
    assert {one.voter_id for one in await votes_on_query(database, hash_of(QUERY))} == {voter_id}


async def test_retention_deletes_imported_words_too(database: Database) -> None:
    await imported(database)
    await delete_expired(database, minutes(1))
    assert (await rows(database), await rows(database, predictions)) == (0, 0)
    await undo_import(database, "guide")
