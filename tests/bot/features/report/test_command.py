"""`!report` over the wire; a pretended child draws."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from support.charts import FAILED, field
from support.people import Person
from support.wire import EPHEMERAL, Pretend, Wire

from storage import runs as run_records

pytestmark = pytest.mark.asyncio(loop_scope="module")
Asked = Callable[[], dict[str, Any]]


async def finished_run(wire: Wire, status: run_records.Status, **columns: Any) -> int:
    now = datetime.now(UTC)
    run_id = await run_records.open_run(wire.app.database, "retrain", started_at=now, champion="v0001")
    await run_records.finish_run(wire.app.database, run_id, status, finished_at=now, **columns)
    return run_id


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
    harm = {"control": 0.5, "retention": 0.4, "praise": 0.6, "pseudo_perplexity": 12.0, "latency_ratio": 1.0}
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
    assert "reported shoes" in field(reply, "Sentences that would have changed")
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


async def test_one_person_cannot_keep_the_machine_drawing(wire: Wire, ann: Person) -> None:
    replies = [await wire.slash(ann, "report", version="v0001") for _ in range(6)]
    assert "try again in" in replies[-1]["content"]
    assert replies[-1]["flags"] & EPHEMERAL
