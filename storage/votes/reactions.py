"""Thumbs under replies → votes on the top word of each mask.

A person can add several thumbs to one reply: 👍 and 👎, in several skin tones, each also as a super reaction.
Discord adds and removes them independently. The vote is the sign of the newest remaining thumb; removing the
last thumb withdraws the vote.

A thumb is encoded as its emoji, followed by `SUPER` for a super reaction. `votes.thumbs` holds the remaining
thumbs, oldest first. It is NULL in rows older than the column: their thumbs are unknown until read back.

A person can also take a vote back with a command. The thumbs stay in Discord then, and `undone_thumbs` holds
them, so that they are not read back; one counts again once the person removes and adds it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.people.tombstones import has_tombstone, read_tombstones
from storage.schema import candidates, predictions, undone_thumbs, votes
from storage.votes.predictions import DEFAULT_WEIGHT, StoredVote, upsert_votes
from storage.votes.standing import Value, is_opted_in

SIGNS: dict[str, Value] = {"👍": 1, "👎": -1}  # in the order in which replies show them
SUPER = "*"
SEPARATOR = ","
Owner = tuple[int, int]  # prediction and voter
OF_OWNER = (
    votes.c.prediction_id == bindparam("prediction"),
    votes.c.voter_id == bindparam("voter"),
    votes.c.via == "reaction",
)


@dataclass(frozen=True, slots=True)
class ThumbAdded:
    """A person added a thumb, which decides their vote; `weight` is how much it counts by their roles."""

    message_id: int
    voter_id: int
    thumb: str
    cast_at: datetime
    weight: float = DEFAULT_WEIGHT


@dataclass(frozen=True, slots=True)
class ThumbRemoved:
    """A person removed a thumb; the newest remaining one decides their vote."""

    message_id: int
    voter_id: int
    thumb: str
    withdrawn_at: datetime


@dataclass(frozen=True, slots=True)
class ThumbsCleared:
    """A moderator cleared all thumbs under a reply (`emoji` None), or one emoji with its super reactions."""

    message_id: int
    cleared_at: datetime
    emoji: str | None = None


@dataclass(frozen=True, slots=True)
class ThumbsUndone:
    """A person took back the vote of their thumbs, which stay in Discord."""

    message_id: int
    voter_id: int
    undone_at: datetime


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


@dataclass(frozen=True, slots=True)
class Reply:
    """A prediction with a reply; `tops` holds the mask and the top word of each mask."""

    prediction_id: int
    created_at: datetime
    tops: list[tuple[int, str]]


ThumbChange = ThumbAdded | ThumbRemoved | ThumbsCleared | ThumbsUndone | ThumbsRead
Undone = dict[Owner, tuple[list[str], datetime]]  # thumbs that were undone, and when


@retried
async def apply_thumbs(database: Database, changes: Sequence[ThumbChange]) -> list[int]:
    """Apply changes in order, in one idempotent transaction.

    Returns:
        How many votes each change cast or withdrew; 0 for messages that are not replies.
    """
    async with database.write() as connection:
        await lock_votes_shared(connection, {change.message_id for change in changes})
        replies = await _replies_of(connection, {change.message_id for change in changes})
        before = await _stored_thumbs(connection, {reply.prediction_id for reply in replies.values()})
        is_read_back = any(isinstance(change, ThumbsRead) for change in changes)
        forgotten = await connection.run_sync(read_tombstones) if is_read_back else {}
        known = await _stored_undone(connection, {reply.prediction_id for reply in replies.values()})
        after, undone, counts = dict(before), dict(known), []
        for change in changes:
            reply = replies.get(change.message_id)
            if reply is None:
                counts.append(0)
                continue
            effective = _without_undone(change, after, undone, reply)
            counts.append(_apply(effective, after, reply, forgotten))
        await _store(connection, before, after)
        await _store_undone(connection, known, undone)
    return counts


async def reaction_votes(database: Database, message_id: int) -> dict[int, Value]:
    """Return voter → the vote of the reactions under a reply, as stored."""
    query = (
        select(votes.c.voter_id, votes.c.value)
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(predictions.c.message_id == message_id, votes.c.via == "reaction")
    )
    return {row.voter_id: row.value for row in await database.fetch(query)}


async def query_with_thumbs(database: Database, message_id: int) -> str | None:
    """Return the query of a reply with a stored thumb of a person who did not opt out; otherwise None."""
    voted = exists().where(
        votes.c.prediction_id == predictions.c.id, votes.c.via == "reaction", is_opted_in(votes.c.voter_id)
    )
    query = select(predictions.c.query).where(predictions.c.message_id == message_id, voted)
    found: str | None = await database.fetch_value(query)
    return found


async def may_have_unknown_thumbs(database: Database, message_id: int, voter_id: int) -> bool:
    """Whether no thumb of a person under a reply is stored, though there may be some in Discord.

    That is the case after a person added both thumbs while the bot was offline.
    """
    stored = exists().where(
        votes.c.prediction_id == predictions.c.id, votes.c.voter_id == voter_id, votes.c.via == "reaction"
    )
    query = select(predictions.c.id).where(predictions.c.message_id == message_id, ~stored)
    return await database.fetch_first(query) is not None


def sign(thumb: str) -> Value:
    """Return the value of a thumb's vote."""
    return SIGNS[thumb[0]]


