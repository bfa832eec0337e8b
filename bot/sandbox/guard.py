"""Refuses requests from other websites: a browser may come only from the sandbox's own page.

A page from elsewhere could reach a loopback port through the person's browser. Its Origin, or after DNS
rebinding its Host, shows that.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import answer

LOOPBACK_HOSTS = ("127.0.0.1", "localhost")


def guard_middleware() -> Middleware:
    """Return the middleware that refuses, with 403, a foreign Host or Origin on every route."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
        allowed = {f"{host}:{port}" for host in LOOPBACK_HOSTS}
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in allowed:
            return answer(ApiError(Refusal.FORBIDDEN).body(), status=403)
        if origin is not None and origin != f"http://{request.headers['Host']}":
            return answer(ApiError(Refusal.FORBIDDEN).body(), status=403)
        return await handler(request)

    return guard
