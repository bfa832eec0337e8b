"""`!compare` over the wire, with real versions."""

import json
import sys
from pathlib import Path

import pytest
from support.people import Person
from support.wire import Wire, best_words, fields_of, wired

from bot.subprocesses import training_process
from training.registry.versions import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def wire(serving_second: Wire) -> Wire:
    return serving_second


async def test_compare_shows_both_versions_side_by_side(wire: Wire, ann: Person) -> None:
    text = "the late boots are [MASK]"
    reply = await wire.say(ann, f"!compare {text}")
    assert reply["embeds"][0]["title"] == "v0002 and v0001"
    for name, version in (("v0002 (answers now)", "v0002"), ("v0001", "v0001")):
        lines = fields_of(reply)[name].split("\n")
        words = [line.split(" · ")[0].strip("✚✖▲▼* ") for line in lines]
        assert words == best_words(wire, version, text)[:5]


async def test_compare_without_a_version_before_says_so(wire: Wire, ann: Person) -> None:
    wire.app.registry.promote("v0001")
    await wire.app.follower.follow_champion()
    try:
        reply = await wire.say(ann, "!compare the early boots are [MASK]")
    finally:
        wire.app.registry.promote("v0002")
        await wire.app.follower.follow_champion()
    assert reply["embeds"][0]["description"].startswith("There is no earlier version to compare with")
    assert list(fields_of(reply)) == ["v0001 (answers now)"]


async def test_ten_words_of_both_versions_are_shown_where_that_is_set(home: Path) -> None:
    Registry(home / "models").promote("v0002")
    async with wired(home, shown_words=10) as wire, wire.member() as person:
        reply = await wire.say(person, "!compare my shoes are [MASK]")
    assert [len(value.split("\n")) for value in fields_of(reply).values()] == [10, 10]


async def test_a_sentence_without_a_blank_is_refused(wire: Wire, ann: Person) -> None:
    reply = await wire.say(ann, "!compare no blank here")
    assert reply["content"].startswith("Which word is missing? Put `[MASK]` there")


async def test_the_sentence_is_no_argument_of_the_child(
    wire: Wire, ann: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments are there for every user of the machine to read."""
    note = tmp_path / "seen"
    code = f"""
import json, os, sys
seen = [sys.argv[1:], sys.stdin.read(), "s3cret" in os.environ.values()]
open({str(note)!r}, "w").write(json.dumps(seen))
sys.exit(1)
"""
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    monkeypatch.setattr(training_process, "PROGRAM", (sys.executable, "-S", "-c", code))
    await wire.say(ann, "!compare the secret boots are [MASK]")
    arguments, question, is_token_there = json.loads(note.read_text())
    assert (arguments, is_token_there) == (["inspect"], False)
    assert json.loads(question) == {
        "text": "the secret boots are [MASK].",
        "versions": ["v0001"],
        "words": [],
        "top": 5,
        "denied": [],
    }
