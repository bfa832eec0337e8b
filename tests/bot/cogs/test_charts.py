"""`!scores`, `!report` and `!stats` over the wire; a real child draws, or a pretended one."""

import json
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import insert
from support.people import Json, Person
from support.wire import EPHEMERAL, Pretend, Wire, wired

from bot.subprocesses import charts
from bot.subprocesses.training_process import SubprocessSlots
from storage import runs as run_records
from storage.schema import people
from training.registry.versions import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")
PNG = b"\x89PNG\r\n\x1a\n"
FAILED = "The picture could not be drawn. Please try again; the log has the details."
Asked = Callable[[], dict[str, Any]]


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, as the header says."""
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def picture(reply: Json) -> bytes:
    """What the embed's image shows."""
    async with aiohttp.ClientSession() as http, http.get(reply["embeds"][0]["image"]["url"]) as response:
        assert response.content_type == "image/png"
        return await response.read()


def field(reply: Json, name: str) -> str:
    return next((one["value"] for one in reply["embeds"][0].get("fields", ()) if one["name"] == name), "")


@pytest.fixture
def asked(tmp_path: Path, pretend: Pretend) -> Asked:
    """A child that keeps what it is asked, and how it was called, and answers with a picture of one pixel."""
    path = tmp_path / "asked.json"
    pixel = PNG + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1, 1, 8, 0, 0, 0, 0) + b"\0" * 4
    pretend(
        "body = json.loads(sys.stdin.read())",
        f"open({str(path)!r}, 'w').write(json.dumps([body, sys.argv[1:], dict(os.environ)]))",
        f"sys.stdout.buffer.write({pixel!r})",
    )

    def read() -> dict[str, Any]:
        body, arguments, environment = json.loads(path.read_text())
        assert arguments == ["draw"]  # where everybody on this machine could read it
        assert not {name for name in environment if "TOKEN" in name and name.startswith(("DISCORD", "FILL"))}
        found: dict[str, Any] = body
        return found

    return read


async def finished_run(wire: Wire, status: run_records.Status, **columns: Any) -> int:
    now = datetime.now(UTC)
    run_id = await run_records.open_run(wire.app.database, "retrain", started_at=now, champion="v0001")
    await run_records.finish_run(wire.app.database, run_id, status, finished_at=now, **columns)
    return run_id


async def test_scores_are_drawn_while_the_bot_answers_and_never_by_itself(
    wire: Wire, ann: Person, bob: Person
) -> None:
    since = ann.mark()
    message = await ann.say(wire.channel_id, "!scores Nike [mask] are [mask]")
    await ann.wait_for_event("TYPING_START", since=since)
    assert (await wire.ask(bob))["embeds"]
    reply = await ann.wait_for_event(
        "MESSAGE_CREATE",
        predicate=lambda body: (body.get("message_reference") or {}).get("message_id") == message["id"],
        since=since,
    )
    assert reply["embeds"][0]["description"] == "Nike \\[MASK\\] are \\[MASK\\]."
    width, height = size_of(await picture(reply))
    assert (width, height > 1000) == (1500, True)
    answered = await bob.messages(wire.channel_id)
    assert int(answered[0]["id"]) == int(reply["id"])  # the query was answered first


async def test_scores_compare_with_the_version_before(home: Path, asked: Asked) -> None:
    Registry(home / "models").promote("v0002")
    async with wired(home) as wire, wire.member() as person:
        reply = await wire.slash(person, "scores", text="shoes are [MASK]")
        assert asked() == {"kind": "scores", "text": "shoes are [MASK].", "versions": ["v0002", "v0001"]}
        assert size_of(await picture(reply)) == (1, 1)


@pytest.mark.parametrize("text", ["no blank", "[MASK]", "[MASK] " * 9 + "x", "x" * 500])
async def test_what_cannot_be_filled_cannot_be_drawn(wire: Wire, ann: Person, text: str) -> None:
    drawn, filled = [await wire.say(ann, f"!{command} {text}") for command in ("scores", "fill")]
    assert drawn["content"] == filled["content"] != ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("os.kill(os.getpid(), signal.SIGKILL)",), FAILED),
        (("raise ValueError('secret')",), FAILED),
        (
            ("print(json.dumps({'event': 'failed', 'sentence': 'Too *long*.'}))", "sys.exit(1)"),
            "Too \\*long\\*.",
        ),
    ],
    ids=["killed", "traceback", "sentence"],
)
async def test_a_child_that_fails_is_one_sentence(
    wire: Wire, ann: Person, pretend: Pretend, lines: tuple[str, ...], said: str
) -> None:
    pretend(*lines)
    assert (await wire.say(ann, "!scores shoes are [MASK]"))["content"] == said
    reply = await wire.slash(ann, "scores", text="shoes are [MASK]")
    assert reply["content"] == said


