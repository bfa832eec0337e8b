"""Applies the injected faults to the bot's requests."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.faults import RequestFault
from bot.sandbox.rest.api import ACCOUNTS, GATEWAY, PREFIX, WORLD, answer


def faults_middleware() -> Middleware:
    """Return the middleware that applies the next fault; people's requests always pass."""

    @web.middleware
    async def trouble(request: web.Request, handler: Handler) -> web.StreamResponse:
        user_id = request.app[ACCOUNTS].by_header(request.headers)
        is_person = user_id is not None and user_id != request.app[WORLD].bot_user_id
        is_gateway = request.path == "/gateway"
        if is_person or not (is_gateway or request.path.startswith(PREFIX)):
            return await handler(request)
        faults = request.app[GATEWAY].faults
        if faults.is_down and not is_gateway:
            return answer({"message": "503: Service Unavailable", "code": 0}, status=503)
        fault = None if is_gateway else faults.for_request(request.method, request.path.removeprefix(PREFIX))
        return await handler(request) if fault is None else await _meet(fault, request, handler)

    return trouble


async def _meet(fault: RequestFault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Respond to a request with a fault."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.is_done_first:
        await handler(request)
    if fault.is_cut and request.transport is not None:
        request.transport.abort()
    elif fault.status is None:
        return await handler(request)
    if fault.status == 429:
        return _rate_limited(fault)
    return answer(ApiError(fault.refusal or Refusal.SERVER_ERROR).body(), status=fault.status or 500)


def _rate_limited(fault: RequestFault) -> web.Response:
    """Return 429 with the headers that discord.py reads."""
    body = {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": fault.retry_after_s,
        "global": fault.is_global,
    }
    response = answer(body, status=429)
    response.headers.update(
        {
            "Via": "1.1 sandbox",
            "Retry-After": str(max(1, round(fault.retry_after_s))),
            "X-RateLimit-Limit": "1",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset-After": str(fault.retry_after_s),
            "X-RateLimit-Scope": "global" if fault.is_global else "user",
        }
    )
    if fault.is_global:
        response.headers["X-RateLimit-Global"] = "true"
    return response
