"""The team's words: each change is stored once, with its record; no word is denied and preferred."""

from sqlalchemy import select
from support.ballots import NOON, minutes

from storage import runs as audit
from storage.database import Database
from storage.people.forgetting import erase_person
from storage.schema import runs
from storage.team_words import Kind, TeamWord, change_word, read_words

ANN = 7


async def change(
    database: Database, word: str, *, is_added: bool = True, at: float = 0, kind: Kind = "denied"
) -> bool:
    changed = await change_word(
        database, kind, word, is_added=is_added, by=ANN, champion="v0003", now=minutes(at)
    )
    return changed == "changed"


async def records(database: Database) -> list[dict[str, object]]:
    return [row.report for row in await database.fetch(select(runs.c.report).order_by(runs.c.id))]


async def test_a_word_is_denied_once_and_recorded(database: Database) -> None:
    assert await change(database, "Cheap")
    assert not await change(database, "cheap", at=1)
    assert await change(database, "airy", at=2)
    assert await read_words(database, "denied") == [TeamWord("airy", minutes(2)), TeamWord("cheap", NOON)]
    assert await change(database, "CHEAP", is_added=False, at=3)
    assert not await change(database, "cheap", is_added=False, at=4)
    assert [one.word for one in await read_words(database, "denied")] == ["airy"]
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


async def test_a_denied_word_is_not_preferred_and_denying_ends_a_preference(database: Database) -> None:
    assert await change(database, "Airy", kind="preferred")
    assert not await change(database, "airy", kind="preferred", at=1)
    assert await change(database, "soft", kind="preferred", at=2)
    assert await change(database, "airy", at=3)
    assert await read_words(database, "preferred") == [TeamWord("soft", minutes(2))]
    again = await change_word(
        database, "preferred", "AIRY", is_added=True, by=ANN, champion="v0003", now=minutes(4)
    )
    assert again == "is denied"
    assert await change(database, "soft", kind="preferred", is_added=False, at=5)
    assert await read_words(database, "preferred") == []
    assert len(await records(database)) == 4
    assert await audit.latest_training(database) is None
