"""Discord takes a reply and the bot does not hear so: it stands once, and is rated like any other."""

import pytest
from structlog.testing import capture_logs
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import EPHEMERAL, LOADING, QUERY, Wire

from bot.commands import context

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lost_answers")]
MESSAGES, CALLBACK = "/channels/.*/messages$", "/callback"


async def test_a_message_whose_answer_was_lost_is_sent_once(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).cut("POST", MESSAGES, is_done_first=True)
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    assert [body["id"] for body in await wire.by_bot(ann, since=since)] == [reply["id"]]


async def test_a_message_answered_with_503_is_sent_once(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).fail("POST", MESSAGES, status=503, is_done_first=True)
    reply = await wire.ask(ann)
    await wire.row(reply)
    assert [body["id"] for body in await wire.by_bot(ann, since=since)] == [reply["id"]]


async def test_a_message_that_was_not_taken_is_sent_again(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).cut("POST", MESSAGES)
    assert await wire.ask(ann)


@pytest.mark.parametrize("way", ["cut", "500", "503"])
async def test_a_slash_command_whose_answer_was_lost_is_answered_once(
    wire: Wire, ann: Person, way: str
) -> None:
    since = ann.mark()
    if way == "cut":
        faults_of(wire.sandbox).cut("POST", CALLBACK, is_done_first=True)
    else:
        faults_of(wire.sandbox).fail("POST", CALLBACK, status=int(way), is_done_first=True)
    reply = await wire.slash(ann, "fill", text=QUERY)
    await wire.seeded(ann, reply)
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))
    assert len(await wire.by_bot(ann, since=since)) == 1


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_sign_of_work_that_was_lost_becomes_the_answer(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    monkeypatch.setattr(context, "SHOW_AFTER_S", 0.0)
    faults_of(wire.sandbox).cut("POST", CALLBACK, is_done_first=is_taken)
    reply = await wire.slash(ann, "fill", text=QUERY)
    assert reply["embeds"]
    assert not reply["flags"] & LOADING
    assert await wire.row(reply)


async def test_an_answer_after_the_sign_of_work_is_sent_once(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "SHOW_AFTER_S", 0.0)
    since = ann.mark()
    faults_of(wire.sandbox).cut("POST", "/webhooks/", is_done_first=True)
    reply = await wire.slash(ann, "fill", text=QUERY)
    await wire.row(reply)
    assert len(await wire.by_bot(ann, since=since)) == 1


async def test_a_reply_that_is_never_confirmed_is_no_error_and_gets_its_thumbs_later(
    wire: Wire, ann: Person
) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).fail("POST", MESSAGES, status=503, is_done_first=True, times=3)
    with capture_logs() as logs:
        reply = await wire.say(ann, f"!fill {QUERY}")
        await wire.seeded(ann, reply)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert [line["event"] for line in logs if line["event"] == "reply.not_sent"] == ["reply.not_sent"]
    assert len(await wire.by_bot(ann, since=since)) == 1


async def test_a_menu_whose_confirmation_was_lost_is_no_error(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    word = (await wire.row(reply))["candidates"][1]["word"]
    faults_of(wire.sandbox).cut("POST", CALLBACK, is_done_first=True)
    with capture_logs() as logs:
        since = ann.mark()
        await ann.select(reply, reply["components"][0]["components"][0]["custom_id"], [f"0:{word}"])
        await ann.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
        await wire.ask(ann)
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert await wire.votes(reply) == [(0, word, ann.id, 1)]


async def test_a_command_that_is_told_of_twice_is_answered_once(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).duplicate_next_event("INTERACTION_CREATE")
    with capture_logs() as logs:
        reply = await wire.slash(ann, "fill", text=QUERY)
        await wire.seeded(ann, reply)
        await wire.ask(ann)
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    assert len(await wire.by_bot(ann, since=since)) == 2
