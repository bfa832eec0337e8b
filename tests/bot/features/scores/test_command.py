"""`!scores` over the wire; a real child draws, or a pretended one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.charts import FAILED, picture, size_of
from support.people import Person
from support.wire import Pretend, Wire, best_words, voted, wired

from bot.subprocesses import charts
from bot.subprocesses.training_process import SubprocessSlots
from training.registry.versions import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")
Asked = Callable[[], dict[str, Any]]


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
    assert (width, height > 1000) == (1350, True)
    answered = await bob.messages(wire.channel_id)
    assert int(answered[0]["id"]) == int(reply["id"])  # the query was answered first


async def test_scores_compare_with_the_version_before(home: Path, asked: Asked) -> None:
    Registry(home / "models").promote("v0002")
    async with wired(home) as wire, wire.member() as person:
        reply = await wire.slash(person, "scores", text="shoes are [MASK]")
        question = asked()
        assert (question["kind"], question["text"]) == ("scores", "shoes are [MASK].")
        assert question["versions"] == ["v0002", "v0001"]
        assert size_of(await picture(reply)) == (1, 1)


async def test_words_that_votes_reject_are_marked(wire: Wire, ann: Person, asked: Asked) -> None:
    query = "rejected shoes are [MASK]"
    await voted(wire, ann, query, "👎")
    await wire.say(ann, f"!scores {query}")
    assert asked()["rejected"] == [[0, best_words(wire, "v0001", query)[0]]]


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
    monkeypatch.setattr(wire.app.bot.get_cog("Scores")._pictures, "_slots", SubprocessSlots(0, max_waiting=0))
    reply = await wire.say(ann, "!scores shoes are [MASK]")
    assert reply["content"].startswith("I am busy")
