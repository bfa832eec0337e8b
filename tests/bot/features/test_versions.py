"""`!versions` over the wire."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.people import Person
from support.wire import Wire, wired

from storage import runs
from storage.sentences import Sentence

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


async def test_the_last_run_is_shown_even_if_it_was_skipped(wire: Wire, ann: Person) -> None:
    database, now = wire.app.database, datetime.now(UTC)
    reason = Sentence("No new judgements since run {run}; it would make the same model again.", run=1)
    run_id = await runs.open_run(database, "nightly", started_at=now, champion="v0001")
    await runs.finish_run(database, run_id, "skipped", finished_at=now, verdict=runs.failure(reason))
    (field,) = (await wire.say(ann, "!versions"))["embeds"][0]["fields"]
    assert field["name"] == "Last run"
    assert field["value"].startswith(f"Run {run_id} · nightly · <t:")
    assert field["value"].endswith(f" · {reason}")


async def test_a_damaged_card_is_marked_and_the_rest_is_listed(home: Path) -> None:
    (home / "models" / "v0002" / "card.json").write_text("{")
    async with wired(home) as wire, wire.member() as person:
        lines = (await wire.say(person, "!versions"))["embeds"][0]["description"].split("\n")
        assert lines[1] == "v0002 · damaged"
        assert len(lines) == 3


async def test_versions_that_learnt_from_deleted_votes_are_marked(home: Path) -> None:
    async with wired(home) as wire, wire.member() as person:
        wire.app.registry.withdraw(["v0001", "v0003"])
        lines = (await wire.say(person, "!versions"))["embeds"][0]["description"].split("\n")
        assert "not used any more: it learnt from deleted votes" in lines[0]
        assert "being replaced: it learnt from deleted votes" in lines[2]
