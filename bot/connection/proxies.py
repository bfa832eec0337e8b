"""The proxy by which this machine reaches Discord: HTTPS_PROXY and NO_PROXY, as other programs read them."""

from urllib.request import getproxies, proxy_bypass

import discord
from yarl import URL

from bot.errors import StartError
from training.locations import is_loopback

SCHEMES = ("http", "https")


def proxy_for(url: str) -> URL | None:
    """The proxy to a URL, with the name and password that it wants; none to this machine itself.

    Raises:
        StartError: the variable names no proxy that can be used; the sentence shows nothing of it.
    """
    target = URL(url)
    host = target.host or ""
    if is_loopback(host) or proxy_bypass(host if target.port is None else f"{host}:{target.port}"):
        return None
    found = getproxies()
    name = target.scheme if target.scheme in found else "all"
    written = found.get(name, "").strip()
    if not written:
        return None
    try:
        proxy = URL(written if "://" in written else f"http://{written}")
        is_usable = proxy.scheme in SCHEMES and bool(proxy.host) and proxy.port is not None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise StartError(
            f"The proxy cannot be used: {name.upper()}_PROXY must be an address such as http://proxy:3128; a "
            "name and password for it are percent-encoded, before an @."
        )
    return proxy


def proxy_secrets() -> tuple[str, ...]:
    """What must not be logged of proxies: passwords as written, and as meant."""
    found: set[str] = set()
    for written in getproxies().values():
        try:
            proxy = URL(written if "://" in written else f"http://{written}")
        except ValueError:
            continue
        found |= {proxy.password or "", proxy.raw_password or ""}
    return tuple(sorted(found - {""}, key=len, reverse=True))


def redact_proxy_secrets(text: str) -> str:
    """A text without those."""
    for secret in proxy_secrets():
        text = text.replace(secret, "[secret]")
    return text


def use_proxy(client: discord.Client) -> None:
    """Let a client, its gateway and its webhooks go by the proxy to Discord's API."""
    proxy = proxy_for(discord.http.Route.BASE)
    # Not `proxy_auth`, which aiohttp deprecates: it takes name and password from the address as well.
    client.http.proxy = None if proxy is None else str(proxy)
