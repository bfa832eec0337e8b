"""What the REST API refuses: strangers, wrong pages, what others own, and what is over Discord's limits."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import discord
import pytest
from people import Person, RefusedError

from bot.sandbox.errors import NameTakenError, PortInUseError
from bot.sandbox.server import Sandbox


@pytest.mark.parametrize(
    "path", ["/", "/api/v10/users/@me", "/gateway", "/page/page.js", "/attachments/1/2/x"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Host": "localhost:{port}", "Origin": "http://127.0.0.1:{port}"},
    ],
)
async def test_a_foreign_host_or_origin_is_refused(sandbox, path, headers):
    port = sandbox.url.rpartition(":")[2]
    sent = {name: value.format(port=port) for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(headers={"Authorization": "ada"}) as http,
        http.get(sandbox.url + path, headers=sent) as response,
    ):
        assert response.status == 403


async def test_the_own_page_is_let_in(sandbox):
    port = sandbox.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        url = f"http://{host}:{port}"
        async with aiohttp.ClientSession(headers={"Authorization": "ada", "Origin": url}) as http:
            async with http.get(f"{url}/api/v10/users/@me") as response:
                assert (await response.json())["username"] == "ada"
                assert response.headers["Content-Type"] == "application/json"
                assert "Set-Cookie" not in response.headers
            async with http.ws_connect(f"{url}/gateway") as socket:
                assert (await socket.receive_json())["op"] == 10


async def test_the_page_may_run_no_inline_script(sandbox, monkeypatch, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr("bot.sandbox.rest.files.PAGE_FOLDER", tmp_path)
    async with aiohttp.ClientSession() as http, http.get(sandbox.url) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.content_type == "text/html"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["..%2f..%2fserver.py", "..%2Findex.html", "secret.txt"])
async def test_only_the_pages_own_files_are_served(sandbox, name):
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/page/{name}") as response:
        assert response.status == 404


async def test_a_taken_port_is_named_with_its_setting(sandbox):
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(PortInUseError, match=f"{port}.*FILLBOT_SANDBOX_PORT"):
        async with Sandbox(port=port):
            pass


async def test_ids_stay_over_a_restart_and_tokens_do_not():
    async with Sandbox() as first, Sandbox() as second:
        assert first.people == second.people
        assert first.bot_token != second.bot_token
        with pytest.raises(NameTakenError):
            first.add_person("ada")


@pytest.mark.parametrize("header", ["", "nobody", "Bot ada", "Bot wrong", "Bot ", "ada "])
async def test_a_wrong_token_is_refused(sandbox, header):
    headers = {"Authorization": header} if header else {}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{sandbox.api_url}/users/@me") as response,
    ):
        if header == "ada ":  # a header's trailing blank is no part of it
            assert response.status == 200
        else:
            assert (response.status, await response.json()) == (
                401,
                {"message": "401: Unauthorized", "code": 0},
            )


async def test_the_bots_token_works_only_as_a_bots(sandbox):
    headers = {"Authorization": sandbox.bot_token}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{sandbox.api_url}/users/@me") as response,
    ):
        assert response.status == 401


async def test_tokens_are_never_logged(sandbox, make_bot, start, ben, caplog):
    caplog.set_level(0)
    bot = make_bot()
    await start(bot)
    await ben.say(sandbox.channel_id, "hello")
    await bot.until("message")
    ours = [record for record in caplog.records if record.name.startswith(("aiohttp", "bot"))]
    assert all(sandbox.bot_token not in record.getMessage() for record in ours)


async def test_nobody_changes_what_another_wrote(sandbox, ada, ben):
    message = await ada.say(sandbox.channel_id, "mine")
    path = f"/channels/{sandbox.channel_id}/messages/{message['id']}"
    with pytest.raises(RefusedError, match="50005"):
        await ben.request("PATCH", path, {"content": "yours"})
    with pytest.raises(RefusedError, match="50013"):
        await ben.delete(message)
    await ada.request("PATCH", path, {"content": "still mine"})
    foreign = await ben.say(sandbox.channel_id, "ben's")
    with pytest.raises(RefusedError, match="50005"):
        await ada.request(
            "PATCH", f"/channels/{sandbox.channel_id}/messages/{foreign['id']}", {"content": "x"}
        )
    await ada.delete(foreign)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/channels/1", 10003),
        ("GET", "/channels/{channel}/messages/1", 10008),
        ("GET", "/channels/x", 50035),
        ("GET", "/channels/{channel}/messages?limit=101", 50035),
        ("GET", "/guilds/1", 10004),
        ("GET", "/guilds/{guild}/members/1", 10007),
        ("GET", "/users/1", 10013),
        ("GET", "/oauth2/applications/@me", 10002),
        ("GET", "/nothing", 0),
        ("PUT", "/users/@me", 0),
        ("POST", "/webhooks/1/x", 10015),
    ],
)
async def test_what_does_not_exist_is_refused_as_discord_does(sandbox, ben, method, path, code):
    with pytest.raises(RefusedError) as refused:
        await ben.request(method, path.format(channel=sandbox.channel_id, guild=sandbox.guild_id))
    assert refused.value.code == code
    assert set(refused.value.body) >= {"message", "code"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
async def test_a_body_that_is_no_object_is_refused(sandbox, ben, body):
    with pytest.raises(RefusedError) as refused:
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", data=body)
    assert refused.value.code in (50035, 50109)


async def test_what_the_guild_shows_its_members(sandbox, ben):
    guild = f"/guilds/{sandbox.guild_id}"
    assert (await ben.request("GET", guild))["name"] == "Sportswear team"
    assert [one["name"] for one in await ben.request("GET", f"{guild}/channels")] == ["support", "reports"]
    roles = {one["id"]: one["name"] for one in await ben.request("GET", f"{guild}/roles")}
    assert roles[str(sandbox.admin_role_id)] == "Admin"
    ada = await ben.request("GET", f"{guild}/members/{sandbox.people['ada'].id}")
    assert ada["roles"] == [str(sandbox.admin_role_id)]
    members = await ben.request("GET", f"{guild}/members?limit=10")
    assert [one["user"]["username"] for one in members] == ["fillbot", "owner", "ada", "ben", "cleo"]
    assert [one["name"] for one in await ben.request("GET", "/users/@me/guilds")] == ["Sportswear team"]
    assert (await ben.request("GET", f"/users/{sandbox.bot_user_id}"))["bot"]
    assert (await ben.request("GET", "/gateway"))["url"] == sandbox.gateway_url


def menu(count: int = 2, **changes) -> dict:
    """Return a row with a menu of so many choices."""
    choices = [{"label": str(at), "value": str(at)} for at in range(count)]
    return {"type": 1, "components": [{"type": 3, "custom_id": "menu", "options": choices, **changes}]}


def button(custom_id: str) -> dict:
    return {"type": 2, "style": 1, "label": "x", "custom_id": custom_id}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": 5}, "content"),
        ({"embeds": [{"title": "x" * 257}]}, "title"),
        ({"embeds": [{"description": "x" * 4097}]}, "description"),
        ({"embeds": [{"footer": {"text": "x" * 2049}}]}, "footer"),
        ({"embeds": [{"fields": [{"name": "a", "value": "b"}] * 26}]}, "fields"),
        ({"embeds": [{"fields": [{"name": "a", "value": ""}]}]}, "value"),
        ({"embeds": [{"fields": [{"name": "a", "value": "x" * 1025}]}]}, "value"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "maximum size"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds"),
        ({"content": "x", "components": [menu()] * 6}, "components"),
        ({"content": "x", "components": [menu(26)]}, "options"),
        ({"content": "x", "components": [menu(0)]}, "options"),
        ({"content": "x", "components": [menu(custom_id="x" * 101)]}, "custom_id"),
        ({"content": "x", "components": [menu(custom_id="")]}, "custom_id"),
        ({"content": "x", "components": [menu(max_values=3)]}, "max_values"),
        ({"content": "x", "components": [menu(options=[{"label": "a", "value": "a"}] * 2)]}, "already used"),
        ({"content": "x", "components": [menu(), menu()]}, "duplicated"),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, "components"),
        ({"content": "x", "components": [button("bare")]}, "type"),
        (
            {"content": "x", "components": [{"type": 1, "components": [button(c) for c in "abcdef"]}]},
            "components",
        ),
        ({"content": "x", "message_reference": {"message_id": "1"}}, "Unknown message"),
    ],
)
async def test_what_is_over_a_limit_is_refused(sandbox, make_bot, start, body, field):
    bot = make_bot()
    await start(bot)
    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=sandbox.channel_id),
            json=body,
        )
    assert (refused.value.status, refused.value.code) == (400, 50035)
    assert field in str(refused.value)


async def test_what_is_just_within_the_limits_is_taken(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    embed = discord.Embed(title="t" * 256, description="d" * 4096)
    embed.add_field(name="n" * 256, value="v" * 1024)
    await bot.get_channel(sandbox.channel_id).send("x" * 2000, embed=embed)


async def test_an_empty_message_is_refused(sandbox, ben):
    with pytest.raises(RefusedError, match="50006"):
        await ben.say(sandbox.channel_id, " ")


async def test_people_send_no_embeds(sandbox, ben):
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", {"embeds": [{"title": "x"}]})


async def test_a_stranger_sees_nothing(sandbox):
    sandbox.add_person("dan")
    async with Person(sandbox.url, "dan") as dan:
        for path in (f"/channels/{sandbox.channel_id}", f"/guilds/{sandbox.guild_id}/channels"):
            with pytest.raises(RefusedError, match="50001"):
                await dan.request("GET", path)
        with pytest.raises(RefusedError, match="50007"):
            await dan.direct_channel_id(sandbox.bot_user_id)
        assert [name for name, _ in dan.events] == ["READY"]


async def test_a_rate_limit_is_waited_out(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    sandbox.faults.rate_limit("PUT", r"/reactions/", retry_after_s=0.2)
    sent = await bot.get_channel(sandbox.channel_id).send("rate me")
    began = time.monotonic()
    await sent.add_reaction("👍")
    assert time.monotonic() - began >= 0.2
    assert (await ben.message({"channel_id": sandbox.channel_id, "id": sent.id}))["reactions"][0][
        "count"
    ] == 1


async def test_a_global_rate_limit_is_waited_out(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    sandbox.faults.rate_limit("POST", r"/messages$", is_global=True, retry_after_s=0.1, times=2)
    assert (await bot.get_channel(sandbox.channel_id).send("late")).content == "late"


async def test_a_failure_that_was_done_all_the_same_makes_no_second_message(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    sandbox.faults.fail("POST", r"/messages$", is_done_first=True)
    await bot.get_channel(sandbox.channel_id).send("once")  # tried again after a second, with the same nonce
    assert [one["content"] for one in await ben.messages(sandbox.channel_id)] == ["once"]


async def test_faults_leave_people_alone_and_are_used_up(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    channel = bot.get_channel(sandbox.channel_id)
    sandbox.faults.fail("*", "/messages", status=503)
    await ben.say(sandbox.channel_id, "hello")
    with pytest.raises(discord.DiscordServerError):
        await channel.send("x")
    await channel.send("y")
    sandbox.faults.delay("POST", "/messages", delay_s=0.15)
    began = time.monotonic()
    await channel.send("z")
    assert time.monotonic() - began >= 0.15
    sandbox.faults.cut("POST", "/messages", times=None)
    with pytest.raises((OSError, aiohttp.ClientError)):
        await channel.send("cut")
    sandbox.faults.clear()
    await asyncio.sleep(0)
    await channel.send("whole")
