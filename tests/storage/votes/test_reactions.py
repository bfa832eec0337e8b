"""Changes of thumbs have the same result however they are batched."""

import random
from collections import defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import event
from support.ballots import NOON, ask, minutes, vote, votes_on_message
from support.databases import of_sqlite

from storage.database import Database
from storage.votes import predictions
from storage.votes.consensus import votes_on_query
from storage.votes.reactions import (
    ThumbAdded,
    ThumbChange,
    ThumbRemoved,
    ThumbsCleared,
    ThumbsRead,
    ThumbsUndone,
    apply_thumbs,
    sign,
)
from storage.votes.recent_replies import recent_replies
from storage.votes.standing import Value

MESSAGES = (1_400_000_000_000_000_001, 1_400_000_000_000_000_002, 7)  # the last is nobody's reply
VOTERS = (11, 12, 13)
THUMBS = ("👍", "👍🏽", "👍🏽*", "👎", "👎🏿")


def drawn(chance: random.Random, number: int) -> list[ThumbChange]:
    """Changes as people make them, in any order."""
    changes: list[ThumbChange] = []
    for nth in range(number):
        message, voter = chance.choice(MESSAGES), chance.choice(VOTERS)
        thumb = chance.choice(THUMBS)
        emoji = thumb.removesuffix("*")
        kind = chance.random()
        if kind < 0.6:
            changes.append(ThumbAdded(message, voter, thumb, minutes(nth)))
        elif kind < 0.9:
            changes.append(ThumbRemoved(message, voter, thumb, minutes(nth)))
        else:
            changes.append(chance.choice((ThumbsCleared(message, NOON), ThumbsCleared(message, NOON, emoji))))
    return changes


def expected(changes: list[ThumbChange]) -> dict[tuple[int, int], Value]:
    """Message and voter → the vote that stands, from the definition alone."""
    given: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)  # thumb → when
    for nth, change in enumerate(changes):
        if isinstance(change, ThumbAdded):
            given[change.message_id, change.voter_id][change.thumb] = nth
        elif isinstance(change, ThumbRemoved):
            given[change.message_id, change.voter_id].pop(change.thumb, None)
        elif isinstance(change, ThumbsCleared):
            for (message, _), thumbs in given.items():
                if message == change.message_id:
                    gone = {one for one in thumbs if change.emoji in (None, one.removesuffix("*"))}
                    for thumb in gone:
                        del thumbs[thumb]
    return {
        owner: sign(max(thumbs, key=lambda thumb: thumbs[thumb]))
        for owner, thumbs in given.items()
        if thumbs and owner[0] != MESSAGES[-1]
    }


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
        stored = await votes_on_message(database, message)
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
        ThumbAdded(MESSAGES[0], 11, "👍", NOON),
        ThumbAdded(MESSAGES[0], 12, "👎", NOON),
        ThumbRemoved(MESSAGES[0], 11, "👎", NOON),
        ThumbRemoved(MESSAGES[0], 11, "👍", NOON),
        ThumbAdded(MESSAGES[2], 11, "👍", NOON),
        ThumbsCleared(MESSAGES[0], NOON),
        ThumbsCleared(MESSAGES[0], NOON),
    ]
    assert await apply_thumbs(database, changes) == [2, 2, 0, 2, 0, 2, 0]


async def test_nothing_to_apply(database: Database) -> None:
    assert await apply_thumbs(database, []) == []


async def standing(database: Database) -> dict[int, tuple[int, str | None]]:
    """Voter → what their thumbs vote, and which they are."""
    stored = await votes_on_message(database, MESSAGES[0])
    return {vote.voter_id: (vote.value, vote.thumbs) for vote in stored if vote.via == "reaction"}