async def test_a_child_that_hangs_is_ended(
    wire: Wire, ann: Person, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("time.sleep(60)")
    monkeypatch.setattr(charts, "TIMEOUT_S", 0.2)
    assert "took longer than" in (await wire.say(ann, "!scores shoes are [MASK]"))["content"]


async def test_too_many_pictures_are_turned_away(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.app.bot.get_cog("Charts")._pictures, "_slots", SubprocessSlots(0, max_waiting=0))
    reply = await wire.say(ann, "!scores shoes are [MASK]")
    assert reply["content"].startswith("I am busy")


async def test_a_report_of_a_version_that_no_run_made_needs_no_picture(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.say(ann, "!report v0001"))["embeds"]
    assert (embed["title"], embed["description"]) == ("Model v0001", "The base model tiny, unchanged")
    assert "image" not in embed


async def test_a_report_of_an_unknown_version_lists_those_there_are(wire: Wire, ann: Person) -> None:
    assert "Versions here: v0001, v0002, v0003." in (await wire.say(ann, "!report v0099"))["content"]


async def test_versions_are_offered_for_a_report(wire: Wire, ann: Person) -> None:
    offered = await ann.complete(wire.channel_id, "report", "version", "02")
    assert [one["value"] for one in offered] == ["v0002"]


async def test_the_newest_run_is_reported_while_the_champion_has_none(
    wire: Wire, ann: Person, asked: Asked
) -> None:
    said = await wire.ask(ann, "reported shoes are [MASK]")
    query = (await wire.row(said))["query"]
    harm = {"control": 0.5, "retention": 0.4, "praise": 0.6, "pseudo_perplexity": 12.0, "latency_ms": 1.0}
    voted = {"unwanted_shown": 2, "wanted_shown": 1, "unwanted": 3, "wanted": 4}
    metrics = {
        "shown_words": 8,
        "voted": {"champion": voted, "challenger": {**voted, "wanted_shown": 3}},
        "domain": harm,
        "challenger": {**harm, "control": 0.4},
    }
    moved_words = {"queries": 9, "changed": 6, "came": {"breathable": 4}, "went": {"expensive": 6}}
    changes = [
        {"query": q, "before": ["a", "b"], "after": ["b", "c"]} for q in (query, "Never shown [MASK].")
    ]
    reasons = [
        {"name": "learnt", "passed": True, "text": "of 3", "has_data": True},
        {"name": "control", "passed": False, "text": "wanted share 0.4", "has_data": True},
        {"name": "held-out", "passed": True, "text": "few", "has_data": False},
    ]
    run_id = await finished_run(
        wire,
        "rejected",
        verdict={"is_promotable": False, "reasons": reasons},
        report={
            "votes": 43,
            "voters": 9,
            "judgements": 7,
            "metrics": metrics,
            "moved_words": moved_words,
            "changes": changes,
        },
    )
    reply = await wire.say(ann, "!report")
    assert field(reply, "Why").split("\n") == [
        "✗ **It understands complaints and negations less well.** wanted share 0.4",
        "✓ It learnt what people voted for.",
        "– Too few votes were held out to check it on other sentences.",
    ]
    assert field(reply, "Learnt from") == "43 votes by 9 people; they judge 7 words"
    assert field(reply, "Entered the top 8 · sentences") == "breathable · 4"
    assert field(reply, "Left the top 8 · sentences") == "expensive · 6"
    assert "reported shoes" in field(reply, "Sentences that changed")
    assert "Never shown" not in json.dumps(reply)
    assert reply["embeds"][0]["footer"]["text"] == f"Run {run_id} · retrain"
    figures = asked()
    assert figures["asked"] == {"wanted": [4, 1, 3], "unwanted": [3, 2, 2]}
    assert figures["shown_words"] == 8
    assert (figures["came"], figures["went"]) == ({"breathable": 4}, {"expensive": 6})
    assert figures["kept"][0]["suite"] == "control"
    assert "[MASK]" not in json.dumps(figures)


async def test_a_report_without_its_picture_still_tells(wire: Wire, ann: Person, pretend: Pretend) -> None:
    await finished_run(wire, "promoted", report={"metrics": {"loss": [[1, 2.0]]}})
    pretend("sys.exit(1)")
    reply = await wire.say(ann, "!report")
    assert field(reply, "Note") == FAILED
    assert "image" not in reply["embeds"][0]


async def test_a_skipped_run_says_why(wire: Wire, ann: Person) -> None:
    await finished_run(wire, "skipped", verdict={"reasons": ["There are 3 judged words."]})
    (embed,) = (await wire.say(ann, "!report"))["embeds"]
    assert (embed["title"], embed["description"]) == ("No run was needed", "There are 3 judged words.")


async def in_new_home(home: Path, body: Callable[[Wire, Person, Person], Awaitable[None]]) -> None:
    async with wired(home) as wire, wire.member() as one, wire.member() as two:
        await body(wire, one, two)


async def test_stats_without_votes_have_no_picture(home: Path) -> None:
    async def look(wire: Wire, one: Person, _: Person) -> None:
        (embed,) = (await wire.say(one, "!stats"))["embeds"]
        assert embed["description"].startswith("There are no votes")
        assert "image" not in embed

    await in_new_home(home, look)


async def test_stats_tell_who_votes_and_what_is_contested(home: Path) -> None:
    async def look(wire: Wire, one: Person, two: Person) -> None:
        private = wire.sandbox.add_channel("private", only_for=[one.id, two.id, wire.sandbox.bot_user_id]).id
        for text, channel_id in (("open shoes are [MASK]", None), ("private shoes are [MASK]", private)):
            reply = await wire.ask(one, text, channel_id=channel_id)
            await one.react(reply, "👍")
            await two.react(reply, "👎")
            await wire.until_votes(reply, (one, 1), (two, -1))
        reply = await wire.slash(one, "stats")
        assert reply["embeds"][0]["description"] == "4 votes by 2 people: 2 👍, 2 👎."
        assert field(reply, "Most contested").startswith("open shoes are **")
        assert field(reply, "Most contested").endswith("**. · 👍 1 👎 1")
        assert "private shoes" not in json.dumps(reply)
        lines = {f"<@{who.id}> · 2 votes, others agree with 0" for who in (one, two)}
        assert set(field(reply, "Who helped most").split("\n")) == lines
        assert reply["mentions"] == []
        assert size_of(await picture(reply))[0] == 1500
        direct = await one.direct_channel_id(wire.sandbox.bot_user_id)
        assert field(await wire.say(one, "!stats", channel_id=direct), "Most contested") == ""

    await in_new_home(home, look)


async def test_people_who_opted_out_are_not_in_the_stats(home: Path, asked: Asked) -> None:
    async def look(wire: Wire, one: Person, two: Person) -> None:
        reply = await wire.ask(one)
        await one.react(reply, "👍")
        await two.react(reply, "👎")
        await wire.until_votes(reply, (one, 1), (two, -1))
        async with wire.app.database.write() as connection:
            gone = {"user_id": two.id, "opted_out_at": datetime.now(UTC) - timedelta(seconds=1)}
            await connection.execute(insert(people), gone)
        shown = await wire.say(one, "!stats")
        assert shown["embeds"][0]["description"] == "One vote by one person: 1 👍, 0 👎."
        assert str(two.id) not in json.dumps(shown["embeds"])
        figures = asked()
        assert figures["days"][-1][1:] == [1, 0]
        assert len(figures["days"]) == 30
        assert figures["versions"] == [["v0001", 1, 1]]

    await in_new_home(home, look)


async def test_one_person_cannot_keep_the_machine_drawing(wire: Wire, ann: Person) -> None:
    replies = [await wire.slash(ann, "report", version="v0001") for _ in range(6)]
    assert "try again in" in replies[-1]["content"]
    assert replies[-1]["flags"] & EPHEMERAL
