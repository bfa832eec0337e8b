"""Thumbs only where they are promised: none in channels that the bot cannot see, or where many wait."""

import pytest
from support.people import Person
from support.sandbox_world import add_channel
from support.wire import Wire

from bot.texts import say

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADD_REACTION = ("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")


async def test_in_a_channel_that_the_bot_cannot_see_the_menus_are_named(wire: Wire, ann: Person) -> None:
    hidden = add_channel(wire.sandbox, "hidden", only_for=[ann.id])
    asked = wire.sandbox.rate_limits.requests[ADD_REACTION]
    reply = await wire.slash(ann, "fill", channel_id=hidden.id, text="shoes are [MASK]")
    assert say("prediction.menus_hint") in reply["embeds"][0]["footer"]["text"]
    await wire.ask(ann)  # its thumbs come after what would have been tried there
    assert wire.sandbox.rate_limits.requests[ADD_REACTION] == asked + 2


async def test_a_slash_reply_where_the_bot_may_react_has_thumbs(wire: Wire, ann: Person) -> None:
    reply = await wire.slash(ann, "fill", text="shoes are [MASK]")
    assert "👍" in reply["embeds"][0]["footer"]["text"]
    await wire.seeded(ann, reply)
