"""Discord takes a picture and the bot does not hear so: it stands once."""

import pytest
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import QUERY, Wire

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lost_answers")]
MESSAGES = "/channels/.*/messages$"


async def test_a_picture_whose_answer_was_lost_is_sent_once(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    faults_of(wire.sandbox).cut("POST", MESSAGES, is_done_first=True)
    reply = await wire.say(ann, f"!scores {QUERY}")
    assert reply["embeds"][0]["image"]["url"]
    await wire.ask(ann)
    assert len(await wire.by_bot(ann, since=since)) == 2
