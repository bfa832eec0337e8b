"""HTTP proxies: reads HTTPS_PROXY and NO_PROXY, and keeps their passwords out of the log."""

from urllib.request import getproxies, proxy_bypass

import discord
from yarl import URL

from bot.errors import StartError
from training.locations import is_loopback

SCHEMES = ("http", "https")


def proxy_for(url: str) -> URL | None:
    """Return the proxy for a URL, including its credentials; None for loopback addresses and NO_PROXY.

    Raises:
        StartError: The variable holds no usable proxy address; the message does not repeat it.
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
            f"The proxy cannot be used: {name.upper()}_PROXY must be an address such as http://proxy:3128. "
            "Put a name and password before an @, percent-encoded."
        )
    return proxy


def proxy_secrets() -> tuple[str, ...]:
    """Return the passwords of all proxies, both percent-encoded and decoded."""
    found: set[str] = set()
    for written in getproxies().values():
        try:
            proxy = URL(written if "://" in written else f"http://{written}")
        except ValueError:
            continue
        found |= {proxy.password or "", proxy.raw_password or ""}
    return tuple(sorted(found - {""}, key=len, reverse=True))


def redact_proxy_secrets(text: str) -> str:
    """Replace proxy passwords in a text with `[secret]`."""
    for secret in proxy_secrets():
        text = text.replace(secret, "[secret]")
    return text


def use_proxy(client: discord.Client) -> None:
    """Route a client, its gateway and its webhooks through the proxy for Discord's API."""
    proxy = proxy_for(discord.http.Route.BASE)
    # aiohttp deprecates `proxy_auth`; it reads name and password from the address as well.
    client.http.proxy = None if proxy is None else str(proxy)
