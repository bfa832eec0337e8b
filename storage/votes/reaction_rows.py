"""Read and write the votes that come from thumbs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import candidates, predictions, votes
from storage.votes.predictions import StoredVote

Owner = tuple[int, int]  # prediction and voter
Top = tuple[int, str]  # mask and word


@dataclass(frozen=True, slots=True)
class Reply:
    """A prediction with a reply; `tops` holds the top word of each mask."""

    prediction_id: int
    created_at: datetime
    tops: list[Top]


async def replies_of(connection: AsyncConnection, message_ids: Collection[int]) -> Mapping[int, Reply]:
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


async def stored_thumbs(
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


async def update_thumbs(connection: AsyncConnection, thumbs: Mapping[Owner, str | None]) -> None:
    """Store the thumbs without their votes: `upsert_votes` would change the dates of the votes."""
    noted = [
        {"prediction": prediction, "voter": voter, "noted": noted}
        for (prediction, voter), noted in sorted(thumbs.items())
    ]
    if not noted:
        return
    statement = (
        update(votes)
        .where(
            votes.c.prediction_id == bindparam("prediction"),
            votes.c.voter_id == bindparam("voter"),
            votes.c.via == "reaction",
        )
        .values(thumbs=bindparam("noted"))
    )
    await connection.execute(statement, noted)


async def delete_thumbs(connection: AsyncConnection, owners: Collection[Owner]) -> None:
    """Delete the votes from these owners' thumbs."""
    if not owners:
        return
    statement = delete(votes).where(
        votes.c.prediction_id == bindparam("prediction"),
        votes.c.voter_id == bindparam("voter"),
        votes.c.via == "reaction",
    )
    await connection.execute(statement, [{"prediction": p, "voter": v} for p, v in sorted(owners)])
