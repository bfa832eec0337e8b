"""Discord's rate limits: what the bot is told, and when it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import pytest
from support.people import Person
from support.sandbox_world import add_channel

from bot.sandbox.rate_limits import Limit, Limits
from bot.sandbox.server import Sandbox


class Server:
    """A sandbox with limits, raw requests of its bot, and clocks that only tests move."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox, self._http = sandbox, http
        self.messages = f"/channels/{sandbox.channel_id}/messages"

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], dict]:
        url, headers = self.sandbox.api_url + path, {"Authorization": f"Bot {self.sandbox.bot_token}"}
        async with self._http.request(method, url, json=body, headers=headers) as response:
            is_json = response.headers.get("Content-Type") == "application/json"
            return response.status, dict(response.headers), await response.json() if is_json else {}

    async def post(self, channel_id: int | None = None) -> tuple[int, dict[str, str], dict]:
        path = f"/channels/{channel_id or self.sandbox.channel_id}/messages"
        return await self.ask("POST", path, {"content": "hello"})


@pytest.fixture
async def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def server(clock: list[float]) -> AsyncIterator[Server]:
    began = datetime.now(UTC)

    def now() -> datetime:
        return began + timedelta(seconds=clock[0] - 1000)

    async with Sandbox(limits=Limits(), now=now) as sandbox, aiohttp.ClientSession() as http:
        sandbox.rate_limits._clock = lambda: clock[0]
        yield Server(sandbox, http)


async def test_headers_say_what_is_left(server: Server, clock: list[float]) -> None:
    await server.post()
    clock[0] += 1.5
    status, headers, _ = await server.post()
    assert status == 200
    told = {name: headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset-After")}
    assert told == {"Limit": "5", "Remaining": "3", "Reset-After": "3.500"}
    assert headers["X-RateLimit-Bucket"]
    assert float(headers["X-RateLimit-Reset"]) > datetime.now(UTC).timestamp()


async def test_the_sixth_message_in_five_seconds_is_refused(server: Server, clock: list[float]) -> None:
    for _ in range(5):
        assert (await server.post())[0] == 200
    clock[0] += 2
    status, headers, body = await server.post()
    assert status == 429
    assert body == {"message": "You are being rate limited.", "code": 0, "retry_after": 3.0, "global": False}
    assert (headers["Retry-After"], headers["X-RateLimit-Scope"]) == ("3", "user")
    assert headers["Via"]
    clock[0] += 3
    assert (await server.post())[0] == 200


async def test_an_edit_counts_as_a_message(server: Server) -> None:
    _, _, message = await server.post()
    for number in range(4):
        path = f"{server.messages}/{message['id']}"
        assert (await server.ask("PATCH", path, {"content": str(number)}))[0] == 200
    assert (await server.post())[0] == 429


async def test_each_channel_has_limits_of_its_own(server: Server) -> None:
    other = add_channel(server.sandbox, "other")
    for _ in range(5):
        await server.post()
    assert (await server.post(other.id))[0] == 200


async def test_a_channel_takes_one_reaction_in_a_quarter_of_a_second(
    server: Server, clock: list[float]
) -> None:
    _, _, message = await server.post()
    reaction = f"{server.messages}/{message['id']}/reactions/%F0%9F%91%8D/@me"
    assert (await server.ask("PUT", reaction))[0] == 204
    assert (await server.ask("DELETE", reaction))[0] == 429
    clock[0] += 0.25
    assert (await server.ask("DELETE", reaction))[0] == 204


async def test_all_requests_of_the_token_have_one_limit(server: Server, clock: list[float]) -> None:
    channels = [add_channel(server.sandbox, f"c-{n}") for n in range(51)]
    for channel in channels[:50]:
        assert (await server.post(channel.id))[0] == 200
    status, headers, body = await server.post(channels[50].id)
    assert (status, body["global"], headers["X-RateLimit-Scope"]) == (429, True, "global")
    assert headers["X-RateLimit-Global"] == "true"
    clock[0] += 1
    assert (await server.post(channels[50].id))[0] == 200


async def test_the_fourth_edit_of_an_old_message_is_refused(server: Server, clock: list[float]) -> None:
    _, _, message = await server.post()
    path = f"{server.messages}/{message['id']}"
    clock[0] += 3601
    for number in range(3):
        assert (await server.ask("PATCH", path, {"content": str(number)}))[0] == 200
    status, headers, body = await server.ask("PATCH", path, {"content": "late"})
    assert (status, body["code"], body["retry_after"]) == (429, 30046, 20.0)
    assert headers["X-RateLimit-Remaining"] != "0"
    clock[0] += 20
    assert (await server.ask("PATCH", path, {"content": "late"}))[0] == 200


async def test_people_are_not_limited(server: Server) -> None:
    async with Person(server.sandbox.url, "ben") as ben:
        for number in range(60):
            await ben.say(server.sandbox.channel_id, str(number))


async def test_the_refused_requests_are_counted_by_route(server: Server) -> None:
    for _ in range(8):
        await server.post()
    route = ("POST", "/channels/{channel_id}/messages")
    assert server.sandbox.rate_limits.requests[route] == 8
    assert server.sandbox.rate_limits.refused == {route: 3}


async def test_without_limits_there_are_no_headers(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as http:
        server = Server(sandbox, http)
        told = [await server.post() for _ in range(20)]
    assert {status for status, _, _ in told} == {200}
    assert not any(name.startswith("X-RateLimit") for _, headers, _ in told for name in headers)


async def test_discord_py_keeps_within_a_bucket(make_bot, point_discord) -> None:
    limits = Limits(messages=Limit(3, 0.3))
    async with Sandbox(limits=limits) as sandbox:
        point_discord(sandbox)
        bot = make_bot()
        task = asyncio.create_task(bot.start(sandbox.bot_token))
        await bot.until("ready")
        await asyncio.gather(*(bot.get_channel(sandbox.channel_id).send(str(n)) for n in range(9)))
        assert sandbox.rate_limits.refusals == 0
        await bot.close()
        await task


async def test_discord_py_waits_out_an_edit_that_is_refused(make_bot, point_discord) -> None:
    began, passed = datetime.now(UTC), [timedelta()]
    async with Sandbox(limits=Limits(old_edits=Limit(1, 0.2)), now=lambda: began + passed[0]) as sandbox:
        point_discord(sandbox)
        bot = make_bot()
        task = asyncio.create_task(bot.start(sandbox.bot_token))
        await bot.until("ready")
        message: discord.Message = await bot.get_channel(sandbox.channel_id).send("old")
        passed[0] = timedelta(hours=2)
        for text in ("one", "two"):
            message = await message.edit(content=text)
        assert message.content == "two"
        assert sandbox.rate_limits.refusals >= 1
        await bot.close()
        await task
