"""A person's last vote is found and taken back as a whole, and the one before it stays."""

from support.ballots import NOON, ask, minutes, vote, votes_on_message

from storage.database import Database
from storage.votes.menu_votes import store_choices, suggest_words
from storage.votes.reactions import ThumbAdded, apply_thumbs
from storage.votes.undo import last_vote, withdraw

ANN, BOB = 7, 8
MESSAGE = 50


async def test_votes_are_taken_back_from_the_last_to_the_first(database: Database) -> None:
    prediction = await ask(database, masks=2, message_id=MESSAGE)
    await vote(database, prediction, "cheap", 1, by=BOB, at=minutes(9))
    await store_choices(
        database, prediction, voter_id=ANN, value=-1, words=[(0, "ugly"), (1, "ugly")], cast_at=NOON
    )
    await apply_thumbs(database, [ThumbAdded(MESSAGE, ANN, "👍", minutes(1))])
    await suggest_words(database, prediction, voter_id=ANN, words=[(0, "airy")], cast_at=minutes(2))

    found = []
    for _ in range(2):
        last = await last_vote(database, ANN)
        assert last is not None
        found.append((last.via, last.words))
        if last.via == "suggestion":
            assert await withdraw(database, ANN, last) == 1
    assert found == [
        ("suggestion", ((0, "airy", 1),)),
        ("reaction", ((0, "cheap", 1), (1, "cheap", 1))),
    ]
    assert {v.voter_id for v in await votes_on_message(database, MESSAGE)} == {ANN, BOB}


async def test_a_choice_is_taken_back_with_all_its_words(database: Database) -> None:
    prediction = await ask(database, message_id=MESSAGE)
    await store_choices(database, prediction, voter_id=ANN, value=1, words=[(0, "cheap")], cast_at=NOON)
    await store_choices(database, prediction, voter_id=ANN, value=-1, words=[(0, "ugly")], cast_at=minutes(1))
    last = await last_vote(database, ANN)
    assert last is not None
    assert (last.words, last.message_id) == (((0, "ugly", -1),), MESSAGE)
    assert await withdraw(database, ANN, last) == 1
    assert await withdraw(database, ANN, last) == 0  # it is gone
    assert [v.word for v in await votes_on_message(database, MESSAGE)] == ["cheap"]


async def test_without_a_vote_there_is_no_last_one(database: Database) -> None:
    await ask(database)
    assert await last_vote(database, ANN) is None
