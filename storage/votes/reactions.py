"""Thumbs under replies → votes on the top word of each mask; many changes in one transaction, in order.

A person may give several thumbs under one reply: 👍 and 👎, the same thumb in several skin tones, and each as
a super reaction too. Discord adds and removes every one of them by itself. The vote is the sign of the thumb
that was given last among those that stand; it is withdrawn with the last of them.

A thumb is written as its emoji, with `SUPER` behind it for a super reaction. `votes.thumbs` holds those that
stand, oldest first; NULL: stored before they were kept, so that they are not known until they are read back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.people.tombstones import has_tombstone, read_tombstones
from storage.schema import predictions, votes
from storage.votes.predictions import StoredVote, Value, upsert_votes
from storage.votes.reaction_rows import Owner, Reply, delete_thumbs, replies_of, stored_thumbs, update_thumbs

SIGNS: dict[str, Value] = {"👍": 1, "👎": -1}
PLAIN = {value: emoji for emoji, value in SIGNS.items()}
SUPER = "*"
SEPARATOR = ","


@dataclass(frozen=True, slots=True)
class Cast:
    """A person gives a thumb: it decides their vote. `thumb` None is the plain one of this value."""

    message_id: int
    voter_id: int
    value: Value
    cast_at: datetime
    thumb: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person takes a thumb back: another of theirs that stands decides their vote, if there is one.

    Attributes:
        thumb: None is the plain one of this value.
        withdrawn_at: None dates a vote that changes by this as it was dated before.
    """

    message_id: int
    voter_id: int
    value: Value
    thumb: str | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cleared:
    """Everybody's thumbs under a reply go, or one emoji with its super reactions.

    Attributes:
        value: None: all thumbs.
        emoji: None is the plain thumb of this value.
        cleared_at: None dates votes that change by this as they were dated before.
    """

    message_id: int
    value: Value | None = None
    emoji: str | None = None
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadBack:
    """All thumbs that stand under a reply, as Discord says at `read_at`: who gives which.

    `strangers`: people who may not vote any more: their thumbs count as far as they are stored.
    """

    message_id: int
    given: Mapping[int, frozenset[str]]
    read_at: datetime
    strangers: frozenset[int] = frozenset()


ThumbChange = Cast | Withdrawn | Cleared | ReadBack


@retried
async def apply_thumbs(database: Database, changes: Sequence[ThumbChange]) -> list[int]:
    """Apply changes one after the other, in one transaction; twice is the same as once.

    Returns:
        For each change how many votes it cast or took away: 0 for a message that is no reply of ours.
    """
    async with database.write() as connection:
        await lock_votes_shared(connection, {change.message_id for change in changes})
        replies = await replies_of(connection, {change.message_id for change in changes})
        before = await stored_thumbs(connection, {reply.prediction_id for reply in replies.values()})
        is_read_back = any(isinstance(change, ReadBack) for change in changes)
        forgotten = await connection.run_sync(read_tombstones) if is_read_back else {}
        after, counts = dict(before), []
        for change in changes:
            reply = replies.get(change.message_id)
            counts.append(_apply(change, after, reply, forgotten) if reply else 0)
        await delete_thumbs(connection, before.keys() - after.keys())
        changed = {owner: stored for owner, stored in after.items() if stored != before.get(owner)}
        noted = {owner for owner, stored in changed.items() if _votes(stored) == _votes(before.get(owner))}
        cast = [vote for owner, stored in changed.items() if owner not in noted for vote in stored]
        await upsert_votes(connection, cast)
        await update_thumbs(connection, {owner: changed[owner][0].thumbs for owner in noted})
    return counts


@retried
async def may_have_unknown_thumbs(database: Database, message_id: int, voter_id: int) -> bool:
    """Whether a person may give thumbs under a reply of which none is stored.

    So it is with who gave both thumbs while nobody listened.
    """
    async with database.read() as connection:
        prediction_id = await connection.scalar(
            select(predictions.c.id).where(predictions.c.message_id == message_id)
        )
        if prediction_id is None:
            return False
        stored = await connection.scalar(
            select(votes.c.word)
            .where(
                votes.c.prediction_id == prediction_id,
                votes.c.voter_id == voter_id,
                votes.c.via == "reaction",
            )
            .limit(1)
        )
        return stored is None


def sign(thumb: str) -> Value:
    """What a thumb votes."""
    return SIGNS[thumb[0]]


