"""Events that discord.py cannot read, over the wire."""

import pytest
from structlog.testing import capture_logs
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("MESSAGE_CREATE", {}),
        ("MESSAGE_REACTION_ADD", {"emoji": None}),
        ("INTERACTION_CREATE", []),
        ("GUILD_CREATE", {"id": "x"}),
        ("MESSAGE_DELETE_BULK", {"ids": 5}),
        ("MESSAGE_DELETE_BULK", {"ids": [str(2**63)], "channel_id": "1"}),
        (
            "MESSAGE_REACTION_ADD",
            {
                "emoji": {"id": None, "name": "👍"},
                "channel_id": "1",
                "user_id": "2",
                "message_id": str(2**63),
            },
        ),
        ("MESSAGE_REACTION_REMOVE_ALL", {"channel_id": "1", "message_id": -(2**63) - 1}),
    ],
)
async def test_an_event_that_cannot_be_read_is_skipped(
    wire: Wire, ann: Person, name: str, body: object
) -> None:
    with capture_logs() as logs:
        faults_of(wire.sandbox).send_event(name, body)  # type: ignore[arg-type]
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    assert [(line["name"], line["log_level"]) for line in logs if line["event"] == "event.malformed"] == [
        (name, "warning")
    ]
    assert not wire.app.connection.done()


async def test_a_thumb_whose_event_cannot_be_read_is_read_back(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    faults_of(wire.sandbox).lose_next_event("MESSAGE_REACTION_ADD")
    await ann.react(reply, "👎")
    faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", {"emoji": None})
    await wire.until_votes(reply, (ann, -1))
