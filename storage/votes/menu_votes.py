"""Votes through the menus under a reply and the form for suggestions.

Every function is one idempotent transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, and_, delete, false, func, select, update

from storage.backends.postgres import lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.errors import PredictionGoneError
from storage.schema import candidates, predictions, votes
from storage.votes.predictions import DEFAULT_WEIGHT, StoredVote, upsert_votes
from storage.votes.standing import Value, is_opted_in, opted_out_at, standing_votes

SEEN_FOR = timedelta(minutes=10)  # longer than between two clicks, shorter than an absence
MaskWord = tuple[int, str]  # mask index and word
Reason = Literal["untrue", "tone", "grammar", "other"]  # why a word was bad


@dataclass(frozen=True, slots=True)
class Ratable:
    """A prediction whose words can be rated.

    Attributes:
        id: The prediction's id.
        channel_id: The channel of the reply.
        message_id: The reply; None while it is being sent.
        words: The offered words, best first within each mask, then suggested words that have votes.
        is_of_quiz: Whether a quiz asked it.
    """

    id: int
    channel_id: int
    message_id: int | None
    words: tuple[MaskWord, ...]
    is_of_quiz: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One person's standing votes on a prediction. `is_counted` is False if they opted out."""

    liked: tuple[MaskWord, ...] = ()
    disliked: tuple[MaskWord, ...] = ()
    is_counted: bool = True


@retried
async def ratable(database: Database, prediction_id: int) -> Ratable | None:
    """Return the words of a prediction that can be rated; None if it does not exist."""
    async with database.read() as connection:
        reply = select(predictions.c.channel_id, predictions.c.message_id, predictions.c.quiz_at)
        row = (await connection.execute(reply.where(predictions.c.id == prediction_id))).first()
        if row is None:
            return None
        offered = await connection.execute(
            select(candidates.c.mask_index, candidates.c.word)
            .where(candidates.c.prediction_id == prediction_id)
            .order_by(candidates.c.mask_index, candidates.c.rank)
        )
        # Of all voters: a suggested word stays for those who rated it when its author withdraws it.
        suggested = await connection.execute(
            select(votes.c.mask_index, votes.c.word)
            .where(votes.c.prediction_id == prediction_id, votes.c.via != "reaction")
            .order_by(votes.c.cast_at, votes.c.mask_index, votes.c.word)
        )
        words = dict.fromkeys([*map(tuple, offered), *map(tuple, suggested)])
    is_of_quiz = row.quiz_at is not None
    return Ratable(prediction_id, row.channel_id, row.message_id, tuple(words), is_of_quiz)


async def store_choices(
    database: Database,
    prediction_id: int,
    *,
    voter_id: int,
    value: Value,
    words: Collection[MaskWord],
    cast_at: datetime,
    drawn_at: datetime | None = None,
    weight: float = DEFAULT_WEIGHT,
) -> Standing:
    """Add the words that a person chose in a menu, and withdraw earlier choices that they deselected.

    Discord shows earlier choices until the message is edited or the person switches channels, which the bot
    cannot observe. An earlier choice that is missing now is therefore withdrawn only if the message was not
    edited since and the choice is younger than `SEEN_FOR`, or if the menu is now empty.

    Args:
        database: The database.
        prediction_id: The prediction.
        voter_id: The voter.
        value: Whether the menu is for wanted or unwanted words.
        words: The words that are now chosen.
        cast_at: When they were chosen.
        drawn_at: When the message with the menu was last edited; None if never.
        weight: How much the votes count by the voter's roles.

    Raises:
        PredictionGoneError: The prediction was deleted meanwhile.
    """
    seen = [votes.c.via == "menu", votes.c.value == value, votes.c.drawn_at == drawn_at]
    if words:
        seen.append(votes.c.cast_at >= cast_at - SEEN_FOR)
    new = [
        StoredVote(
            prediction_id, mask, word, voter_id, "menu", value, cast_at, drawn_at=drawn_at, weight=weight
        )
        for mask, word in words
    ]
    return await _replace(database, prediction_id, voter_id, withdrawn=seen, cast=new)


