"""Thumbs under replies → votes on the top word of each mask; many changes in one transaction, in order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.feedback import StoredVote, Value, upsert_votes
from storage.forgotten import forgotten_people, is_forgotten
from storage.postgres import vote_beside_others
from storage.retrying import retried
from storage.schema import candidates, predictions, votes

Owner = tuple[int, int]  # prediction and voter: whose thumb it is
Top = tuple[int, str]  # mask and word


@dataclass(frozen=True, slots=True)
class Cast:
    """A person gives a thumb: it replaces the one they gave before."""

    message_id: int
    voter_id: int
    value: Value
    cast_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person takes a thumb back: only the one that stands can be."""

    message_id: int
    voter_id: int
    value: Value


@dataclass(frozen=True, slots=True)
class Cleared:
    """Everybody's thumbs under a reply go, or those of one value."""

    message_id: int
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class ReadBack:
    """All thumbs that stand under a reply, as Discord says at `read_at`: who gives which; some give both."""

    message_id: int
    up: frozenset[int]
    down: frozenset[int]
    read_at: datetime


ThumbChange = Cast | Withdrawn | Cleared | ReadBack


@dataclass(frozen=True, slots=True)
class _Reply:
    """A prediction under its reply; `tops` are the top words, one a mask."""

    prediction_id: int
    created_at: datetime
    tops: list[Top]


@retried
async def apply_thumbs(database: Database, changes: Sequence[ThumbChange]) -> list[int]:
    """Apply changes one after the other, in one transaction; twice is the same as once.

    Returns:
        For each change how many votes it cast or took away: 0 for a message that is no reply of ours.
    """
    async with database.write() as connection:
        await vote_beside_others(connection, {change.message_id for change in changes})
        replies = await _replies(connection, {change.message_id for change in changes})
        before = await _standing(connection, {reply.prediction_id for reply in replies.values()})
        is_read_back = any(isinstance(change, ReadBack) for change in changes)
        forgotten = await connection.run_sync(forgotten_people) if is_read_back else {}
        after, counts = dict(before), []
        for change in changes:
            reply = replies.get(change.message_id)
            counts.append(_apply(change, after, reply, forgotten) if reply else 0)
        await _delete(connection, before.keys() - after.keys())
        changed = [stored for owner, stored in after.items() if stored != before.get(owner)]
        await upsert_votes(connection, [vote for stored in changed for vote in stored])
    return counts


def _apply(
    change: ThumbChange,
    standing: dict[Owner, list[StoredVote]],
    reply: _Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Change what stands; returns how many votes that touched."""
    if isinstance(change, ReadBack):
        return _read_back(change, standing, reply, forgotten)
    if isinstance(change, Cast):
        return _cast(change, standing, reply)
    gone = [
        owner
        for owner, stored in standing.items()
        if owner[0] == reply.prediction_id
        and (isinstance(change, Cleared) or owner[1] == change.voter_id)
        and (change.value is None or any(vote.value == change.value for vote in stored))
    ]
    return sum(len(standing.pop(owner)) for owner in gone)


def _cast(change: Cast, standing: dict[Owner, list[StoredVote]], reply: _Reply) -> int:
    owner = reply.prediction_id, change.voter_id
    kept = standing.get(owner) or [
        StoredVote(reply.prediction_id, mask, word, change.voter_id, "reaction", change.value, change.cast_at)
        for mask, word in reply.tops
    ]
    standing[owner] = [replace(vote, value=change.value, cast_at=change.cast_at) for vote in kept]
    return len(kept)


def _read_back(
    change: ReadBack,
    standing: dict[Owner, list[StoredVote]],
    reply: _Reply,
    forgotten: Mapping[str, datetime],
) -> int:
    """Let the votes be what Discord shows.

    Who gives both thumbs keeps the vote that is stored, if any. Who was forgotten after the reply, and has
    given no thumb since then that was seen, stays forgotten.
    """
    gone = [
        owner
        for owner in standing
        if owner[0] == reply.prediction_id and owner[1] not in change.up | change.down
    ]
    count = sum(len(standing.pop(owner)) for owner in gone)
    values: tuple[tuple[frozenset[int], Value], ...] = ((change.up, 1), (change.down, -1))
    for voters, value in values:
        for voter in sorted(voters - (change.up & change.down)):
            stored = standing.get((reply.prediction_id, voter))
            if stored and stored[0].value == value:
                continue
            if not stored and forgotten and is_forgotten(forgotten, voter, reply.created_at):
                continue
            cast = Cast(change.message_id, voter, value, change.read_at)
            count += _cast(cast, standing, reply)
    return count


async def _replies(connection: AsyncConnection, message_ids: Collection[int]) -> Mapping[int, _Reply]:
    """Message → the reply's prediction; messages that are no replies are left out."""
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
    replies: dict[int, _Reply] = {}
    for message_id, prediction_id, created_at, mask_index, word in rows:
        reply = replies.setdefault(message_id, _Reply(prediction_id, created_at, []))
        reply.tops.append((mask_index, word))
    return replies


async def _standing(
    connection: AsyncConnection, prediction_ids: Collection[int]
) -> dict[Owner, list[StoredVote]]:
    """The thumbs that stand on some predictions, by whose they are."""
    rows = await connection.execute(
        select(votes).where(votes.c.prediction_id.in_(prediction_ids), votes.c.via == "reaction")
    )
    standing: dict[Owner, list[StoredVote]] = {}
    for row in rows:
        vote = StoredVote(**row._mapping)
        standing.setdefault((vote.prediction_id, vote.voter_id), []).append(vote)
    return standing


async def _delete(connection: AsyncConnection, owners: Collection[Owner]) -> None:
    if not owners:
        return
    statement = delete(votes).where(
        votes.c.prediction_id == bindparam("prediction"),
        votes.c.voter_id == bindparam("voter"),
        votes.c.via == "reaction",
    )
    await connection.execute(statement, [{"prediction": p, "voter": v} for p, v in sorted(owners)])