async def test_reading_back_keeps_the_vote_of_a_person_who_gives_both_thumbs(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    await apply_thumbs(
        database, [ThumbAdded(MESSAGES[0], 11, "👍", NOON), ThumbAdded(MESSAGES[0], 12, "👎", NOON)]
    )
    both = frozenset({"👍", "👎🏿"})
    await apply_thumbs(database, [ThumbsRead(MESSAGES[0], {11: both, 12: both, 13: both}, minutes(1))])
    assert await standing(database) == {11: (1, "👎🏿,👍"), 12: (-1, "👍,👎🏿")}


async def test_thumbs_that_were_read_back_can_be_taken_back_one_by_one(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    await apply_thumbs(database, [ThumbsRead(MESSAGES[0], {11: frozenset({"👍", "👍🏽*"})}, NOON)])
    await apply_thumbs(
        database, [ThumbRemoved(MESSAGES[0], 11, "👍🏽", NOON)]
    )  # that one is a super reaction
    await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👍", NOON)])
    assert await standing(database) == {11: (1, "👍🏽*")}
    await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👍🏽*", NOON)])
    assert await standing(database) == {}


async def test_taking_one_of_two_tones_back_leaves_the_time_of_the_vote(database: Database) -> None:
    """Else it would count as later than what the person voted on the same query in between."""
    first = await ask(database, message_id=MESSAGES[0])
    await apply_thumbs(
        database, [ThumbAdded(MESSAGES[0], 11, "👍", NOON), ThumbAdded(MESSAGES[0], 11, "👍🏽", NOON)]
    )
    await vote(database, first, "cheap", -1, by=11, at=minutes(5), via="menu")
    await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👍", minutes(9))])
    thumb, menu = await votes_on_message(database, MESSAGES[0])
    assert (thumb.cast_at, thumb.thumbs, menu.cast_at) == (NOON, "👍🏽", minutes(5))


async def test_a_vote_without_stored_thumbs_is_withdrawn_with_its_thumb(database: Database) -> None:
    prediction = await ask(database, message_id=MESSAGES[0])
    await vote(database, prediction, "cheap", 1, by=11)
    assert await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👎", NOON)]) == [0]
    assert await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👍🏽", NOON)]) == [1]
    assert await standing(database) == {}


async def test_all_thumbs_of_a_person_are_stored(database: Database) -> None:
    """Discord counts each; replies whose numbers differ are read again and again."""
    asked = await ask(database, message_id=MESSAGES[0], masks=2)
    given = [(11, "👍"), (11, "👍🏽"), (11, "👍🏽*"), (11, "👎"), (12, "👎🏿")]
    await apply_thumbs(database, [ThumbAdded(MESSAGES[0], who, thumb, NOON) for who, thumb in given])
    await vote(database, asked, "cheap", 1, by=13)
    (reply,) = await recent_replies(database, NOON - timedelta(days=9), limit=10)
    assert (reply.up, reply.down) == (4, 2)


@of_sqlite
async def test_no_hot_query_reads_a_whole_table(database: Database) -> None:
    """What every query and every thumb runs, as SQLite would run it on a large database."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append(statement)

    prediction = await ask(database, message_id=MESSAGES[0])
    event.listen(database._engine.sync_engine, "before_cursor_execute", note)
    await apply_thumbs(database, [ThumbAdded(MESSAGES[0], 11, "👍", NOON)])
    await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👍", NOON)])
    await votes_on_query(database, "0" * 32)
    await predictions.attach_messages(database, {prediction: MESSAGES[1]})
    await predictions.prediction_of_message(database, MESSAGES[1])
    await predictions.mark_deleted(database, [MESSAGES[1]], NOON)
    assert len(seen) >= 7
    async with database.read() as connection:
        for statement in seen:
            holes = [None] * statement.count("?")
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(holes))
            details = [row.detail for row in plan]
            assert not [each for each in details if each.startswith("SCAN")], (statement, details)


async def weights(database: Database) -> dict[int, float]:
    return {vote.voter_id: vote.weight for vote in await votes_on_message(database, MESSAGES[0])}


async def test_a_vote_keeps_the_weight_that_it_was_cast_with(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    await apply_thumbs(
        database,
        [ThumbAdded(MESSAGES[0], 11, "👍", NOON, weight=2.0), ThumbAdded(MESSAGES[0], 12, "👍", NOON)],
    )
    assert await weights(database) == {11: 2.0, 12: 1.0}
    up, down = frozenset({"👍"}), frozenset({"👎"})
    given = {11: up, 12: down, 13: up}
    later = {11: 0.5, 12: 3.0}
    await apply_thumbs(database, [ThumbsRead(MESSAGES[0], given, minutes(1), weights=later)])
    assert await weights(database) == {11: 2.0, 12: 3.0, 13: 1.0}
    await apply_thumbs(database, [ThumbAdded(MESSAGES[0], 11, "👎", minutes(2), weight=0.5)])
    await apply_thumbs(database, [ThumbRemoved(MESSAGES[0], 11, "👎", NOON)])
    assert (await weights(database))[11] == 0.5


async def test_an_undone_thumb_is_not_read_back_until_it_is_added_again(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    message, given = MESSAGES[0], {11: frozenset(("👍",)), 12: frozenset(("👎",))}
    read = ThumbsRead(message, given, minutes(3))

    async def standing() -> list[tuple[int, int]]:
        return [(v.voter_id, v.value) for v in await votes_on_message(database, message)]

    added = [ThumbAdded(message, 11, "👍", NOON), ThumbAdded(message, 12, "👎", minutes(1))]
    assert await apply_thumbs(database, [*added, ThumbsUndone(message, 11, minutes(2))]) == [1, 1, 1]
    await apply_thumbs(database, [read])
    assert await standing() == [(12, -1)]
    # The other thumb counts, and does not bring the first one back.
    await apply_thumbs(database, [ThumbAdded(message, 11, "👎", minutes(4))])
    both = ThumbsRead(message, {**given, 11: frozenset(("👍", "👎"))}, minutes(5))
    await apply_thumbs(database, [both])
    assert sorted(await standing()) == [(11, -1), (12, -1)]
    await apply_thumbs(database, [ThumbRemoved(message, 11, "👎", minutes(6)), read])
    assert await standing() == [(12, -1)]
    # Removed and added again, it counts, and is read back.
    again = [ThumbRemoved(message, 11, "👍", minutes(7)), ThumbAdded(message, 11, "👍", minutes(8))]
    assert await apply_thumbs(database, [*again, read]) == [0, 1, 0]
    assert sorted(await standing()) == [(11, 1), (12, -1)]


async def test_clearing_the_thumbs_of_a_reply_clears_the_undone_ones(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    message = MESSAGES[0]
    undone = [ThumbAdded(message, 11, "👍", NOON), ThumbsUndone(message, 11, NOON)]
    read = ThumbsRead(message, {11: frozenset(("👍",))}, minutes(2))
    await apply_thumbs(database, [*undone, ThumbsCleared(message, minutes(1), "👎"), read])
    assert await votes_on_message(database, message) == []
    await apply_thumbs(database, [ThumbsCleared(message, minutes(1), "👍"), read])
    assert [v.value for v in await votes_on_message(database, message)] == [1]


async def test_nothing_is_undone_without_a_vote(database: Database) -> None:
    await ask(database, message_id=MESSAGES[0])
    read = ThumbsRead(MESSAGES[0], {11: frozenset(("👍",))}, minutes(2))
    assert await apply_thumbs(database, [ThumbsUndone(MESSAGES[0], 11, NOON), read]) == [0, 1]
