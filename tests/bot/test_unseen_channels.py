"""Every slash command in a channel that the bot cannot see: it is answered by the interaction's token."""

import pytest
from structlog.testing import capture_logs
from support.commands import declared, options
from support.people import Person
from support.sandbox_world import add_channel
from support.wire import QUERY, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
COMMANDS = {
    name: one
    for name, one in declared().items()
    if name != "retrain"  # it would start a training process
}


async def answered(wire: Wire, person: Person, name: str, values: dict[str, str]) -> None:
    channel_id = add_channel(wire.sandbox, f"unseen-{name}-{person.id}", only_for=[person.id]).id
    with capture_logs() as logs:
        reply = await wire.slash(person, name, channel_id=channel_id, **values)
        await wire.ask(person)  # by now whatever the command left to do was done
    assert reply["content"] or reply["embeds"] or reply["attachments"]
    assert "Something went wrong" not in reply["content"]
    assert [line for line in logs if line["log_level"] in ("warning", "error", "critical")] == []


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_is_answered(wire: Wire, ann: Person, name: str) -> None:
    values = options(COMMANDS[name], only_required=True, word="soft", text=QUERY)
    if not COMMANDS[name].extras["admin"]:
        await answered(wire, ann, name, values)
        return
    async with wire.person("ada") as ada:
        await answered(wire, ada, name, values)