async def suggest_words(
    database: Database,
    prediction_id: int,
    *,
    voter_id: int,
    words: Collection[MaskWord],
    cast_at: datetime,
    weight: float = DEFAULT_WEIGHT,
    reason: Reason | None = None,
) -> Standing:
    """Store suggested words as votes for them; `reason` says why the offered ones were bad.

    Raises:
        PredictionGoneError: The prediction was deleted meanwhile.
    """
    new = [
        StoredVote(
            prediction_id, mask, word, voter_id, "suggestion", 1, cast_at, weight=weight, reason=reason
        )
        for mask, word in words
    ]
    return await _replace(database, prediction_id, voter_id, cast=new)


@retried
async def give_reason(database: Database, prediction_id: int, *, voter_id: int, reason: Reason) -> int:
    """Store why the words that a person rejected last in the menu are bad. Returns the number of votes."""
    mine = and_(
        votes.c.prediction_id == prediction_id,
        votes.c.voter_id == voter_id,
        votes.c.via == "menu",
        votes.c.value < 0,
    )
    async with database.write() as connection:
        await lock_votes_shared(connection, [(prediction_id, voter_id)])
        last = select(func.max(votes.c.cast_at)).where(mine).scalar_subquery()
        result = await connection.execute(
            update(votes).where(mine, votes.c.cast_at == last).values(reason=reason)
        )
    return result.rowcount


async def withdraw_choices(database: Database, prediction_id: int, *, voter_id: int) -> Standing:
    """Withdraw all choices and suggestions of a person; their thumb stays."""
    return await _replace(database, prediction_id, voter_id, withdrawn=[votes.c.via != "reaction"])


async def count_reasons(database: Database, *, until: datetime) -> dict[str, int]:
    """Return reason → number of votes with it cast up to a time, the most frequent first.

    Votes of people who opted out are left out.
    """
    statement = (
        select(votes.c.reason, func.count().label("number"))
        .where(votes.c.reason.is_not(None), votes.c.cast_at <= until, is_opted_in(votes.c.voter_id))
        .group_by(votes.c.reason)
        .order_by(func.count().desc(), votes.c.reason)
    )
    return {row.reason: row.number for row in await database.fetch(statement)}


@retried
async def _replace(
    database: Database,
    prediction_id: int,
    voter_id: int,
    *,
    withdrawn: Sequence[ColumnElement[bool]] = (false(),),
    cast: Sequence[StoredVote] | None = None,
) -> Standing:
    """Delete the person's votes that match, then cast the new ones if the prediction still exists."""
    mine = (votes.c.prediction_id == prediction_id, votes.c.voter_id == voter_id)
    async with database.write() as connection:
        await lock_votes_shared(connection, [(prediction_id, voter_id)])
        if cast is not None:
            row = select(predictions.c.id).where(predictions.c.id == prediction_id)
            # The lock prevents the deletion of the prediction until the transaction ends.
            if await connection.scalar(row.with_for_update(read=True, key_share=True)) is None:
                raise PredictionGoneError
        # A word that is chosen again keeps its reason.
        known = await connection.execute(
            select(votes.c.mask_index, votes.c.word, votes.c.value, votes.c.reason).where(
                *mine, *withdrawn, votes.c.reason.is_not(None)
            )
        )
        reasons = {tuple(key): reason for *key, reason in known}
        await connection.execute(delete(votes).where(*mine, *withdrawn))
        kept = [
            replace(vote, reason=vote.reason or reasons.get((vote.mask_index, vote.word, vote.value)))
            for vote in cast or ()
        ]
        await upsert_votes(connection, kept)
        rows = await connection.execute(select(votes).where(*mine))
        standing = standing_votes(StoredVote(**row._mapping) for row in rows)
        is_counted = await connection.scalar(opted_out_at(voter_id)) is None
    return Standing(
        tuple(sorted((vote.mask_index, vote.word) for vote in standing if vote.value > 0)),
        tuple(sorted((vote.mask_index, vote.word) for vote in standing if vote.value < 0)),
        is_counted=is_counted,
    )
