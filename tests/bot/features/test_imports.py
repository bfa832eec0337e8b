"""`!import` over the wire: nothing is stored before the button, and all of it is undone in one step."""

import json
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from support.people import Json, Person
from support.wire import Wire, eventually

from bot.imports import judgements
from storage.schema import sources, votes
from storage.votes.sources import list_sources

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOES = "Imported shoes are very [MASK]"


async def attach(wire: Wire, person: Person, text: str, content: str, *, name: str = "guide.csv") -> Json:
    """Post a message with a file and return the reply to it."""
    since = person.mark()
    form = aiohttp.FormData()
    form.add_field("payload_json", json.dumps({"content": text}))
    form.add_field("files[0]", content.encode(), filename=name)
    path = f"/channels/{wire.channel_id}/messages"
    message = await person.request("POST", path, data=form)

    def is_reply(body: Json) -> bool:
        return (body.get("message_reference") or {}).get("message_id") == message["id"]

    return await person.wait_for_event("MESSAGE_CREATE", predicate=is_reply, since=since)


def buttons(message: Json) -> dict[str, str]:
    """The custom ids of a message's buttons by their labels."""
    return {one["label"]: one["custom_id"] for row in message["components"] for one in row["components"]}


async def press(person: Person, message: Json, label: str, *, until: str) -> Json:
    """Press a button, and return the message once it says so."""
    since = person.mark()
    await person.click(message, buttons(message)[label])
    return await person.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and until in body["content"],
        since=since,
    )


async def imported(wire: Wire, name: str) -> list[tuple[Any, ...]]:
    of_source = select(sources.c.voter_id).where(sources.c.name == name).scalar_subquery()
    statement = select(votes.c.word, votes.c.value, votes.c.weight).where(votes.c.voter_id == of_source)
    return sorted(tuple(row) for row in await wire.app.database.fetch(statement))


async def test_a_file_is_previewed_stored_counted_and_undone(wire: Wire, ann: Person) -> None:
    bare = (await wire.row(await wire.ask(ann, SHOES)))["candidates"]
    first, second = bare[0]["word"], bare[1]["word"]
    table = f"sentence,wanted,unwanted\n{SHOES},{second.title()},{first.upper()}\n*No* blank,x,\n"
    async with wire.person("ada") as ada:
        preview = await attach(wire, ada, "!import “the guide” 2,5", table)
        said = preview["content"]
        assert "1 sentence would be imported as “the guide”" in said
        assert f"👍 {second}, 👎 {first}" in said
        assert "too many characters: 1" in said
        assert await imported(wire, "the guide") == []

        done = await press(ada, preview, "Import", until="Imported as")
        assert await imported(wire, "the guide") == sorted([(first, -1, 2.5), (second, 1, 2.5)])
        reply = await wire.ask(ann, SHOES)
        assert (await wire.row(reply))["candidates"][0]["word"] != first  # in force at once, by one source

        again = await attach(wire, ada, '!import "the guide"', table)
        refused = await press(ada, again, "Import", until="already imported")
        assert "undo the earlier import first" in refused["content"]

        undo = done["content"].rpartition("Undo: ")[2].strip("`")
        assert "2 words were deleted" in (await wire.say(ada, undo))["content"]
        assert await imported(wire, "the guide") == []
        assert await list_sources(wire.app.database) == []
        assert "Nothing was imported as the guide" in (await wire.say(ada, undo))["content"]


async def test_nothing_is_stored_when_it_is_cancelled_or_somebody_else_presses(
    wire: Wire, ann: Person
) -> None:
    async with wire.person("ada") as ada:
        preview = await attach(wire, ada, "!import cancelled", f"sentence,wanted\n{SHOES},light\n")
        since = ann.mark()
        await ann.click(preview, buttons(preview)["Import"])
        await ann.wait_for_message(lambda body: "Only the person who asked" in body["content"], since=since)
        await press(ada, preview, "Cancel", until="Nothing was imported")
        assert await imported(wire, "cancelled") == []


@pytest.mark.parametrize(
    ("text", "content", "said"),
    [
        ("!import guide", "sentence,wanted\nNo blank,x\n", "nothing to import"),
        ("!import guide 9", f"sentence,wanted\n{SHOES},light\n", "above 0 and up to 5"),
        (f"!import {'x' * 61}", f"sentence,wanted\n{SHOES},light\n", "a name of up to 60 characters"),
        ("!import", f"sentence,wanted\n{SHOES},light\n", "Attach one file"),
    ],
)
async def test_what_cannot_be_imported_is_said(wire: Wire, text: str, content: str, said: str) -> None:
    async with wire.person("ada") as ada:
        assert said in (await attach(wire, ada, text, content))["content"]


async def test_a_large_file_is_not_even_loaded(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.features.imports.MAX_BYTES", 10)
    monkeypatch.setattr(judgements, "MAX_BYTES", 10**9)
    async with wire.person("ada") as ada:
        reply = await attach(wire, ada, "!import guide", f"sentence,wanted\n{SHOES},light\n")
    assert "MB" in reply["content"]


async def test_without_a_file_it_says_how_and_what_can_be_undone(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        preview = await attach(wire, ada, "!import known", f"sentence,wanted\n{SHOES},light\n")
        await press(ada, preview, "Import", until="Imported as")
        for reply in (await wire.say(ada, "!import other"), await wire.slash(ada, "import", weight="1")):
            assert "Attach one file" in reply["content"]
            assert "Imported so far: known" in reply["content"]
        await wire.say(ada, "!import known undo")

        async def is_gone() -> bool:
            return await list_sources(wire.app.database) == []

        await eventually(is_gone)