async def _replies_of(connection: AsyncConnection, message_ids: Collection[int]) -> Mapping[int, Reply]:
    """Return message → reply, for messages that are replies."""
    top = (candidates.c.prediction_id == predictions.c.id) & (candidates.c.rank == 0)
    rows = await connection.execute(
        select(
            predictions.c.message_id,
            predictions.c.id,
            predictions.c.created_at,
            candidates.c.mask_index,
            candidates.c.word,
        )
        .join(candidates, top)
        .where(predictions.c.message_id.in_(message_ids))
    )
    replies: dict[int, Reply] = {}
    for message_id, prediction_id, created_at, mask_index, word in rows:
        reply = replies.setdefault(message_id, Reply(prediction_id, created_at, []))
        reply.tops.append((mask_index, word))
    return replies


async def _stored_thumbs(
    connection: AsyncConnection, prediction_ids: Collection[int]
) -> dict[Owner, list[StoredVote]]:
    """Return the votes from thumbs on some predictions, by owner."""
    rows = await connection.execute(
        select(votes).where(votes.c.prediction_id.in_(prediction_ids), votes.c.via == "reaction")
    )
    standing: dict[Owner, list[StoredVote]] = {}
    for row in rows:
        vote = StoredVote(**row._mapping)
        standing.setdefault((vote.prediction_id, vote.voter_id), []).append(vote)
    return standing


async def _stored_undone(connection: AsyncConnection, prediction_ids: Collection[int]) -> Undone:
    """Return the undone thumbs on some predictions, by owner."""
    rows = await connection.execute(
        select(undone_thumbs).where(undone_thumbs.c.prediction_id.in_(prediction_ids))
    )
    return {(row.prediction_id, row.voter_id): (row.thumbs.split(SEPARATOR), row.undone_at) for row in rows}


async def _store_undone(connection: AsyncConnection, before: Undone, after: Undone) -> None:
    for owner in sorted({*before, *after}):
        if before.get(owner) == after.get(owner):
            continue
        mine = (undone_thumbs.c.prediction_id == owner[0], undone_thumbs.c.voter_id == owner[1])
        await connection.execute(delete(undone_thumbs).where(*mine))
        if owner in after:
            thumbs, undone_at = after[owner]
            await connection.execute(
                insert(undone_thumbs).values(
                    prediction_id=owner[0],
                    voter_id=owner[1],
                    thumbs=SEPARATOR.join(thumbs),
                    undone_at=undone_at,
                )
            )


