"""The sandbox with shards: each connection hears its own servers, direct messages come to the first."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from support.people import Person
from support.teams import Team, found_teams

from bot.sandbox.gateway.intents import Intent
from bot.sandbox.server import Sandbox

GUILD_EVENTS = int(Intent.GUILDS | Intent.GUILD_MESSAGES | Intent.DIRECT_MESSAGES | Intent.MESSAGE_CONTENT)
INVALID_SHARD, INVALID_SESSION = 4010, 9


class Shard:
    """A connection of the bot's, as it comes over the wire."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self._sandbox, self._http = sandbox, http

    async def identify(self, shard: Any) -> aiohttp.WSMessage:
        """Begin, and return what comes first."""
        self.socket = await self._http.ws_connect(self._sandbox.gateway_url)
        await self.socket.receive_json()
        body = {"token": self._sandbox.bot_token, "intents": GUILD_EVENTS, "properties": {}, "shard": shard}
        await self.socket.send_json({"op": 2, "d": body})
        return await self.socket.receive()

    async def hears(self, name: str) -> dict[str, Any]:
        async for message in self.socket:
            packet = message.json()
            if packet["t"] == name:
                body: dict[str, Any] = packet["d"]
                return body
        raise AssertionError(self.socket.close_code)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(max_concurrency=2, identify_every_s=60) as sandbox:
        yield sandbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


@pytest.fixture
def teams(sandbox: Sandbox) -> list[Team]:
    return found_teams(sandbox, 4)


async def test_each_shard_hears_of_its_own_servers(
    sandbox: Sandbox, http: aiohttp.ClientSession, teams: list[Team]
) -> None:
    shards = [Shard(sandbox, http) for _ in range(2)]
    for number, shard in enumerate(shards):
        ready = (await shard.identify([number, 2])).json()
        assert ready["t"] == "READY"
        assert ready["d"]["shard"] == [number, 2]
        mine = {str(team.guild_id) for team in teams if team.shard(2) == number}
        assert {guild["id"] for guild in ready["d"]["guilds"]} == mine
        assert {(await shard.hears("GUILD_CREATE"))["id"] for _ in mine} == mine
    async with Person(sandbox.url, "mia") as mia:
        for team in teams:
            await mia.say(team.channel_id, str(team.guild_id))
        direct = await mia.direct_channel_id(sandbox.bot_user_id)
        await mia.say(direct, "direct")
    heard = [[(await shard.hears("MESSAGE_CREATE"))["content"] for _ in range(2)] for shard in shards]
    assert heard == [[str(t.guild_id) for t in teams if t.shard(2) == number] for number in range(2)]
    assert (await shards[0].hears("MESSAGE_CREATE"))["content"] == "direct"


@pytest.mark.parametrize("asked", [[2, 2], [-1, 2], [0], "0", [0, "2"]])
async def test_a_shard_that_cannot_be_is_refused(
    sandbox: Sandbox, http: aiohttp.ClientSession, asked: object
) -> None:
    shard = Shard(sandbox, http)
    await shard.identify(asked)
    assert shard.socket.close_code == INVALID_SHARD


async def test_too_many_sessions_at_once_are_refused(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    first = [(await Shard(sandbox, http).identify([number, 4])).json() for number in range(3)]
    assert [packet["op"] for packet in first] == [0, 0, INVALID_SESSION]


async def test_the_server_says_how_many_sessions_may_begin(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bot {sandbox.bot_token}"}
    async with http.get(f"{sandbox.api_url}/gateway/bot", headers=headers) as response:
        told = await response.json()
    assert told["shards"] == 1
    assert told["session_start_limit"]["max_concurrency"] == 2
