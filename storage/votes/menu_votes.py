"""Words chosen in the menus under a reply, or suggested there → votes.

Every function is one transaction, and doing it twice is the same as doing it once.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.errors import PredictionGoneError
from storage.schema import candidates, predictions, votes
from storage.votes.predictions import StoredVote, Value, upsert_votes
from storage.votes.standing import is_opted_in, standing_votes

SEEN_FOR = timedelta(minutes=10)  # longer than between two clicks, shorter than until one comes back
MaskWord = tuple[int, str]  # mask index and word


@dataclass(frozen=True, slots=True)
class Ratable:
    """A prediction whose words can be rated.

    Attributes:
        channel_id: where it was replied.
        message_id: the reply; None while it is being sent.
        words: those offered, best first within each mask, then those suggested that somebody's vote is on.
    """

    id: int
    channel_id: int
    message_id: int | None
    words: tuple[MaskWord, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What one person's votes on a prediction say: a menu or a suggestion beats a thumb.

    `is_counted` is False for somebody who opted out.
    """

    liked: tuple[MaskWord, ...] = ()
    disliked: tuple[MaskWord, ...] = ()
    is_counted: bool = True


@retried
async def ratable(database: Database, prediction_id: int) -> Ratable | None:
    """What can be rated; None for a prediction that there is not."""
    async with database.read() as connection:
        row = (
            await connection.execute(
                select(predictions.c.channel_id, predictions.c.message_id).where(
                    predictions.c.id == prediction_id
                )
            )
        ).first()
        if row is None:
            return None
        offered = await connection.execute(
            select(candidates.c.mask_index, candidates.c.word)
            .where(candidates.c.prediction_id == prediction_id)
            .order_by(candidates.c.mask_index, candidates.c.rank)
        )
        # Of others too: a word stays for who rated it when the one who suggested it takes it back.
        suggested = await connection.execute(
            select(votes.c.mask_index, votes.c.word)
            .where(votes.c.prediction_id == prediction_id, votes.c.via != "reaction")
            .order_by(votes.c.cast_at, votes.c.mask_index, votes.c.word)
        )
        words = dict.fromkeys([*map(tuple, offered), *map(tuple, suggested)])
    return Ratable(prediction_id, row.channel_id, row.message_id, tuple(words))


@retried
async def choose_words(
    database: Database,
    prediction_id: int,
    *,
    voter_id: int,
    value: Value,
    words: Collection[MaskWord],
    cast_at: datetime,
    drawn_at: datetime | None = None,
) -> Standing:
    """Add the words that a person chose in one menu, and withdraw those they saw chosen and left out.

    Discord shows what was chosen until the message is edited, or until the person looks at another channel,
    of which it does not tell. So what was chosen before an edit, or longer ago than `SEEN_FOR`, stays: it is
    withdrawn in the other menu, or all at once with `withdraw_choices`. A menu that is emptied was seen.

    Args:
        drawn_at: when the message with the menu was edited last; None: never.

    Raises:
        PredictionGoneError: it was deleted meanwhile.
    """
    seen = [
        votes.c.prediction_id == prediction_id,
        votes.c.voter_id == voter_id,
        votes.c.via == "menu",
        votes.c.value == value,
        votes.c.drawn_at == drawn_at,
    ]
    if words:
        seen.append(votes.c.cast_at >= cast_at - SEEN_FOR)
    async with database.write() as connection:
        await lock_votes_shared(connection, [(prediction_id, voter_id)])
        await _lock_prediction(connection, prediction_id)
        await connection.execute(delete(votes).where(*seen))
        new = [
            StoredVote(prediction_id, mask, word, voter_id, "menu", value, cast_at, drawn_at=drawn_at)
            for mask, word in words
        ]
        await upsert_votes(connection, new)
        return await _standing(connection, prediction_id, voter_id)


@retried
async def suggest_words(
    database: Database,
    prediction_id: int,
    *,
    voter_id: int,
    words: Collection[MaskWord],
    cast_at: datetime,
) -> Standing:
    """Store suggested words, each a vote for it.

    Raises:
        PredictionGoneError: the prediction was deleted meanwhile.
    """
    async with database.write() as connection:
        await lock_votes_shared(connection, [(prediction_id, voter_id)])
        await _lock_prediction(connection, prediction_id)
        new = [StoredVote(prediction_id, m, word, voter_id, "suggestion", 1, cast_at) for m, word in words]
        await upsert_votes(connection, new)
        return await _standing(connection, prediction_id, voter_id)


@retried
async def withdraw_choices(database: Database, prediction_id: int, *, voter_id: int) -> Standing:
    """Withdraw everything that a person chose or suggested; a thumb stays, which is taken back by itself."""
    async with database.write() as connection:
        await lock_votes_shared(connection, [(prediction_id, voter_id)])
        await connection.execute(
            delete(votes).where(
                votes.c.prediction_id == prediction_id,
                votes.c.voter_id == voter_id,
                votes.c.via != "reaction",
            )
        )
        return await _standing(connection, prediction_id, voter_id)


async def _lock_prediction(connection: AsyncConnection, prediction_id: int) -> None:
    """Keep a prediction from being deleted until the transaction ends; SQLite has one writer anyway."""
    row = select(predictions.c.id).where(predictions.c.id == prediction_id)
    if await connection.scalar(row.with_for_update(read=True, key_share=True)) is None:
        raise PredictionGoneError


async def _standing(connection: AsyncConnection, prediction_id: int, voter_id: int) -> Standing:
    rows = await connection.execute(
        select(votes).where(votes.c.prediction_id == prediction_id, votes.c.voter_id == voter_id)
    )
    standing = standing_votes(StoredVote(**row._mapping) for row in rows)
    return Standing(
        tuple(sorted((vote.mask_index, vote.word) for vote in standing if vote.value > 0)),
        tuple(sorted((vote.mask_index, vote.word) for vote in standing if vote.value < 0)),
        is_counted=bool(await connection.scalar(select(is_opted_in(literal(voter_id, BigInteger))))),
    )
