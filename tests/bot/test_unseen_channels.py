"""Every slash command in a channel that the bot cannot see: it is answered by the interaction's token."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from support.people import Person
from support.wire import QUERY, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
OF_MEMBERS: list[tuple[str, dict[str, Any]]] = [
    ("fill", {"text": QUERY}),
    ("quiz", {}),
    ("why", {"word": "soft", "text": QUERY}),
    ("compare", {"text": QUERY}),
    ("scores", {"text": QUERY}),
    ("report", {}),
    ("stats", {}),
    ("model", {}),
    ("versions", {}),
    ("mydata", {}),
    ("forgetme", {}),
    ("optout", {}),
    ("optin", {}),
    ("help", {}),
]
OF_ADMINS: list[tuple[str, dict[str, Any]]] = [
    ("export", {}),
    ("rollback", {"version": "v0099"}),
    ("resume", {}),
]


async def answered(wire: Wire, person: Person, name: str, options: dict[str, Any]) -> None:
    channel_id = wire.sandbox.add_channel(f"unseen-{name}-{person.id}", only_for=[person.id]).id
    with capture_logs() as logs:
        reply = await wire.slash(person, name, channel_id=channel_id, **options)
        await wire.ask(person)  # by now whatever the command left to do was done
    assert reply["content"] or reply["embeds"] or reply["attachments"]
    assert "Something went wrong" not in reply["content"]
    assert [line for line in logs if line["log_level"] in ("warning", "error", "critical")] == []


@pytest.mark.parametrize(("name", "options"), OF_MEMBERS, ids=[name for name, _ in OF_MEMBERS])
async def test_a_command_of_members_is_answered(
    wire: Wire, ann: Person, name: str, options: dict[str, Any]
) -> None:
    await answered(wire, ann, name, options)


@pytest.mark.parametrize(("name", "options"), OF_ADMINS, ids=[name for name, _ in OF_ADMINS])
async def test_a_command_of_admins_is_answered(wire: Wire, name: str, options: dict[str, Any]) -> None:
    async with wire.person("ada") as ada:
        await answered(wire, ada, name, options)
