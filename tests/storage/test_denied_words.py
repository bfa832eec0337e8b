"""The team's denied words: each change is stored once, with its record."""

from sqlalchemy import select
from support.ballots import NOON, minutes

from storage import runs as audit
from storage.database import Database
from storage.denied_words import DeniedWord, change_denied, read_denied
from storage.people.forgetting import erase_person
from storage.schema import runs

ANN = 7


async def change(database: Database, word: str, *, is_denied: bool = True, at: float = 0) -> bool:
    return await change_denied(database, word, is_denied=is_denied, by=ANN, champion="v0003", now=minutes(at))


async def records(database: Database) -> list[dict[str, object]]:
    return [row.report for row in await database.fetch(select(runs.c.report).order_by(runs.c.id))]


async def test_a_word_is_denied_once_and_recorded(database: Database) -> None:
    assert await change(database, "Cheap")
    assert not await change(database, "cheap", at=1)
    assert await change(database, "airy", at=2)
    assert await read_denied(database) == [DeniedWord("airy", minutes(2)), DeniedWord("cheap", NOON)]
    assert await change(database, "CHEAP", is_denied=False, at=3)
    assert not await change(database, "cheap", is_denied=False, at=4)
    assert [one.word for one in await read_denied(database)] == ["airy"]
    by = audit.by_member(ANN)
    assert await records(database) == [
        {"action": "add", "word": "cheap", "by": by},
        {"action": "add", "word": "airy", "by": by},
        {"action": "remove", "word": "cheap", "by": by},
    ]


async def test_a_record_is_no_run_and_moves_no_champion(database: Database) -> None:
    await change(database, "cheap")
    assert await audit.latest_training(database) is None
    assert await audit.last_champion(database) == "v0003"
    assert await audit.paused_since(database) is None


async def test_a_forgotten_admin_is_not_named(database: Database) -> None:
    await change(database, "cheap")
    await erase_person(database, ANN, since=None, now=minutes(1))
    assert await records(database) == [{"action": "add", "word": "cheap", "by": None}]