def _without_undone(
    change: ThumbChange, standing: dict[Owner, list[StoredVote]], undone: Undone, reply: Reply
) -> ThumbChange:
    """Update the undone thumbs by a change, and return the change without thumbs that stay undone."""
    if isinstance(change, ThumbAdded | ThumbRemoved):
        _drop_undone(undone, (reply.prediction_id, change.voter_id), (change.thumb,))
    elif isinstance(change, ThumbsCleared):
        for owner in [owner for owner in undone if owner[0] == reply.prediction_id]:
            cleared = undone[owner][0] if change.emoji is None else (change.emoji, change.emoji + SUPER)
            _drop_undone(undone, owner, cleared)
    elif isinstance(change, ThumbsUndone):
        owner = reply.prediction_id, change.voter_id
        if stored := standing.get(owner):
            known = _thumbs(stored) or [thumb for thumb, value in SIGNS.items() if value == stored[0].value]
            thumbs = dict.fromkeys([*undone.get(owner, ([], None))[0], *known])
            undone[owner] = list(thumbs), change.undone_at
    else:
        given = {
            voter: thumbs - set(undone.get((reply.prediction_id, voter), ([], None))[0])
            for voter, thumbs in change.given.items()
        }
        return replace(change, given=given)
    return change


def _drop_undone(undone: Undone, owner: Owner, gone: Collection[str]) -> None:
    """Remove thumbs that were added again, or removed in Discord."""
    if owner in undone:
        thumbs, undone_at = undone.pop(owner)
        if left := [one for one in thumbs if one not in gone]:
            undone[owner] = left, undone_at


async def _store(
    connection: AsyncConnection,
    before: Mapping[Owner, list[StoredVote]],
    after: Mapping[Owner, list[StoredVote]],
) -> None:
    gone = [{"prediction": p, "voter": v} for p, v in sorted(before.keys() - after.keys())]
    changed = {owner: stored for owner, stored in after.items() if stored != before.get(owner)}
    # Only the thumbs behind these changed, not the votes, whose dates `upsert_votes` would change.
    noted = {
        owner
        for owner, stored in changed.items()
        if _without_thumbs(stored) == _without_thumbs(before.get(owner))
    }
    if gone:
        await connection.execute(delete(votes).where(*OF_OWNER), gone)
    await upsert_votes(
        connection, [vote for owner, stored in changed.items() if owner not in noted for vote in stored]
    )
    if noted:
        rows = [{"prediction": p, "voter": v, "noted": changed[p, v][0].thumbs} for p, v in sorted(noted)]
        statement = update(votes).where(*OF_OWNER).values(thumbs=bindparam("noted"))
        await connection.execute(statement, rows)


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
        kept = _thumbs(standing.get((reply.prediction_id, change.voter_id))) or []
        thumbs = [one for one in kept if one != change.thumb] + [change.thumb]
        return _set_thumbs(standing, reply, change.voter_id, thumbs, change.cast_at, change.weight)
    if isinstance(change, ThumbRemoved):
        owner = reply.prediction_id, change.voter_id
        return _withdraw(standing, owner, (change.thumb,), change.withdrawn_at)
    if isinstance(change, ThumbsUndone):
        return len(standing.pop((reply.prediction_id, change.voter_id), ()))
    owners = [owner for owner in standing if owner[0] == reply.prediction_id]
    if change.emoji is None:
        return sum(len(standing.pop(owner)) for owner in owners)
    gone = change.emoji, change.emoji + SUPER
    return sum(_withdraw(standing, owner, gone, change.cleared_at) for owner in owners)


def _withdraw(
    standing: dict[Owner, list[StoredVote]], owner: Owner, gone: Sequence[str], at: datetime
) -> int:
    """Remove some thumbs of one value from an owner's."""
    stored = standing.get(owner)
    if not stored:
        return 0
    thumbs = _thumbs(stored)
    left = [one for one in thumbs or () if one not in gone]
    if left == thumbs or (thumbs is None and stored[0].value != sign(gone[0])):
        return 0
    if not left:
        return len(standing.pop(owner))
    value, text = sign(left[-1]), SEPARATOR.join(left)
    is_turned = value != stored[0].value
    standing[owner] = [
        replace(vote, value=value, cast_at=at if is_turned else vote.cast_at, thumbs=text) for vote in stored
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
