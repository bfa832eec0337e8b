"""Thumbs under replies → votes on the top word of each mask.

A person can add several thumbs to one reply: 👍 and 👎, in several skin tones, each also as a super reaction.
Discord adds and removes them independently. The vote is the sign of the newest remaining thumb; removing the
last thumb withdraws the vote.

A thumb is encoded as its emoji, followed by `SUPER` for a super reaction. `votes.thumbs` holds the remaining
thumbs, oldest first. It is NULL in rows older than the column: their thumbs are unknown until read back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.people.tombstones import has_tombstone, read_tombstones
from storage.schema import predictions, votes
from storage.votes.predictions import DEFAULT_WEIGHT, StoredVote, Value, upsert_votes
from storage.votes.reaction_rows import Owner, Reply, delete_thumbs, replies_of, stored_thumbs, update_thumbs

SIGNS: dict[str, Value] = {"👍": 1, "👎": -1}
PLAIN = {value: emoji for emoji, value in SIGNS.items()}
SUPER = "*"
SEPARATOR = ","


@dataclass(frozen=True, slots=True)
class ThumbAdded:
    """A person added a thumb, which decides their vote. `thumb` None means the plain one of `value`.

    `weight` is how much the vote counts by the person's roles.
    """

    message_id: int
    voter_id: int
    value: Value
    cast_at: datetime
    thumb: str | None = None
    weight: float = DEFAULT_WEIGHT


@dataclass(frozen=True, slots=True)
class ThumbRemoved:
    """A person removed a thumb; the newest remaining one decides their vote.

    `thumb` None means the plain one of `value`. `withdrawn_at` None leaves the date of a changed vote.
    """

    message_id: int
    voter_id: int
    value: Value
    thumb: str | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ThumbsCleared:
    """A moderator cleared all thumbs under a reply (`value` None) or one emoji with its super reactions.

    `emoji` None means the plain thumb of `value`. `cleared_at` None leaves the dates of changed votes.
    """

    message_id: int
    value: Value | None = None
    emoji: str | None = None
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ThumbsRead:
    """All thumbs under a reply as read from Discord at `read_at`: voter → thumbs.

    Thumbs of `non_members`, who are no longer allowed to vote, count only if they are stored already. Votes
    that are new or change get the `weights` of their voters, or else the default.
    """

    message_id: int
    given: Mapping[int, frozenset[str]]
    read_at: datetime
    non_members: frozenset[int] = frozenset()
    weights: Mapping[int, float] = field(default_factory=dict)


ThumbChange = ThumbAdded | ThumbRemoved | ThumbsCleared | ThumbsRead


@retried
async def apply_thumbs(database: Database, changes: Sequence[ThumbChange]) -> list[int]:
    """Apply changes in order, in one idempotent transaction.

    Returns:
        How many votes each change cast or withdrew; 0 for messages that are not replies.
    """
    async with database.write() as connection:
        await lock_votes_shared(connection, {change.message_id for change in changes})
        replies = await replies_of(connection, {change.message_id for change in changes})
        before = await stored_thumbs(connection, {reply.prediction_id for reply in replies.values()})
        is_read_back = any(isinstance(change, ThumbsRead) for change in changes)
        forgotten = await connection.run_sync(read_tombstones) if is_read_back else {}
        after, counts = dict(before), []
        for change in changes:
            reply = replies.get(change.message_id)
            counts.append(_apply(change, after, reply, forgotten) if reply else 0)
        await delete_thumbs(connection, before.keys() - after.keys())
        changed = {owner: stored for owner, stored in after.items() if stored != before.get(owner)}
        noted = {
            owner
            for owner, stored in changed.items()
            if _without_thumbs(stored) == _without_thumbs(before.get(owner))
        }
        cast = [vote for owner, stored in changed.items() if owner not in noted for vote in stored]
        await upsert_votes(connection, cast)
        await update_thumbs(connection, {owner: changed[owner][0].thumbs for owner in noted})
    return counts


@retried
async def reaction_votes(database: Database, message_id: int) -> dict[int, Value]:
    """Voter → the vote of the reactions under a reply, as stored."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(votes.c.voter_id, votes.c.value)
            .join(predictions, predictions.c.id == votes.c.prediction_id)
            .where(predictions.c.message_id == message_id, votes.c.via == "reaction")
        )
        return {row[0]: row[1] for row in rows}


@retried
async def may_have_unknown_thumbs(database: Database, message_id: int, voter_id: int) -> bool:
    """Whether no thumb of a person under a reply is stored, though there may be some in Discord.

    That is the case after a person added both thumbs while the bot was offline.
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
    """Return the value of a thumb's vote."""
    return SIGNS[thumb[0]]


