"""The words that a team denies from chat, in addition to the shipped list.

A change and its record in the audit trail are one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from storage.backends.postgres import insert_into
from storage.backends.retries import retried_if_rolled_back
from storage.database import Database
from storage.runs import by_member, record_decision
from storage.schema import denied_words

TRIGGER = "denied"  # of its rows in the audit trail


@dataclass(frozen=True, slots=True)
class DeniedWord:
    """A word in lower case, and since when it is denied."""

    word: str
    denied_at: datetime


async def read_denied(database: Database) -> list[DeniedWord]:
    """Return the words that the team denied, in alphabetical order."""
    statement = select(denied_words.c.word, denied_words.c.denied_at).order_by(denied_words.c.word)
    return [DeniedWord(*row) for row in await database.fetch(statement)]


@retried_if_rolled_back
async def change_denied(
    database: Database, word: str, *, is_denied: bool, by: int, champion: str | None, now: datetime
) -> bool:
    """Deny a word or allow it again, and record it. Returns False if it was so already.

    Args:
        database: The database.
        word: The word, in any case.
        is_denied: Whether to deny it.
        by: The admin.
        champion: The champion, for the audit trail; a damaged pointer to it is repaired from there.
        now: The time of the change.
    """
    word = word.lower()
    async with database.write() as connection:
        if is_denied:
            row = insert_into(connection, denied_words).values(word=word, denied_at=now)
            changed = await connection.execute(row.on_conflict_do_nothing(index_elements=["word"]))
        else:
            changed = await connection.execute(delete(denied_words).where(denied_words.c.word == word))
        if changed.rowcount < 1:
            return False
        record = {"action": "add" if is_denied else "remove", "word": word, "by": by_member(by)}
        await record_decision(connection, TRIGGER, champion=champion, now=now, report=record)
    return True
