"""Who gets in: hosts, origins, tokens, the port, and what the page may do."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from bot.sandbox.errors import PortInUseError
from bot.sandbox.server import Sandbox


@pytest.mark.parametrize(
    "path", ["/", "/api/v10/users/@me", "/gateway", "/page/state.js", "/attachments/1/2/x"]
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


async def test_localhost_leads_to_the_address_that_pictures_come_from(sandbox):
    url = sandbox.url.replace("127.0.0.1", "localhost")
    async with aiohttp.ClientSession() as http, http.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, sandbox.url)


async def test_the_page_may_run_no_inline_script(sandbox, monkeypatch, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr("bot.sandbox.rest.files.PAGE_FOLDER", tmp_path)
    async with aiohttp.ClientSession() as http, http.get(sandbox.url) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.content_type == "text/html"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["..%2f..%2fserver.py", "..%2Findex.html", "", "%00.js", "secret.txt"])
async def test_only_the_pages_own_files_are_served(sandbox, name):
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/page/{name}") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("index.html", "text/html"), ("frame.css", "text/css"), ("page.js", "text/javascript")],
)
async def test_the_pages_files_have_types_that_browsers_take(sandbox, name, content_type):
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/page/{name}") as response:
        assert (response.status, response.content_type) == (200, content_type)
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_taken_port_is_named_with_its_setting(sandbox):
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(PortInUseError, match=f"{port}.*FILLBOT_SANDBOX_PORT"):
        async with Sandbox(port=port):
            pass


async def test_ids_stay_over_a_restart_and_tokens_do_not():
    async with Sandbox() as first, Sandbox() as second:
        assert first.people == second.people
        assert first.bot_token != second.bot_token


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


async def test_it_listens_on_one_loopback_address_alone(sandbox):
    port = int(sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        pass
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=5):  # noqa: PT011
        pytest.fail("it listens on every address")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"])
async def test_a_page_from_elsewhere_opens_no_socket(sandbox, origin):
    async with aiohttp.ClientSession(headers={"Origin": origin}) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await http.ws_connect(f"{sandbox.url}/gateway")


async def test_a_name_that_leads_to_loopback_opens_no_socket(sandbox):
    """DNS rebinding: the page's own name has the address of this machine by now."""
    port = sandbox.url.rpartition(":")[2]
    headers = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await http.ws_connect(f"{sandbox.url}/gateway")
