"""Which queries may be shown again to people who may read the channels that they were asked in."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, func, select

from storage.backends.retries import retried
from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.standing import is_opted_in


def is_shown_in(channel_ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a prediction may be shown to people who may read these channels of servers.

    Left out: direct messages, replies that were deleted or never sent, what a quiz asked again, and what
    people asked who opted out.
    """
    return and_(
        predictions.c.guild_id.is_not(None),
        predictions.c.channel_id.in_(channel_ids),
        predictions.c.message_id.is_not(None),
        predictions.c.deleted_at.is_(None),
        predictions.c.quiz_at.is_(None),
        is_opted_in(predictions.c.asker_id),
    )


@retried
async def voted_queries(database: Database, channel_ids: Collection[int]) -> dict[str, str]:
    """Queries of these channels that somebody voted on anywhere: hash → text, as it was asked there last."""
    other = predictions.alias()
    newest = (
        select(func.max(predictions.c.id))
        .where(
            is_shown_in(channel_ids),
            exists().where(
                other.c.query_hash == predictions.c.query_hash, votes.c.prediction_id == other.c.id
            ),
        )
        .group_by(predictions.c.query_hash)
    )
    statement = select(predictions.c.query_hash, predictions.c.query).where(predictions.c.id.in_(newest))
    async with database.read() as connection:
        return {row.query_hash: row.query for row in await connection.execute(statement)}
