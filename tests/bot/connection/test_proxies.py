"""Discord is reached by the proxy of the environment, and this machine never is."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp.connector
import pytest
from support.certificates import server_context
from support.proxies import proxy_to
from support.wire import untouched_discord

from bot.client import FillBot
from bot.connection.proxies import proxy_for, redact_proxy_secrets
from bot.connection.session import check_token, connected, set_discord_urls
from bot.errors import EX_UNAVAILABLE, StartError
from bot.sandbox.server import Sandbox
from storage.settings import EX_CONFIG

DISCORD = "https://discord.com/api/v10"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with untouched_discord():
        yield


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("written", ["http://proxy:3128", "proxy:3128", " http://proxy:3128/ "])
def test_the_proxy_is_read_however_it_is_written(
    name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, written)
    proxy = proxy_for(DISCORD)
    assert proxy is not None
    assert (proxy.scheme, proxy.host, proxy.port, proxy.user) == ("http", "proxy", 3128, None)


def test_its_password_is_known_as_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3%40cret@proxy:3128")
    proxy = proxy_for(DISCORD)
    assert proxy is not None
    assert (proxy.user, proxy.password) == ("me", "s3@cret")
    assert (
        redact_proxy_secrets(f"no way by {proxy}, s3@cret")
        == "no way by http://me:[secret]@proxy:3128, [secret]"
    )


@pytest.mark.parametrize("no_proxy", ["discord.com", ".com", "*", "a.b, discord.com", "discord.com:443"])
def test_hosts_that_are_excepted_are_reached_directly(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(DISCORD) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765/api", "http://localhost/api", "https://[::1]/api"])
def test_this_machine_is_reached_directly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy:3128")
    assert proxy_for(url) is None


@pytest.mark.parametrize(
    "written", ["socks5://me:s3cret@proxy:1080", "http://", "ftp://proxy", "http://me:s3cret@proxy:port"]
)
async def test_what_is_no_proxy_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", written)
    with pytest.raises(StartError, match="HTTPS_PROXY must be") as caught:
        await check_token("t0ken")
    assert caught.value.exit_code == EX_CONFIG
    assert "s3cret" not in str(caught.value)


async def test_a_session_goes_by_the_proxy_http_and_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox() as sandbox, proxy_to(urlsplit(sandbox.url).port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        gateway = urlsplit(sandbox.gateway_url)._replace(netloc="gateway.discord.test")
        set_discord_urls("http://discord.test/api/v10", gateway.geturl())
        bot = FillBot(prefix="!", guild_ids=(Sandbox.guild_id,), admin_role_ids=())
        async with connected(bot, sandbox.bot_token):
            assert bot.is_ready()
        asked = proxy.asked("GET")
    assert any(target.startswith("http://discord.test/api/v10/users/@me") for target in asked)
    assert [head for head in proxy.heads if "upgrade: websocket" in head.lower()]


async def test_a_session_goes_through_a_tunnel_with_tls_http_and_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, trusted = server_context(tmp_path, ["discord.test", "gateway.discord.test"])
    ours = ssl.create_default_context(cafile=trusted)  # aiohttp makes its own when it is imported
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ours)
    async with Sandbox() as sandbox, proxy_to(urlsplit(sandbox.url).port, tls=tls) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{proxy.port}")
        gateway = urlsplit(sandbox.gateway_url)._replace(scheme="wss", netloc="gateway.discord.test")
        set_discord_urls("https://discord.test/api/v10", gateway.geturl())
        bot = FillBot(prefix="!", guild_ids=(Sandbox.guild_id,), admin_role_ids=())
        async with connected(bot, sandbox.bot_token):
            assert bot.is_ready()
    assert set(proxy.asked("CONNECT")) == {"discord.test:443", "gateway.discord.test:443"}
    assert len(proxy.asked("CONNECT")) == len(proxy.heads)  # nothing goes by it in the open
    assert all("Proxy-Authorization: Basic bWU6czNjcmV0" in head for head in proxy.heads)
    assert any(head.startswith("GET /api/v10/users/@me ") for head in proxy.tunnelled)
    assert any("upgrade: websocket" in head.lower() for head in proxy.tunnelled)
    assert not any("s3cret" in head or "Proxy-Authorization" in head for head in proxy.tunnelled)


async def test_a_tunnel_to_a_certificate_that_is_not_trusted_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, _ = server_context(tmp_path, ["discord.com"])
    async with Sandbox() as sandbox, proxy_to(urlsplit(sandbox.url).port, tls=tls) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(StartError) as caught:
            await check_token("t0ken")
    assert caught.value.exit_code == EX_UNAVAILABLE
    assert proxy.tunnelled == []


async def test_discord_itself_is_asked_for_by_connect_without_a_word_of_the_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxy_to() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{proxy.port}")
        with caplog.at_level(logging.DEBUG), pytest.raises(StartError) as caught:
            await check_token("t0ken")
    assert set(proxy.asked("CONNECT")) == {"discord.com:443"}
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]
    assert caught.value.exit_code == EX_UNAVAILABLE
    for text in (str(caught.value), caplog.text):
        assert "s3cret" not in text
        assert "bWU6czNjcmV0" not in text
