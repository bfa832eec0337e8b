"""Discord takes a picture and the bot does not hear so: it stands once."""

from collections.abc import AsyncIterator

import pytest
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.wire import QUERY, Wire

from bot.commands import context

pytestmark = pytest.mark.asyncio(loop_scope="module")
MESSAGES, CALLBACK = "/channels/.*/messages$", "/callback"


@pytest.fixture(autouse=True)
async def faults_end(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(context, "RETRY_DELAYS_S", (0.05, 0.05))
    yield
    faults_of(wire.sandbox).clear()


async def by_bot(wire: Wire, person: Person, *, since: int) -> list[Json]:
    """What the bot has written into the channel."""
    bot_id = str(wire.sandbox.bot_user_id)
    told = [body for name, body in person.events[since:] if name == "MESSAGE_CREATE"]
    return [body for body in told if body["author"]["id"] == bot_id]


async def test_a_picture_whose_answer_was_lost_is_sent_once(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).cut("POST", MESSAGES, is_done_first=True)
    reply = await wire.say(ann, f"!scores {QUERY}")
    assert reply["embeds"][0]["image"]["url"]
    await wire.ask(ann)
    assert len(await by_bot(wire, ann, since=since)) == 2
