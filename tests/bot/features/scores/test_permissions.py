"""A picture in a channel where the bot may not attach files."""

import pytest
from support.denied_channels import channel_without, deny_unheard, said_by_bot
from support.people import Person
from support.wire import QUERY, Wire

from bot.sandbox.world.permissions import Permission

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_picture_that_may_not_be_attached_is_left_out(
    wire: Wire, ann: Person, is_known: bool
) -> None:
    channel_id = channel_without(wire, *[Permission.ATTACH_FILES] * is_known)
    if not is_known:
        deny_unheard(wire, channel_id, Permission.ATTACH_FILES)
    told = await said_by_bot(wire, ann, f"!scores {QUERY}", channel_id)
    assert "Attach Files" in told["content"]
    assert told["embeds"]
    assert told["embeds"][0].get("image") is None
    assert not told["attachments"]
