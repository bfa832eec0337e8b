"""The summary of a person, and opting out and in."""

from sqlalchemy import select, text
from support.ballots import NOON, QUERY, ask, minutes, vote

from storage.database import Database
from storage.people import privacy
from storage.people.privacy import PersonSummary
from storage.runs import end_open_training, finish_run, note, open_run
from storage.schema import people
from storage.team_words import change_word
from storage.votes.consensus import store_reliabilities
from storage.votes.predictions import count_votes

ANN, BOB = 2**62 + 1, 2**62 + 2


async def test_a_person_without_votes_and_queries_has_an_empty_summary(database: Database) -> None:
    assert await privacy.summarize(database, ANN) == PersonSummary(0, 0, None, None, None)
    assert [row async for row in privacy.votes_of(database, ANN)] == []


async def test_a_persons_votes_and_queries_are_theirs_alone(database: Database) -> None:
    first = await ask(database, asker_id=ANN)
    second = await ask(database, "The socks feel [MASK].", asker_id=BOB, created_at=minutes(1))
    await vote(database, first, "cheap", -1, by=ANN)
    await vote(database, second, "ugly", 1, by=ANN, via="menu", at=minutes(2))
    await vote(database, first, "cheap", 1, by=BOB)
    votes = [row async for row in privacy.votes_of(database, ANN)]
    assert [(row["query"], row["word"], row["value"], row["via"], row["cast_at"]) for row in votes] == [
        ("The socks feel [MASK].", "ugly", 1, "menu", minutes(2)),
        (QUERY, "cheap", -1, "reaction", NOON),
    ]
    (query,) = [row async for row in privacy.queries_of(database, ANN)]
    assert (query["query"], query["created_at"], query["model_version"]) == (QUERY, NOON, "v0001")
    assert await privacy.summarize(database, ANN) == PersonSummary(2, 1, None, None, NOON)


async def test_a_text_that_somebody_else_asked_is_told_to_both(database: Database) -> None:
    await ask(database, asker_id=BOB, author_id=ANN)
    found = {}
    for person in (ANN, BOB):
        (query,) = [row async for row in privacy.queries_of(database, person)]
        found[person] = (query["query"], query["asked_by_you"], query["written_by_you"])
        assert (await privacy.summarize(database, person)).queries == 1
    assert found == {ANN: (QUERY, False, True), BOB: (QUERY, True, False)}


async def test_opting_out_and_in_is_told_apart_from_doing_it_again(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=ANN)
    assert not await privacy.opt_in(database, ANN)
    assert await privacy.opt_out(database, ANN, now=NOON)
    assert await count_votes(database) == 0
    assert not await privacy.opt_out(database, ANN, now=minutes(1))
    assert (await privacy.summarize(database, ANN)).opted_out_at == NOON
    assert await privacy.opt_in(database, ANN)
    assert await count_votes(database) == 1
    assert not await privacy.opt_in(database, ANN)


async def test_the_first_run_that_counted_a_voter_is_kept(database: Database) -> None:
    """Also when they take that vote back and cast another, which then is their first."""
    await store_reliabilities(database, {ANN: 0.9}, as_of=NOON)
    await store_reliabilities(database, {ANN: 0.8}, as_of=minutes(5))
    await vote(database, await ask(database), "cheap", 1, by=ANN, at=minutes(9))
    assert (await privacy.summarize(database, ANN)).counted_since == NOON


async def test_votes_of_somebody_who_had_opted_out_were_never_counted(database: Database) -> None:
    await privacy.opt_out(database, ANN, now=NOON)
    await vote(database, await ask(database), "cheap", 1, by=ANN, at=minutes(1))
    assert (await privacy.summarize(database, ANN)).counted_since is None


async def test_runs_since_are_those_that_read_votes(database: Database) -> None:
    for number, trigger in enumerate(("nightly", "domain", "nightly")):
        run_id = await open_run(database, trigger, started_at=minutes(number), champion="v0001")
        if trigger != "domain":
            await note(database, run_id, retraining_set_hash="x", challenger=f"v000{number + 2}")
        await finish_run(database, run_id, "promoted", finished_at=minutes(number))
    found = await privacy.runs_since(database, minutes(1))
    assert [(row["id"], row["challenger"]) for row in found] == [(3, "v0004")]


async def test_decisions_of_an_admin_are_theirs_alone(database: Database) -> None:
    await change_word(database, "denied", "ugly", is_added=True, by=ANN, champion="v0001", now=NOON)
    await change_word(database, "denied", "drab", is_added=True, by=BOB, champion="v0001", now=NOON)
    run_id = await open_run(database, "nightly", started_at=NOON, champion="v0001")
    await finish_run(database, run_id, "rejected", finished_at=NOON)
    (one,) = await privacy.decisions_of(database, ANN)
    assert (one["trigger"], one["finished_at"], one["report"]["word"]) == ("denied", NOON, "ugly")


async def test_a_run_that_was_ended_may_have_read_votes(database: Database) -> None:
    await open_run(database, "nightly", started_at=NOON, champion="v0001")
    await end_open_training(database, "somebody asked to be forgotten", now=minutes(1))
    await open_run(database, "rollback", started_at=NOON, champion="v0001")
    assert [row["status"] for row in await privacy.runs_since(database, NOON)] == ["failed"]


async def test_without_a_stored_time_a_voter_is_counted_since_their_oldest_vote(
    database_url: str,
) -> None:
    database = await Database.open(database_url)
    prediction_id = await ask(database)
    for voter in (ANN, BOB):
        await vote(database, prediction_id, "cheap", 1, by=voter, at=minutes(3))
    await store_reliabilities(database, {ANN: 0.9})
    await database.close()
    database = await Database.open(database_url)
    async with database.write() as connection:  # as revision 0003 left it
        for table in (
            "announcements",
            "forgettings",
            "forgotten",
            "model_versions",
            "undone_thumbs",
            "denied_words",
            "preferred_words",
            "sources",
        ):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("ALTER TABLE candidates DROP COLUMN model_version"))
        await connection.execute(text("DROP INDEX ix_predictions_author_id"))
        await connection.execute(text("ALTER TABLE predictions DROP COLUMN author_id"))
        await connection.execute(text("ALTER TABLE people DROP COLUMN counted_since"))
        for column in ("thumbs", "drawn_at", "weight", "reason"):
            await connection.execute(text(f"ALTER TABLE votes DROP COLUMN {column}"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    await database.close()
    database = await Database.open(database_url)
    async with database.read() as connection:
        found = await connection.execute(select(people.c.user_id, people.c.counted_since))
        assert [tuple(row) for row in found] == [(ANN, minutes(3))]
    await database.close()
