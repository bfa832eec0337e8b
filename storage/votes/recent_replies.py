"""Recent replies with their stored thumbs, to find those that changed while the bot was offline."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.reactions import SIGNS
from storage.votes.sources import NOT_IMPORTED


@dataclass(frozen=True, slots=True)
class RecentReply:
    """A reply that is not known to be deleted.

    Attributes:
        prediction_id: The prediction it shows.
        guild_id: None in a direct message.
        channel_id: The channel of the reply.
        message_id: None if the bot stopped between sending the reply and storing its id.
        created_at: When the prediction was made, shortly before the reply was sent.
        up: The number of stored 👍 in any skin tone; a person can add several.
        down: The number of stored 👎.
    """

    prediction_id: int
    guild_id: int | None
    channel_id: int
    message_id: int | None
    created_at: datetime
    up: int
    down: int


def shard_of(guild_id: Any, count: int) -> Any:
    """Return the shard that Discord assigns to a guild; works on ids and on columns of ids."""
    return guild_id // (1 << 22) % count


async def recent_replies(
    database: Database, since: datetime, *, limit: int, shards: tuple[tuple[int, ...], int] = ((0,), 1)
) -> list[RecentReply]:
    """Return the replies made since a time among the newest `limit` predictions, newest first.

    Imported sentences have no reply and are not counted. `shards` holds shard ids and the number of shards;
    direct messages belong to shard 0.
    """
    ids, count = shards
    newest_first = select(predictions).where(NOT_IMPORTED).order_by(predictions.c.id.desc()).limit(limit)
    if len(ids) < count:
        shard = shard_of(func.coalesce(predictions.c.guild_id, 0), count)
        newest_first = newest_first.where(shard.in_(ids))
    last = newest_first.subquery()
    newest = (
        select(last.c.id, last.c.guild_id, last.c.channel_id, last.c.message_id, last.c.created_at)
        .where(last.c.created_at >= since, last.c.deleted_at.is_(None))
        .subquery()
    )
    # One row per person, as a thumb under a reply with several masks is a vote on each mask.
    thumbs = (
        select(
            votes.c.prediction_id,
            votes.c.voter_id,
            *(
                func.max(_count_of(emoji)).label(name)
                for name, emoji in zip(("up", "down"), SIGNS, strict=True)
            ),
        )
        .where(votes.c.prediction_id.in_(select(newest.c.id)), votes.c.via == "reaction")
        .group_by(votes.c.prediction_id, votes.c.voter_id)
        .subquery()
    )
    counted = (
        select(
            thumbs.c.prediction_id,
            func.sum(thumbs.c.up).label("up"),
            func.sum(thumbs.c.down).label("down"),
        )
        .group_by(thumbs.c.prediction_id)
        .subquery()
    )
    statement = (
        select(newest, func.coalesce(counted.c.up, 0), func.coalesce(counted.c.down, 0))
        .join(counted, counted.c.prediction_id == newest.c.id, isouter=True)
        .order_by(newest.c.id.desc())
    )
    return [RecentReply(*row) for row in await database.fetch(statement)]


def _count_of(emoji: str) -> ColumnElement[int]:
    """Count the thumbs of one emoji behind a vote, in any skin tone; unknown thumbs count by its value."""
    known = func.length(votes.c.thumbs) - func.length(func.replace(votes.c.thumbs, emoji, ""))
    by_value = case((votes.c.value == SIGNS[emoji], 1), else_=0)
    return func.coalesce(known, by_value)
