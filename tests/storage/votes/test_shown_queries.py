"""Queries are shown again only to readers of their channel, as they were asked there."""

from sqlalchemy import update
from support.ballots import NOON, QUERY, ask, hash_of, vote

from storage.database import Database
from storage.people import privacy
from storage.schema import predictions
from storage.votes.predictions import mark_deleted
from storage.votes.shown_queries import voted_queries

ANN = 2**62 + 1


async def test_only_queries_with_votes_of_these_channels_are_shown(database: Database) -> None:
    shown = await ask(database, message_id=1)  # channel 2
    await ask(database, "Nobody voted on [MASK].", message_id=2)
    direct = await ask(database, "My [MASK] secret.", guild_id=None, message_id=3)
    unsent = await ask(database, "Never [MASK] sent.")
    quizzed = await ask(database, "Asked by a [MASK].", message_id=4, quiz_at=NOON)
    for prediction_id in (shown, direct, unsent, quizzed):
        await vote(database, prediction_id, "cheap", 1, by=ANN)
    assert await voted_queries(database, {2}) == {hash_of(QUERY): QUERY}
    assert await voted_queries(database, {7}) == {}


async def test_a_query_is_shown_as_it_was_asked_there(database: Database) -> None:
    await ask(database, message_id=1)
    elsewhere = await ask(database, channel_id=9, message_id=2)
    async with database.write() as connection:
        await connection.execute(
            update(predictions).where(predictions.c.id == elsewhere).values(query=QUERY.upper())
        )
    await vote(database, elsewhere, "cheap", 1, by=ANN)
    assert await voted_queries(database, {2}) == {hash_of(QUERY): QUERY}


async def test_deleted_replies_and_queries_of_opted_out_people_are_not_shown(database: Database) -> None:
    deleted = await ask(database, message_id=1)
    opted_out = await ask(database, "The socks feel [MASK].", asker_id=ANN, message_id=2)
    for prediction_id in (deleted, opted_out):
        await vote(database, prediction_id, "cheap", 1, by=7)
    await mark_deleted(database, [1], NOON)
    await privacy.opt_out(database, ANN, now=NOON)
    assert await voted_queries(database, {2}) == {}


async def test_a_query_whose_author_opted_out_is_not_shown(database: Database) -> None:
    asked = await ask(database, asker_id=7, author_id=ANN, message_id=1)
    await vote(database, asked, "cheap", 1, by=7)
    assert await voted_queries(database, {2}) == {hash_of(QUERY): QUERY}
    await privacy.opt_out(database, ANN, now=NOON)
    assert await voted_queries(database, {2}) == {}