def _apply(
    change: ThumbChange,
    standing: dict[Owner, list[StoredVote]],
    reply: Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Change what stands; returns how many votes that touched."""
    if isinstance(change, ReadBack):
        return _read_back(change, standing, reply, forgotten)
    if isinstance(change, Cast):
        return _cast(change, standing, reply)
    if isinstance(change, Withdrawn):
        owner = reply.prediction_id, change.voter_id
        gone = {change.thumb or PLAIN[change.value]}
        return _withdraw(standing, owner, gone, change.value, change.withdrawn_at)
    owners = [owner for owner in standing if owner[0] == reply.prediction_id]
    if change.value is None:
        return sum(len(standing.pop(owner)) for owner in owners)
    emoji = change.emoji or PLAIN[change.value]
    gone = {emoji, emoji + SUPER}
    return sum(_withdraw(standing, owner, gone, change.value, change.cleared_at) for owner in owners)


def _cast(change: Cast, standing: dict[Owner, list[StoredVote]], reply: Reply) -> int:
    owner = reply.prediction_id, change.voter_id
    thumb = change.thumb or PLAIN[change.value]
    thumbs = [one for one in _thumbs(standing.get(owner)) or () if one != thumb] + [thumb]
    return _stand(standing, reply, change.voter_id, thumbs, change.cast_at)


def _withdraw(
    standing: dict[Owner, list[StoredVote]],
    owner: Owner,
    gone: Collection[str],
    value: Value,
    at: datetime | None,
) -> int:
    """Take thumbs of one value away from one person's."""
    stored = standing.get(owner)
    if not stored:
        return 0
    thumbs = _thumbs(stored)
    left = [one for one in thumbs or () if one not in gone]
    if left == thumbs or (thumbs is None and stored[0].value != value):
        return 0
    if not left:
        return len(standing.pop(owner))
    is_turned = sign(left[-1]) != stored[0].value
    standing[owner] = [
        replace(
            vote,
            value=sign(left[-1]),
            cast_at=at if at and is_turned else vote.cast_at,
            thumbs=SEPARATOR.join(left),
        )
        for vote in stored
    ]
    return len(stored) if is_turned else 0


def _read_back(
    change: ReadBack,
    standing: dict[Owner, list[StoredVote]],
    reply: Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Let the votes be what Discord shows.

    Who gives both thumbs keeps the vote that is stored, if any. Who was forgotten after the reply, and has
    given no thumb since then that was seen, stays forgotten.
    """
    counted = dict(change.given)
    for voter in change.strangers & counted.keys():
        counted[voter] = _known(counted[voter], standing.get((reply.prediction_id, voter)))
    gone = [owner for owner in standing if owner[0] == reply.prediction_id and not counted.get(owner[1])]
    count = sum(len(standing.pop(owner)) for owner in gone)
    for voter, given in sorted(counted.items()):
        owner = reply.prediction_id, voter
        stored = standing.get(owner)
        signs = {sign(thumb) for thumb in given}
        if stored and stored[0].value in signs:
            thumbs = SEPARATOR.join(_in_order(given, stored))
            standing[owner] = [replace(vote, thumbs=thumbs) for vote in stored]
            continue
        if len(signs) != 1 or (
            not stored and forgotten and has_tombstone(forgotten, voter, reply.created_at)
        ):
            continue
        count += _stand(standing, reply, voter, _in_order(given, stored), change.read_at)
    return count


def _known(given: frozenset[str], stored: list[StoredVote] | None) -> frozenset[str]:
    """Those of some thumbs that are stored."""
    thumbs = _thumbs(stored)
    if thumbs is not None:
        return given & frozenset(thumbs)
    return frozenset(one for one in given if stored and sign(one) == stored[0].value)


def _in_order(given: Collection[str], stored: list[StoredVote] | None) -> list[str]:
    """Thumbs as they were probably given: those not heard of first, and last one that votes as is stored."""
    known = _thumbs(stored) or []
    value = stored[0].value if stored else 0

    def order(thumb: str) -> tuple[int, int, str]:
        return int(sign(thumb) == value), known.index(thumb) if thumb in known else -1, thumb

    return sorted(given, key=order)


def _stand(
    standing: dict[Owner, list[StoredVote]], reply: Reply, voter_id: int, thumbs: list[str], at: datetime
) -> int:
    """Let these be a person's thumbs, of which the last one votes. Returns how many votes that are."""
    value = sign(thumbs[-1])
    owner = reply.prediction_id, voter_id
    kept = standing.get(owner) or [
        StoredVote(reply.prediction_id, mask, word, voter_id, "reaction", value, at)
        for mask, word in reply.tops
    ]
    text = SEPARATOR.join(thumbs)
    standing[owner] = [replace(vote, value=value, cast_at=at, thumbs=text) for vote in kept]
    return len(kept)


def _thumbs(stored: list[StoredVote] | None) -> list[str] | None:
    """A person's thumbs, oldest first; None where they are not known."""
    if not stored:
        return []
    return None if stored[0].thumbs is None else stored[0].thumbs.split(SEPARATOR)


def _votes(stored: list[StoredVote] | None) -> list[StoredVote]:
    """The votes without the thumbs behind them."""
    return [replace(vote, thumbs=None) for vote in stored or ()]
