"""The morning digest, over the wire: one message, with a picture where something was learnt."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
from support.people import Json, Person
from support.wire import Pretend, Wire, wired

from bot.embeds.run_outcomes import BETTER, FAILED, SET_BACK, UNCHANGED
from bot.runs.training_runs import RunEnd
from storage import runs as run_records
from storage.errors import DatabaseUnavailableError
from storage.runs import Status

pytestmark = pytest.mark.asyncio(loop_scope="module")
REPORT = {
    "metrics": {"loss": [[1, 2.0]]},
    "moved_words": {"queries": 2, "changed": 1, "came": {"light": 1}, "went": {"poor": 1}},
}


async def ended(wire: Wire, status: Status, **columns: Any) -> RunEnd:
    """A nightly run that began a second after the votes so far."""
    started_at = datetime.now(UTC) + timedelta(seconds=1)
    run_id = await run_records.open_run(
        wire.app.database,
        "nightly",
        started_at=started_at,
        champion="v0001",
        challenger=columns.pop("challenger", None),
    )
    await run_records.finish_run(wire.app.database, run_id, status, finished_at=started_at, **columns)
    return RunEnd(await run_records.get_run(wire.app.database, run_id), "It ended so.")


async def posted(wire: Wire, person: Person, end: RunEnd, *, figure: str = "") -> Json:
    """What stands in the report channel then."""
    await wire.app.reports.post_digest(end, figure=figure)
    newest: Json = (await person.messages(wire.sandbox.reports_channel_id, limit=1))[0]
    return newest


@pytest.fixture
def pixel(pretend: Pretend) -> bytes:
    """Every picture is these bytes."""
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
    pretend("sys.stdin.read()", f"sys.stdout.buffer.write({png!r})")
    return png


async def test_a_night_is_one_sentence_and_one_picture(wire: Wire, ann: Person, pixel: bytes) -> None:
    before = await ended(wire, "skipped")
    await posted(wire, ann, before)
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    end = await ended(wire, "promoted", challenger="v0002", report=REPORT)
    message = await posted(wire, ann, end, figure="People liked 80 % of it.")
    (embed,) = message["embeds"]
    assert embed["description"].endswith(
        "“poor” dropped out of the best words of one sentence, “light” entered those of one; "
        "v0002 was promoted.\n\nPeople liked 80 % of it."
    )
    assert embed["footer"]["text"].endswith(" · nightly · !report v0002 shows the details")
    assert embed["image"]["url"].endswith("/night.png")
    assert message["attachments"] == []  # the one that there is stands in the embed


@pytest.mark.parametrize("status", ["skipped", "failed"])
async def test_a_night_that_learnt_nothing_has_no_picture(wire: Wire, ann: Person, status: Status) -> None:
    (embed,) = (await posted(wire, ann, await ended(wire, status)))["embeds"]
    assert embed["description"].endswith("It ended so.")
    assert "image" not in embed


async def test_a_night_that_would_repeat_the_last_posts_nothing(wire: Wire, ann: Person) -> None:
    before = await posted(wire, ann, await ended(wire, "skipped"))
    end = await ended(wire, "skipped", report={run_records.REPEATS: 1})
    assert await posted(wire, ann, end) == before


@pytest.mark.parametrize(
    ("status", "colour"),
    [("promoted", BETTER), ("rejected", SET_BACK), ("skipped", UNCHANGED), ("failed", FAILED)],
)
async def test_the_colour_says_how_the_night_ended(
    wire: Wire, ann: Person, pixel: bytes, status: Status, colour: discord.Colour
) -> None:
    (embed,) = (await posted(wire, ann, await ended(wire, status)))["embeds"]
    assert embed["color"] == colour.value


async def test_a_rejected_night_says_so_without_its_picture(
    wire: Wire, ann: Person, pretend: Pretend
) -> None:
    pretend("sys.exit(1)")
    reasons = [{"name": "learnt", "passed": False, "text": "few"}]
    end = await ended(wire, "rejected", verdict={"reasons": reasons}, report=REPORT)
    (embed,) = (await posted(wire, ann, end))["embeds"]
    assert "because it learnt nothing new from the votes, so v0001 stays." in embed["description"]
    assert "image" not in embed


async def test_a_run_that_never_began_is_told(wire: Wire, ann: Person) -> None:
    (embed,) = (await posted(wire, ann, RunEnd(None, "There are no votes.")))["embeds"]
    assert embed["description"] == "The run failed: There are no votes."


async def test_votes_that_cannot_be_counted_cost_their_number_alone(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = await ended(wire, "skipped")

    def broken(*_: object) -> None:
        raise DatabaseUnavailableError("fillbot.db", "gone")

    monkeypatch.setattr(wire.app.database, "fetch", broken)
    (embed,) = (await posted(wire, ann, end))["embeds"]
    assert embed["description"] == "There is no new version tonight: It ended so."


async def test_a_night_posts_its_digest(home: Path, pretend: Pretend) -> None:
    pretend("print(json.dumps({'event': 'failed', 'sentence': 'No disk.'}))", "sys.exit(1)")
    async with wired(home) as wire, wire.member() as ann:
        since = ann.mark()
        await wire.app.nightly_run.run()
        await ann.wait_for_message(lambda body: "No disk." in str(body["embeds"]), since=since)


async def test_a_version_that_waits_is_decided_under_the_digest(
    wire: Wire, ann: Person, pixel: bytes
) -> None:
    message = await posted(wire, ann, await ended(wire, "waiting", challenger="v0002", report=REPORT))
    buttons = {one["label"]: one["custom_id"] for row in message["components"] for one in row["components"]}
    assert list(buttons) == ["Promote", "Keep v0001", "Compare"]
    async with wire.person("ada") as ada:
        await ada.click(message, buttons["Keep v0001"])
        await ada.wait_for_event(
            "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and not body["components"]
        )
        after = await ada.message(message)
    (embed,) = after["embeds"]
    assert after["content"].startswith(f"<@{ada.id}> kept v0001")
    assert embed["description"] == message["embeds"][0]["description"]
    assert (embed["image"]["url"].endswith("/night.png"), after["attachments"]) == (True, [])
