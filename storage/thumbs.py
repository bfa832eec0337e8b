"""Thumbs under replies → votes on the top word of each mask; many changes in one transaction, in order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.feedback import StoredVote, Value, upsert_votes
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


ThumbChange = Cast | Withdrawn | Cleared


async def apply_thumbs(database: Database, changes: Sequence[ThumbChange]) -> list[int]:
    """Apply changes one after the other, in one transaction; twice is the same as once.

    Returns:
        For each change how many votes it cast or took away: 0 for a message that is no reply of ours.
    """
    async with database.write() as connection:
        replies = await _replies(connection, {change.message_id for change in changes})
        before = await _standing(connection, {prediction for prediction, _ in replies.values()})
        after, counts = dict(before), []
        for change in changes:
            reply = replies.get(change.message_id)
            counts.append(_apply(change, after, *reply) if reply else 0)
        await _delete(connection, before.keys() - after.keys())
        changed = [stored for owner, stored in after.items() if stored != before.get(owner)]
        await upsert_votes(connection, [vote for stored in changed for vote in stored])
    return counts


def _apply(
    change: ThumbChange, standing: dict[Owner, list[StoredVote]], prediction: int, tops: Sequence[Top]
) -> int:
    """Change what stands; returns how many votes that touched."""
    if isinstance(change, Cast):
        owner = prediction, change.voter_id
        kept = standing.get(owner) or [
            StoredVote(prediction, mask, word, change.voter_id, "reaction", change.value, change.cast_at)
            for mask, word in tops
        ]
        standing[owner] = [replace(vote, value=change.value, cast_at=change.cast_at) for vote in kept]
        return len(kept)
    gone = [
        owner
        for owner, stored in standing.items()
        if owner[0] == prediction
        and (isinstance(change, Cleared) or owner[1] == change.voter_id)
        and (change.value is None or any(vote.value == change.value for vote in stored))
    ]
    return sum(len(standing.pop(owner)) for owner in gone)


async def _replies(
    connection: AsyncConnection, message_ids: Collection[int]
) -> Mapping[int, tuple[int, list[Top]]]:
    """Message → its prediction and the top word of each mask; messages that are no replies are left out."""
    top = (candidates.c.prediction_id == predictions.c.id) & (candidates.c.rank == 0)
    rows = await connection.execute(
        select(predictions.c.message_id, predictions.c.id, candidates.c.mask_index, candidates.c.word)
        .join(candidates, top)
        .where(predictions.c.message_id.in_(message_ids))
    )
    replies: dict[int, tuple[int, list[Top]]] = {}
    for message_id, prediction_id, mask_index, word in rows:
        replies.setdefault(message_id, (prediction_id, []))[1].append((mask_index, word))
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
