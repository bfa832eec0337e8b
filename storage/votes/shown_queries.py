"""Which queries can be shown again to people who can read the channels where they were asked."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.standing import is_opted_in


def is_shown_in(channel_ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a prediction can be shown to people who can read these channels of servers.

    Excludes direct messages, deleted and unsent replies, quiz items, and predictions whose asker or author
    opted out.
    """
    return and_(
        predictions.c.guild_id.is_not(None),
        predictions.c.channel_id.in_(channel_ids),
        predictions.c.message_id.is_not(None),
        predictions.c.deleted_at.is_(None),
        predictions.c.quiz_at.is_(None),
        *(
            or_(person.is_(None), is_opted_in(person))
            for person in (predictions.c.asker_id, predictions.c.author_id)
        ),
    )


async def voted_queries(database: Database, channel_ids: Collection[int]) -> dict[str, str]:
    """Return hash → newest text of queries of these channels that have votes in any channel."""
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
    return {row.query_hash: row.query for row in await database.fetch(statement)}
