"""Ids in the buttons of a quiz, as if Discord let people send any."""

import pytest
from support.forged_controls import forged, said
from support.people import Person
from support.wire import Wire

from bot.texts import say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_quiz_button_with_ones_own_id_is_no_quiz(wire: Wire, ann: Person, bob: Person) -> None:
    custom_id = f"quiz:next:{ann.id}"
    message = await forged(wire, bob, custom_id, channel_id=wire.channel_id)
    assert await said(bob, message, custom_id) == say("quiz.not_yours", prefix="!")
    assert await said(ann, message, custom_id) == say("quiz.moved_on", prefix="!")
