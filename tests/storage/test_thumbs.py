"""Changes of thumbs, however they are batched, end where one after the other would."""

import random

import pytest
from ballots import NOON, ask, minutes, vote
from databases import of_sqlite
from sqlalchemy import event

from storage import feedback
from storage.consensus import votes_on_query
from storage.database import Database
from storage.feedback import Value
from storage.thumbs import Cast, Cleared, ThumbChange, Withdrawn, apply_thumbs

MESSAGES = (1_400_000_000_000_000_001, 1_400_000_000_000_000_002, 7)  # the last is nobody's reply
VOTERS = (11, 12, 13)


def drawn(chance: random.Random, number: int) -> list[ThumbChange]:
    """Changes as people make them, in any order."""
    changes: list[ThumbChange] = []
    for nth in range(number):
        message, voter = chance.choice(MESSAGES), chance.choice(VOTERS)
        value: Value = chance.choice((1, -1))
        kind = chance.random()
        if kind < 0.6:
            changes.append(Cast(message, voter, value, minutes(nth)))
        elif kind < 0.9:
            changes.append(Withdrawn(message, voter, value))
        else:
            changes.append(Cleared(message, chance.choice((None, value))))
    return changes


def expected(changes: list[ThumbChange]) -> dict[tuple[int, int], Value]:
    """Message and voter → the thumb that stands, from the definition alone."""
    standing: dict[tuple[int, int], Value] = {}
    for change in changes:
        if isinstance(change, Cast):
            standing[change.message_id, change.voter_id] = change.value
            continue
        for message, voter in list(standing):
            its = message == change.message_id and change.value in (None, standing[message, voter])
            if its and (isinstance(change, Cleared) or change.voter_id == voter):
                del standing[message, voter]
    return {owner: value for owner, value in standing.items() if owner[0] != MESSAGES[-1]}


@pytest.mark.parametrize("seed", range(12))
async def test_any_batching_ends_the_same(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    for message, masks in zip(MESSAGES[:2], (1, 2), strict=True):
        prediction = await ask(database, masks=masks, message_id=message)
        await vote(database, prediction, "ugly", -1, by=VOTERS[0], via="menu")
    changes = drawn(chance, 40)
    left = list(changes)
    counts = []
    while left:
        size = chance.choice((1, 2, 5, 13))
        counts += await apply_thumbs(database, left[:size])
        left = left[size:]
    assert len(counts) == len(changes)
    for message, masks in zip(MESSAGES[:2], (1, 2), strict=True):
        stored = await feedback.votes_on_message(database, message)
        thumbs = sorted((v.voter_id, v.mask_index, v.word, v.value) for v in stored if v.via == "reaction")
        assert thumbs == sorted(
            (voter, mask, "cheap", value)
            for (of, voter), value in expected(changes).items()
            if of == message
            for mask in range(masks)
        )
        assert sum(v.via == "menu" for v in stored) == 1


async def test_counts_say_what_each_change_touched(database: Database) -> None:
    await ask(database, masks=2, message_id=MESSAGES[0])
    changes = [
        Cast(MESSAGES[0], 11, 1, NOON),
        Cast(MESSAGES[0], 12, -1, NOON),
        Withdrawn(MESSAGES[0], 11, -1),
        Withdrawn(MESSAGES[0], 11, 1),
        Cast(MESSAGES[2], 11, 1, NOON),
        Cleared(MESSAGES[0]),
        Cleared(MESSAGES[0]),
    ]
    assert await apply_thumbs(database, changes) == [2, 2, 0, 2, 0, 2, 0]


async def test_nothing_to_apply(database: Database) -> None:
    assert await apply_thumbs(database, []) == []


@of_sqlite
async def test_no_hot_query_reads_a_whole_table(database: Database) -> None:
    """What every query and every thumb runs, as SQLite would run it on a large database."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append(statement)

    prediction = await ask(database, message_id=MESSAGES[0])
    event.listen(database._engine.sync_engine, "before_cursor_execute", note)
    await apply_thumbs(database, [Cast(MESSAGES[0], 11, 1, NOON)])
    await apply_thumbs(database, [Withdrawn(MESSAGES[0], 11, 1)])
    await votes_on_query(database, "0" * 32)
    await feedback.attach_messages(database, {prediction: MESSAGES[1]})
    await feedback.prediction_of_message(database, MESSAGES[1])
    await feedback.mark_deleted(database, [MESSAGES[1]], NOON)
    assert len(seen) >= 7
    async with database.read() as connection:
        for statement in seen:
            holes = [None] * statement.count("?")
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(holes))
            details = [row.detail for row in plan]
            assert not [each for each in details if each.startswith("SCAN")], (statement, details)
