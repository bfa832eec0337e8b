"""Replies whose thumbs may have changed unseen, with what is stored of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select

from storage.backends.retries import retried
from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.reactions import SIGNS


@dataclass(frozen=True, slots=True)
class RecentReply:
    """A reply that is not known to be deleted.

    Attributes:
        prediction_id: what it shows.
        guild_id: None in a direct message.
        channel_id: where it is.
        message_id: None where the bot was stopped between sending it and noting that.
        created_at: when the prediction was made, moments before it was sent.
        up: how many 👍 are stored, of any skin tone: a person may give several.
        down: how many 👎 are.
    """

    prediction_id: int
    guild_id: int | None
    channel_id: int
    message_id: int | None
    created_at: datetime
    up: int
    down: int


@retried
async def recent_replies(
    database: Database, since: datetime, *, limit: int, shards: tuple[tuple[int, ...], int] = ((0,), 1)
) -> list[RecentReply]:
    """Of the newest `limit` predictions those made since then, and not known to be deleted; newest first.

    `shards`: only those of servers of these shards, of so many in all; direct messages are shard 0's.
    """
    ids, count = shards
    newest_first = select(predictions).order_by(predictions.c.id.desc()).limit(limit)
    if len(ids) < count:
        shard = (func.coalesce(predictions.c.guild_id, 0) // (1 << 22)) % count
        newest_first = newest_first.where(shard.in_(ids))
    last = newest_first.subquery()
    newest = (
        select(last.c.id, last.c.guild_id, last.c.channel_id, last.c.message_id, last.c.created_at)
        .where(last.c.created_at >= since, last.c.deleted_at.is_(None))
        .subquery()
    )
    # One row a person: a thumb under a reply with several masks is a vote on each.
    thumbs = (
        select(
            votes.c.prediction_id,
            votes.c.voter_id,
            *(func.max(_number_of(emoji)).label(name) for name, emoji in (("up", "👍"), ("down", "👎"))),
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
    async with database.read() as connection:
        return [RecentReply(*row) for row in await connection.execute(statement)]


def _number_of(emoji: str) -> ColumnElement[int]:
    """How many thumbs behind a vote are this one, in any skin tone; by its value where none are known."""
    known = func.length(votes.c.thumbs) - func.length(func.replace(votes.c.thumbs, emoji, ""))
    by_value = case((votes.c.value == SIGNS[emoji], 1), else_=0)
    return func.coalesce(known, by_value)
