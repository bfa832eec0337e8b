"""The sandbox refuses what the contract calls a violation: over the wire, each with 400 or 404."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from contract.test_contract import BAD, CALLBACK, CHANNEL, WEBHOOK
from support.people import Person

from bot.sandbox.server import Sandbox

TAKEN_BY_DISCORD = {  # and ignored, so that only the contract tells
    "an unknown field",
    "an unknown parameter",
    "an ephemeral message in a channel",
    "a picture that is not sent",
    "files that the list leaves out",
}
AUTOCOMPLETE, COMMAND = 4, 2
FILL = {
    "name": "fill",
    "description": "Fill",
    "options": [{"type": 3, "name": "text", "description": "a text", "autocomplete": True}],
}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bot {sandbox.bot_token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def opened(sandbox: Sandbox, api: aiohttp.ClientSession, *, kind: int) -> str:
    """Let a person use the command; return the path to answer at."""
    commands = f"{sandbox.api_url}/applications/{sandbox.application_id}/commands"
    async with api.put(commands, json=[FILL]) as answer:
        assert answer.status == 200
    async with Person(sandbox.url, "ben") as ben:
        options = [{"name": "text", "value": "a", "focused": True}] if kind == AUTOCOMPLETE else []
        data = {"name": "fill", "type": 1, "options": options}
        await ben.request(
            "POST", "/interactions", {"type": kind, "channel_id": str(sandbox.channel_id), "data": data}
        )
    (interaction,) = sandbox.world.interactions.values()
    return f"/interactions/{interaction.id}/{interaction.token}/callback"


@pytest.mark.parametrize("name", sorted(BAD.keys() - TAKEN_BY_DISCORD))
async def test_what_discord_refuses_is_refused(
    sandbox: Sandbox, api: aiohttp.ClientSession, name: str
) -> None:
    bad = BAD[name]
    path = bad.path.replace(CHANNEL, f"/channels/{sandbox.channel_id}")
    path = path.replace("/applications/1000000000000000003", f"/applications/{sandbox.application_id}")
    if path in (CALLBACK, WEBHOOK):
        is_choices = path == CALLBACK and bad.body["type"] == 8
        callback = await opened(sandbox, api, kind=AUTOCOMPLETE if is_choices else COMMAND)
        path = callback
    if bad.path == WEBHOOK:
        async with api.post(sandbox.api_url + callback, json={"type": 5}) as answer:
            assert answer.status == 204
        path = f"/webhooks/{sandbox.application_id}/{callback.split('/')[3]}"
    if "/messages/1/" in path:
        async with api.post(
            f"{sandbox.api_url}/channels/{sandbox.channel_id}/messages", json={"content": "a"}
        ) as answer:
            path = path.replace("/messages/1/", f"/messages/{(await answer.json())['id']}/")
    async with api.request(bad.method, sandbox.api_url + path, json=bad.body, params=bad.query) as answer:
        assert answer.status in (400, 404)