def _apply(
    change: ThumbChange,
    standing: dict[Owner, list[StoredVote]],
    reply: Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Apply a change to `standing`; return how many votes it cast or withdrew."""
    if isinstance(change, ThumbsRead):
        return _read_back(change, standing, reply, forgotten)
    if isinstance(change, ThumbAdded):
        return _cast(change, standing, reply)
    if isinstance(change, ThumbRemoved):
        owner = reply.prediction_id, change.voter_id
        gone = {change.thumb or PLAIN[change.value]}
        return _withdraw(standing, owner, gone, change.value, change.withdrawn_at)
    owners = [owner for owner in standing if owner[0] == reply.prediction_id]
    if change.value is None:
        return sum(len(standing.pop(owner)) for owner in owners)
    emoji = change.emoji or PLAIN[change.value]
    gone = {emoji, emoji + SUPER}
    return sum(_withdraw(standing, owner, gone, change.value, change.cleared_at) for owner in owners)


def _cast(change: ThumbAdded, standing: dict[Owner, list[StoredVote]], reply: Reply) -> int:
    owner = reply.prediction_id, change.voter_id
    thumb = change.thumb or PLAIN[change.value]
    thumbs = [one for one in _thumbs(standing.get(owner)) or () if one != thumb] + [thumb]
    return _set_thumbs(standing, reply, change.voter_id, thumbs, change.cast_at, change.weight)


def _withdraw(
    standing: dict[Owner, list[StoredVote]],
    owner: Owner,
    gone: Collection[str],
    value: Value,
    at: datetime | None,
) -> int:
    """Remove some thumbs of one value from an owner's."""
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
    change: ThumbsRead,
    standing: dict[Owner, list[StoredVote]],
    reply: Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Make the votes match the thumbs in Discord.

    A person with both thumbs keeps their stored vote, if any. A person who was forgotten after the reply was
    made gets no vote unless they have added a thumb since.
    """
    counted = dict(change.given)
    for voter in change.non_members & counted.keys():
        counted[voter] = _stored_only(counted[voter], standing.get((reply.prediction_id, voter)))
    gone = [owner for owner in standing if owner[0] == reply.prediction_id and not counted.get(owner[1])]
    count = sum(len(standing.pop(owner)) for owner in gone)
    for voter, given in sorted(counted.items()):
        owner = reply.prediction_id, voter
        stored = standing.get(owner)
        signs = {sign(thumb) for thumb in given}
        if stored and stored[0].value in signs:
            thumbs = SEPARATOR.join(_by_likely_age(given, stored))
            standing[owner] = [replace(vote, thumbs=thumbs) for vote in stored]
            continue
        if len(signs) != 1 or (
            not stored and forgotten and has_tombstone(forgotten, voter, reply.created_at)
        ):
            continue
        ordered, weight = _by_likely_age(given, stored), change.weights.get(voter, DEFAULT_WEIGHT)
        count += _set_thumbs(standing, reply, voter, ordered, change.read_at, weight)
    return count


def _stored_only(given: frozenset[str], stored: list[StoredVote] | None) -> frozenset[str]:
    """Return the given thumbs that are stored."""
    thumbs = _thumbs(stored)
    if thumbs is not None:
        return given & frozenset(thumbs)
    return frozenset(one for one in given if stored and sign(one) == stored[0].value)


def _by_likely_age(given: Collection[str], stored: list[StoredVote] | None) -> list[str]:
    """Order thumbs by likely age: unknown ones first, one with the value of the stored vote last."""
    known = _thumbs(stored) or []
    value = stored[0].value if stored else 0

    def order(thumb: str) -> tuple[int, int, str]:
        return int(sign(thumb) == value), known.index(thumb) if thumb in known else -1, thumb

    return sorted(given, key=order)


def _set_thumbs(
    standing: dict[Owner, list[StoredVote]],
    reply: Reply,
    voter_id: int,
    thumbs: list[str],
    at: datetime,
    weight: float,
) -> int:
    """Set an owner's thumbs, the last of which votes. Returns the number of votes."""
    value = sign(thumbs[-1])
    owner = reply.prediction_id, voter_id
    kept = standing.get(owner) or [
        StoredVote(reply.prediction_id, mask, word, voter_id, "reaction", value, at)
        for mask, word in reply.tops
    ]
    text = SEPARATOR.join(thumbs)
    standing[owner] = [replace(vote, value=value, cast_at=at, thumbs=text, weight=weight) for vote in kept]
    return len(kept)


def _thumbs(stored: list[StoredVote] | None) -> list[str] | None:
    """Return the thumbs behind stored votes, oldest first; None if unknown."""
    if not stored:
        return []
    return None if stored[0].thumbs is None else stored[0].thumbs.split(SEPARATOR)


def _without_thumbs(stored: list[StoredVote] | None) -> list[StoredVote]:
    return [replace(vote, thumbs=None) for vote in stored or ()]
