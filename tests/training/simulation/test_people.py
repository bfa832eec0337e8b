"""People who vote by the words of a file."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from bot.answering.queries import parse_query
from storage.database import Database
from storage.schema import candidates, predictions, votes
from training.evaluation.metrics import Case
from training.inference.fill_model import Candidate
from training.simulation.people import AskedQuery, People, record

MORNING = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
CASE = Case("Nike shoes are [MASK]", ("great", "soft"), ("ugly",), "praise")


def asked(*words: str, case: Case = CASE) -> AskedQuery:
    return AskedQuery(case, [Candidate(word, 7, 0.5) for word in words])


def votes_of(people: People, *words: str, seed: int = 0) -> list[tuple[int, str, int]]:
    return list(people.votes(asked(*words), random.Random(seed)))


def test_by_menu_everybody_votes_on_every_word_of_either_list() -> None:
    people = People(voters=2, flips=0.0, habit="menu")
    assert votes_of(people, "ugly", "blue", "great") == [
        (1, "ugly", -1),
        (2, "ugly", -1),
        (1, "great", 1),
        (2, "great", 1),
    ]


def test_a_thumb_is_for_the_top_word_alone() -> None:
    people = People(voters=1, flips=0.0, habit="top1")
    assert votes_of(people, "ugly", "great") == [(1, "ugly", -1)]
    assert votes_of(people, "great", "ugly") == [(1, "great", 1)]
    assert votes_of(people, "blue", "ugly") == []


def test_so_many_votes_are_wrong_and_each_person_decides_alone() -> None:
    people = People(voters=1000, flips=0.1, habit="menu")
    values = Counter(value for _, _, value in votes_of(people, "great"))
    assert values[-1] / 1000 == pytest.approx(0.1, abs=0.03)
    assert {value for _, _, value in votes_of(People(50, 1.0, "menu"), "great")} == {-1}


def test_the_same_seed_gives_the_same_votes() -> None:
    people = People(voters=20, flips=0.5, habit="menu")
    assert (
        votes_of(people, "great", seed=1)
        == votes_of(people, "great", seed=1)
        != votes_of(people, "great", seed=2)
    )


@pytest.mark.parametrize(("habit", "via"), [("menu", "menu"), ("top1", "reaction")])
async def test_what_they_do_is_stored_as_the_bot_stores_it(database: Database, habit: Any, via: str) -> None:
    people = People(voters=2, flips=0.0, habit=habit)
    other = Case("Nike boots are [MASK].", ("great",), (), "praise")
    both = [asked("great", "ugly"), asked("great", case=other)]
    await record(database, both, people, version="v0001", random=random.Random(0), at=MORNING)
    statement = select(votes, predictions.c.query, predictions.c.query_hash, predictions.c.model_version)
    async with database.read() as connection:
        rows = (await connection.execute(statement.join(predictions))).all()
        shown = (await connection.execute(select(candidates.c.word, candidates.c.score))).all()
    query = parse_query(CASE.text, max_chars=200, max_masks=1)
    mine = [row for row in rows if row.query == query.stored]
    assert {row.query_hash for row in mine} == {query.hash}
    assert {(row.via, row.cast_at, row.model_version) for row in mine} == {(via, MORNING, "v0001")}
    voted = {(row.word, row.voter_id, row.value) for row in mine}
    assert {("great", 1, 1), ("great", 2, 1)} <= voted
    assert (("ugly", 2, -1) in voted) == (habit == "menu")
    assert len(rows) == len(mine) + 2
    assert shown == [("great", 0.5), ("ugly", 0.5), ("great", 0.5)]
