"""The words that a team denies or prefers from chat, in addition to the shipped lists.

A change and its record in the audit trail are one transaction. No word is both.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, select

from storage.backends.postgres import insert_into
from storage.backends.retries import retried_if_rolled_back
from storage.database import Database
from storage.runs import by_member, record_decision
from storage.schema import denied_words, preferred_words

Kind = Literal["denied", "preferred"]  # also the triggers of the rows in the audit trail
Change = Literal["changed", "was so already", "is denied"]
TABLES = {"denied": denied_words, "preferred": preferred_words}


@dataclass(frozen=True, slots=True)
class TeamWord:
    """A word in lower case, and since when it is denied or preferred."""

    word: str
    since: datetime


async def read_words(database: Database, kind: Kind) -> list[TeamWord]:
    """Return the words that the team denied or preferred, in alphabetical order."""
    table = TABLES[kind]
    statement = select(table.c.word, table.c[f"{kind}_at"]).order_by(table.c.word)
    return [TeamWord(*row) for row in await database.fetch(statement)]


@retried_if_rolled_back
async def change_word(
    database: Database, kind: Kind, word: str, *, is_added: bool, by: int, champion: str | None, now: datetime
) -> Change:
    """Add a word to a list or remove it, and record it. Returns what became of that.

    Denying a preferred word ends the preference; a denied word cannot be preferred.

    Args:
        database: The database.
        kind: The list.
        word: The word, in any case.
        is_added: Whether to add it.
        by: The admin.
        champion: The champion, for the audit trail; a damaged pointer to it is repaired from there.
        now: The time of the change.
    """
    word, table = word.lower(), TABLES[kind]
    async with database.write() as connection:
        if is_added:
            if kind == "preferred" and await connection.scalar(
                select(denied_words.c.word).where(denied_words.c.word == word)
            ):
                return "is denied"
            row = insert_into(connection, table).values({"word": word, f"{kind}_at": now})
            changed = await connection.execute(row.on_conflict_do_nothing(index_elements=["word"]))
        else:
            changed = await connection.execute(delete(table).where(table.c.word == word))
        if changed.rowcount < 1:
            return "was so already"
        if kind == "denied" and is_added:
            await connection.execute(delete(preferred_words).where(preferred_words.c.word == word))
        record = {"action": "add" if is_added else "remove", "word": word, "by": by_member(by)}
        await record_decision(connection, kind, champion=champion, now=now, report=record)
    return "changed"
