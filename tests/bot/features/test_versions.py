"""`!versions` over the wire."""

from pathlib import Path

import pytest
from support.people import Person
from support.wire import Wire, wired

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_versions_are_listed_newest_first_with_their_part(wire: Wire, ann: Person) -> None:
    lines = (await wire.say(ann, "!versions"))["embeds"][0]["description"].split("\n")
    assert [line.split(" · ")[:2] for line in lines] == [
        ["v0003", "learnt from votes"],
        ["v0002", "learnt from votes"],
        ["**v0001**", "base model"],
    ]
    assert lines[0].endswith(" — not promoted")
    assert lines[2].endswith(" — answers now, nightly runs start here")


async def test_a_damaged_card_is_marked_and_the_rest_is_listed(home: Path) -> None:
    (home / "models" / "v0002" / "card.json").write_text("{")
    async with wired(home) as wire, wire.member() as person:
        lines = (await wire.say(person, "!versions"))["embeds"][0]["description"].split("\n")
        assert lines[1] == "v0002 · damaged"
        assert len(lines) == 3
