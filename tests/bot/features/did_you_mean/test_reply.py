"""The suggestion for a mistyped command, over the wire."""

import pytest
from structlog.testing import capture_logs
from support.people import Person
from support.sandbox_world import add_channel, deny
from support.wire import Wire, eventually

from bot.sandbox.world.permissions import Permission

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_mistyped_command_is_helped(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!modell"))["content"] == "Did you mean `!model`?"
    assert (await wire.say(ann, "!retrian"))["content"] == "Did you mean `!retrain`?"


async def test_a_suggestion_that_may_not_be_written_is_one_line_in_the_log(wire: Wire, ann: Person) -> None:
    channel_id = add_channel(wire.sandbox, "no-suggestions").id
    deny(wire.sandbox, channel_id, wire.sandbox.bot_user_id, Permission.SEND_MESSAGES)
    with capture_logs() as logs:
        await ann.say(channel_id, "!modell")

        async def is_logged() -> bool:
            return any(line["event"] == "reply.not_sent" for line in logs)

        await eventually(is_logged)
        await wire.ask(ann)  # by now a second attempt would have been logged too
    worse = [line["event"] for line in logs if line["log_level"] in ("warning", "error", "critical")]
    assert worse == ["reply.not_sent"]
