"""Erasing a person: which rows are deleted from the database and from its copies."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Text, insert, select
from support.ballots import NOON, QUERY, ask, minutes, vote
from support.databases import migrate_to, of_sqlite

from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.people import forgetting, privacy
from storage.people.forgetting import Erased, Request
from storage.runs import by_member, finish_run, get_run, open_run
from storage.schema import candidates, metadata, people, predictions, undone_thumbs, votes
from storage.team_words import change_word
from storage.votes.consensus import store_reliabilities
from storage.votes.reactions import ThumbAdded, ThumbsUndone, apply_thumbs

NOW = minutes(60)
ANN, BOB, CLEO = 2**62 + 1, 2**62 + 2, 2**62 + 3
SECRET = "The xylophone of my aunt is [MASK]."


async def rows(database: Database, *columns: Any) -> set[Any]:
    async with database.read() as connection:
        return {tuple(row) for row in await connection.execute(select(*columns))}


async def forget(database: Database, user_id: int = ANN) -> Erased:
    return await forgetting.erase_person(database, user_id, since=None, now=NOW)


def test_every_column_that_may_hold_a_person_or_a_text_is_known_here() -> None:
    """A new one must be forgotten too, by `storage.people.forgetting.erase` or with the row it is of."""
    held = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, BigInteger | Text | JSON) and not column.name.endswith("prediction_id")
    }
    assert held == {
        *(
            "candidates.word",
            "forgettings.user_id",
            "people.user_id",
            "votes.voter_id",
            "votes.word",
            "votes.thumbs",
            "denied_words.word",
            "preferred_words.word",
            "sources.name",
            "sources.voter_id",
            "undone_thumbs.voter_id",
            "undone_thumbs.thumbs",
        ),
        *(f"predictions.{name}" for name in ("id", "guild_id", "channel_id", "message_id", "asker_id")),
        *(f"announcements.{name}" for name in ("id", "guild_id", "channel_id", "message_id", "asker_id")),
        *(f"announcements.{name}" for name in ("run_id", "sentence", "figure", "interaction_token")),
        *("predictions.author_id", "predictions.query", "runs.id", "runs.report", "runs.verdict"),
        *(f"model_versions.{name}" for name in ("folder", "moved_by", "revision")),
    }


async def test_a_text_goes_with_its_author_although_somebody_else_asked_it(database: Database) -> None:
    asked = await ask(database, SECRET, asker_id=BOB, author_id=ANN)
    await vote(database, asked, "cheap", 1, by=CLEO)
    assert await forgetting.preview(database, ANN) == Erased(queries=1, others_votes=1)
    assert await forget(database) == Erased(queries=1, others_votes=1)
    assert await rows(database, predictions.c.id) == set()
    assert await rows(database, votes.c.word) == set()


async def test_a_text_that_somebody_else_asked_in_their_own_words_stays_without_its_author(
    database: Database,
) -> None:
    await ask(database, SECRET, asker_id=BOB, author_id=ANN)
    await ask(database, SECRET, asker_id=CLEO)
    assert await forget(database) == Erased(unnamed=1)
    assert await rows(database, predictions.c.asker_id, predictions.c.author_id) == {
        (BOB, None),
        (CLEO, None),
    }


async def test_a_text_of_somebody_else_goes_with_the_last_who_asked_it(database: Database) -> None:
    await ask(database, SECRET, asker_id=ANN, author_id=BOB)
    assert await forget(database) == Erased(queries=1)
    assert await rows(database, predictions.c.id) == set()


async def test_a_persons_votes_go_and_others_stay(database: Database) -> None:
    prediction_id = await ask(database, asker_id=BOB)
    for voter in (ANN, BOB):
        await vote(database, prediction_id, "cheap", 1, by=voter)
    assert await forget(database) == Erased(votes=1)
    assert await rows(database, votes.c.voter_id) == {(BOB,)}
    assert await rows(database, predictions.c.query, predictions.c.asker_id) == {(QUERY, BOB)}


async def test_a_query_that_only_they_asked_is_deleted_with_all_votes(database: Database) -> None:
    prediction_id = await ask(database, SECRET, asker_id=ANN)
    for voter in (ANN, BOB, CLEO):
        await vote(database, prediction_id, "cheap", 1, by=voter)
    assert await forget(database) == Erased(votes=1, queries=1, others_votes=2)
    assert await rows(database, predictions.c.id) == await rows(database, candidates.c.word) == set()
    assert await rows(database, votes.c.voter_id) == set()


async def test_a_query_that_others_asked_too_stays_without_the_asker(database: Database) -> None:
    mine, theirs = await ask(database, asker_id=ANN), await ask(database, asker_id=BOB)
    await vote(database, mine, "cheap", -1, by=BOB)
    assert await forget(database) == Erased(unnamed=1)
    assert await rows(database, predictions.c.id, predictions.c.asker_id) == {(mine, None), (theirs, BOB)}
    assert await rows(database, votes.c.prediction_id, votes.c.voter_id) == {(mine, BOB)}


async def test_erasing_the_last_known_asker_deletes_the_query(database: Database) -> None:
    for person in (ANN, BOB):
        await ask(database, SECRET, asker_id=person)
    await forget(database, ANN)
    await forget(database, BOB)
    assert await rows(database, predictions.c.id) == set()


async def test_a_direct_message_is_always_deleted(database: Database) -> None:
    await ask(database, asker_id=ANN, guild_id=None)
    theirs = await ask(database, asker_id=BOB)
    assert await forget(database) == Erased(queries=1)
    assert await rows(database, predictions.c.id) == {(theirs,)}


async def test_a_direct_message_of_another_person_does_not_keep_a_query(
    database: Database,
) -> None:
    await ask(database, SECRET, asker_id=ANN)
    theirs = await ask(database, SECRET, asker_id=BOB, guild_id=None)
    await forget(database)
    assert await rows(database, predictions.c.id) == {(theirs,)}


async def test_a_quiz_item_does_not_count_as_asking(database: Database) -> None:
    await ask(database, SECRET, asker_id=ANN)
    quizzed = await ask(database, SECRET, asker_id=BOB, quiz_at=NOON)
    await vote(database, quizzed, "cheap", 1, by=BOB)
    assert await forget(database, ANN) == Erased(queries=1, others_votes=1)
    assert await rows(database, predictions.c.id) == set()


async def test_erasing_a_quizzed_person_keeps_the_query_of_its_asker(database: Database) -> None:
    asked = await ask(database, SECRET, asker_id=ANN)
    quizzed = await ask(database, SECRET, asker_id=BOB, quiz_at=NOON)
    assert await forget(database, BOB) == Erased(unnamed=1)
    assert await rows(database, predictions.c.id, predictions.c.asker_id) == {(asked, ANN), (quizzed, None)}


async def test_forgetting_leaves_the_votes_of_others_on_the_sentences_of_the_quiz(database: Database) -> None:
    mine, theirs = [await ask(database, asker_id=person, quiz_at=NOON) for person in (ANN, BOB)]
    direct = await ask(database, asker_id=ANN, quiz_at=NOON, guild_id=None)
    await vote(database, direct, "cheap", 1, by=ANN)
    for item in (mine, theirs):
        for voter in (ANN, BOB):
            await vote(database, item, "cheap", 1, by=voter)
    assert await forget(database) == Erased(votes=3, queries=1, unnamed=1)
    assert await rows(database, predictions.c.id, predictions.c.asker_id) == {(mine, None), (theirs, BOB)}
    assert await rows(database, votes.c.prediction_id, votes.c.voter_id) == {(mine, BOB), (theirs, BOB)}
    assert await forget(database, BOB) == Erased(votes=2, unnamed=1)
    assert await rows(database, predictions.c.id, predictions.c.asker_id) == {(mine, None), (theirs, None)}


async def test_a_typed_text_goes_from_later_quiz_items_but_not_from_those_before_it(
    database: Database,
) -> None:
    before = await ask(database, SECRET, asker_id=BOB, quiz_at=NOON)
    await ask(database, SECRET, asker_id=ANN)
    await ask(database, SECRET, asker_id=BOB, quiz_at=NOON)
    await ask(database, SECRET, asker_id=ANN, quiz_at=NOON)
    assert await forget(database) == Erased(queries=2)
    assert await rows(database, predictions.c.id) == {(before,)}


async def test_quiz_items_of_a_text_go_with_the_last_person_who_typed_it(database: Database) -> None:
    await ask(database, SECRET, asker_id=ANN)
    await ask(database, SECRET, asker_id=BOB, quiz_at=NOON)
    await ask(database, SECRET, asker_id=CLEO)
    assert await forget(database, ANN) == Erased(unnamed=1)
    assert await forget(database, BOB) == Erased(unnamed=1)
    assert await forget(database, CLEO) == Erased(queries=1)
    assert await rows(database, predictions.c.id) == set()


async def test_of_their_row_only_an_opt_out_is_left(database: Database) -> None:
    await store_reliabilities(database, {ANN: 0.9, BOB: 0.8, CLEO: 0.7}, as_of=NOON)
    await privacy.opt_out(database, CLEO, now=NOON)
    await forget(database, ANN)
    await forget(database, CLEO)
    assert await rows(database, people) == {(BOB, None, 0.8, NOON), (CLEO, NOON, None, None)}


async def test_deleted_queries_are_removed_from_the_reports_of_runs(database: Database) -> None:
    await ask(database, SECRET, asker_id=ANN)
    await ask(database, asker_id=BOB)
    report = {
        "votes": 3,
        "changes": [{"query": SECRET, "before": []}, {"query": QUERY, "before": []}],
        "moved_words": {"came": {}, "went": {"cheap": 1}},
        "drift": {"since": 2, "grew": [{"word": "xylophone"}]},
    }
    for number in (0, 5):
        run_id = await open_run(database, "nightly", started_at=minutes(number), champion="v0001")
        await finish_run(database, run_id, "promoted", finished_at=minutes(number), report=report)
    erased = await forgetting.erase_person(database, ANN, since=minutes(3), now=NOW)
    assert erased.reports == 2
    earlier, later = [await get_run(database, run_id) for run_id in (1, 2)]
    assert earlier is not None
    assert later is not None
    changes = [{"query": QUERY, "before": []}]
    assert earlier.report == {**report, "changes": changes}
    assert later.report == {**report, "changes": [], "moved_words": None, "drift": {"since": 2, "grew": []}}


async def test_decisions_of_an_admin_stay_without_the_name(database: Database) -> None:
    for by in (ANN, BOB):
        await change_word(database, "denied", f"ugly{by}", is_added=True, by=by, champion="v0001", now=NOON)
    assert await forgetting.preview(database, ANN) == await forget(database) == Erased(decisions=1)
    anns, bobs = [await get_run(database, run_id) for run_id in (1, 2)]
    assert anns is not None
    assert bobs is not None
    assert anns.report == {"action": "add", "word": f"ugly{ANN}", "by": None}
    assert (bobs.report or {})["by"] == by_member(BOB)


async def test_twice_is_the_same_as_once(database: Database) -> None:
    await vote(database, await ask(database, asker_id=ANN), "cheap", 1, by=ANN)
    await forget(database)
    assert await forget(database) == Erased()


async def test_a_preview_says_the_same_and_changes_nothing(database: Database) -> None:
    prediction_id = await ask(database, SECRET, asker_id=ANN)
    for voter in (ANN, BOB):
        await vote(database, prediction_id, "cheap", 1, by=voter)
    preview = await forgetting.preview(database, ANN)
    assert await rows(database, votes.c.voter_id) == {(ANN,), (BOB,)}
    assert preview == await forget(database) == Erased(votes=1, queries=1, others_votes=1)


async def test_a_request_stays_until_it_is_closed(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=ANN, at=minutes(1))
    wanted = Request(ANN, minutes(2), minutes(1))
    assert await forgetting.request(database, ANN, now=minutes(2)) == wanted
    await forget(database)
    assert await forgetting.request(database, ANN, now=minutes(9)) == wanted
    assert await forgetting.requests(database) == [wanted]
    await forgetting.close_request(database, ANN)
    assert await forgetting.requests(database) == []


@pytest.fixture
async def copy(database: Database, tmp_path: Path) -> Path:
    """A copy that knows Ann and her question, in free pages too."""
    prediction_id = await ask(database, SECRET, asker_id=ANN)
    for voter in (ANN, BOB):
        await vote(database, prediction_id, "cheap", 1, by=voter)
    await vote(database, await ask(database, asker_id=BOB), "ugly", 1, by=BOB)
    await store_reliabilities(database, {ANN: 0.9})
    await forgetting.request(database, ANN, now=NOON)
    await database.compact()
    path = tmp_path / "copy.db"
    shutil.copy(tmp_path / "fillbot.db", path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE loose (text)")
        connection.executemany("INSERT INTO loose VALUES (?)", [(SECRET,)] * 200)
        connection.execute("DROP TABLE loose")
    connection.close()
    assert b"xylophone" in path.read_bytes()
    return path


def holding(path: Path, *needles: bytes) -> list[str]:
    """The files of a database that hold any of these bytes."""
    return [f.name for f in path.parent.glob(f"{path.name}*") if any(n in f.read_bytes() for n in needles)]


@of_sqlite
async def test_a_person_is_erased_from_a_copy_which_is_rewritten(copy: Path) -> None:
    erased = await forgetting.erase_in_file(copy, ANN, since=None, now=NOW)
    assert erased == Erased(votes=1, queries=1, others_votes=1)
    assert holding(copy, b"xylophone", ANN.to_bytes(8, "big")) == []
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT voter_id FROM votes").fetchall() == [(BOB,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT * FROM forgettings").fetchall() == []
    connection.close()
    assert await forgetting.erase_in_file(copy, ANN, since=None, now=NOW) == Erased()


@of_sqlite
async def test_a_copy_of_the_first_schema_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrate_to(path, "0001")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO predictions (id, channel_id, asker_id, query, query_hash, model_version, latency_ms,"
            " created_at) VALUES (1, 2, ?, ?, 'hash', 'v0001', 1, '2026-03-01 12:00:00.000000')",
            (ANN, SECRET),
        )
        connection.execute("INSERT INTO people (user_id) VALUES (?)", (ANN,))
    connection.close()
    assert await forgetting.erase_in_file(path, ANN, since=NOON, now=NOW) == Erased(queries=1)
    assert holding(path, b"xylophone", ANN.to_bytes(8, "big")) == []


@of_sqlite
async def test_a_file_that_is_not_a_database_of_fillbot_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("remember the milk")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE milk (litres)")
    connection.close()
    before = (tmp_path / "other.db").read_bytes()
    for name in ("notes", "other.db"):
        assert await forgetting.erase_in_file(tmp_path / name, ANN, since=None, now=NOW) is None
    assert (tmp_path / "other.db").read_bytes() == before


@of_sqlite
async def test_a_damaged_copy_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "torn.db"
    path.write_bytes(forgetting.SQLITE_HEADER + b"rubbish" * 500)
    with pytest.raises(DatabaseUnavailableError, match=r"torn\.db cannot be used"):
        await forgetting.erase_in_file(path, ANN, since=None, now=NOW)


@of_sqlite
async def test_nothing_is_left_in_the_database_and_its_log(database: Database, tmp_path: Path) -> None:
    prediction_id = await ask(database, SECRET, asker_id=ANN)
    await vote(database, prediction_id, "cheap", 1, by=ANN)
    path, needles = tmp_path / "fillbot.db", (b"xylophone", ANN.to_bytes(8, "big"))
    assert holding(path, *needles) != []
    await forget(database)
    assert await database.compact()
    assert holding(path, *needles) == []
    await ask(database)  # it can still be written


@of_sqlite
async def test_a_reader_keeps_the_log_from_being_emptied(database: Database) -> None:
    async with database.read() as connection:
        await connection.execute(select(people))
        async with database.write() as other:
            await other.execute(insert(people), {"user_id": 1})
        assert not await database.compact(rewrite=False)
    assert await database.compact(rewrite=False)


async def test_thumbs_that_were_undone_go_with_their_voter(database: Database) -> None:
    await ask(database, message_id=50, asker_id=BOB)
    for voter in (ANN, BOB):
        await apply_thumbs(database, [ThumbAdded(50, voter, "👍", NOON), ThumbsUndone(50, voter, NOON)])
    await forget(database)
    assert await rows(database, undone_thumbs.c.voter_id) == {(BOB,)}
