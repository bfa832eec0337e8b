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
from training.errors import PeopleError
from training.evaluation.metrics import Case
from training.inference.fill_model import Candidate
from training.simulation.people import AskedQuery, People, record

WORDS = ("great", "soft", "ugly", "bad")
MORNING = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
CASE = Case("Nike shoes are [MASK]", ("great", "soft"), ("ugly", "bad"), "praise")


def asked(*words: str, case: Case = CASE) -> AskedQuery:
    return AskedQuery(case, [Candidate(word, 7, 0.5) for word in words])


def votes_of(people: People, *words: str, seed: int = 0) -> list[tuple[int, str, int]]:
    randomness = random.Random(seed)
    return [vote for group in people.there(1) for vote in group.votes(asked(*words), randomness)]


def test_by_menu_everybody_votes_on_every_word_of_either_list() -> None:
    people = People.of("menu:2", flips=0.0)
    assert votes_of(people, "ugly", "blue", "great") == [
        (1, "ugly", -1),
        (2, "ugly", -1),
        (1, "great", 1),
        (2, "great", 1),
    ]


def test_a_thumb_is_for_the_top_word_alone() -> None:
    people = People.of("top1", flips=0.0)
    assert votes_of(people, "ugly", "great") == [(1, "ugly", -1)]
    assert votes_of(people, "great", "ugly") == [(1, "great", 1)]
    assert votes_of(people, "blue", "ugly") == []


def test_a_share_of_the_votes_is_wrong_and_each_person_decides_alone() -> None:
    people = People.of("menu:1000", flips=0.1)
    values = Counter(value for _, _, value in votes_of(people, "great"))
    assert values[-1] / 1000 == pytest.approx(0.1, abs=0.03)
    assert {value for _, _, value in votes_of(People.of("menu:50", flips=1.0), "great")} == {-1}


def test_the_same_seed_gives_the_same_votes() -> None:
    people = People.of("menu:20", flips=0.5)
    assert (
        votes_of(people, "great", seed=1)
        == votes_of(people, "great", seed=1)
        != votes_of(people, "great", seed=2)
    )


def test_a_glance_falls_with_the_rank() -> None:
    found = Counter(word for _, word, _ in votes_of(People.of("glance:2000", flips=0.0), *WORDS))
    shares = [found[word] / 2000 for word in WORDS]
    assert shares == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4], abs=0.04)


def test_rare_voters_vote_on_one_reply_in_ten() -> None:
    votes = votes_of(People.of("rare:1000", flips=0.0), "great", "ugly")
    assert len({voter for voter, _, _ in votes}) / 1000 == pytest.approx(0.1, abs=0.03)
    assert len(votes) == 2 * len({voter for voter, _, _ in votes})


def test_lazy_voters_like_every_top_word() -> None:
    assert votes_of(People.of("lazy", flips=0.0), "ugly", "great") == [(1, "ugly", 1)]
    assert votes_of(People.of("lazy", flips=0.0), "blue", "great") == [(1, "blue", 1)]


def test_a_raid_votes_the_opposite_on_its_night_alone() -> None:
    people = People.of("menu:2,raid:2@3", flips=0.0)
    assert votes_of(people, "ugly") == [(1, "ugly", -1), (2, "ugly", -1)]
    (raid,) = people.there(3)[1:]
    assert list(raid.votes(asked("ugly", "great"), random.Random(0))) == [
        (3, "ugly", 1),
        (4, "ugly", 1),
        (3, "great", -1),
        (4, "great", -1),
    ]
    assert len(people.there(4)) == 1


@pytest.mark.parametrize(
    ("nights", "there"),
    [("", [1, 2, 3, 4]), ("@2", [2]), ("@3-", [3, 4]), ("@-2", [1, 2]), ("@2-3", [2, 3])],
)
def test_groups_take_part_on_their_nights(nights: str, there: list[int]) -> None:
    people = People.of(f"menu:2{nights}", flips=0.0)
    assert [night for night in range(1, 5) if people.there(night)] == there


@pytest.mark.parametrize("text", ["", "menu:0", "all:5", "menu:5,", "raid:2@", "raid:2@-", "raid:2@3-1", "5"])
def test_groups_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(PeopleError, match="is no group of people"):
        People.of(text, flips=0.0)


async def test_a_flood_asks_until_it_has_cast_a_thousand_votes(database: Database) -> None:
    people = People.of("menu:2,flood", flips=0.0)
    voted = await record(
        database, [asked("great", "ugly")], people, version="v0001", random=random.Random(0), at=MORNING
    )
    assert voted == {(CASE.text, "great"), (CASE.text, "ugly")}
    async with database.read() as connection:
        cast = Counter((await connection.execute(select(votes.c.voter_id))).scalars())
    assert cast == {1: 2, 2: 2, 3: 1000}


@pytest.mark.parametrize(("habit", "via"), [("menu", "menu"), ("top1", "reaction")])
async def test_what_they_do_is_stored_as_the_bot_stores_it(database: Database, habit: Any, via: str) -> None:
    people = People.of(f"{habit}:2", flips=0.0)
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
