"""Around every route: foreign websites are refused, errors become Discord's, faults are injected."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.faults import RequestFault
from bot.sandbox.rate_limits import too_many_requests
from bot.sandbox.rest.api import GATEWAY, PREFIX, WORLD, answer, refused

LOOPBACK_HOSTS = ("127.0.0.1", "localhost")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a foreign Host or Origin with 403: a browser may come only from the sandbox's own page.

    A page from elsewhere could reach a loopback port through the person's browser. Its Origin, or after DNS
    rebinding its Host, shows that.
    """
    port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
    host = request.headers.get("Host")
    is_own_host = host in {f"{one}:{port}" for one in LOOPBACK_HOSTS}
    if not is_own_host or request.headers.get("Origin") not in (None, f"http://{host}"):
        return refused(ApiError(Refusal.FORBIDDEN))
    return await handler(request)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into Discord's error bodies."""
    try:
        return await handler(request)
    except ApiError as error:
        return refused(error)
    except web.HTTPRequestEntityTooLarge:
        return refused(ApiError(Refusal.ENTITY_TOO_LARGE))
    except web.HTTPMethodNotAllowed:
        return refused(ApiError(Refusal.METHOD_NOT_ALLOWED))
    except web.HTTPNotFound:
        return refused(ApiError(Refusal.NOT_FOUND))


@web.middleware
async def inject_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply the next fault to a request of the bot; people's requests always pass."""
    world = request.app[WORLD]
    is_person = world.user_id_by_header(request.headers) not in (None, world.bot_user_id)
    if is_person or not request.path.startswith(PREFIX):
        return await handler(request)
    faults = request.app[GATEWAY].faults
    if faults.is_down:
        return answer({"message": "503: Service Unavailable", "code": 0}, status=503)
    fault = faults.for_request(request.method, request.path.removeprefix(PREFIX))
    return await handler(request) if fault is None else await _apply(fault, request, handler)


async def _apply(fault: RequestFault, request: web.Request, handler: Handler) -> web.StreamResponse:
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
        headers = {"Via": "1.1 sandbox", "X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
        headers["X-RateLimit-Reset-After"] = str(fault.retry_after_s)
        scope = "global" if fault.is_global else "user"
        return too_many_requests(scope, fault.retry_after_s, headers)
    return answer(ApiError(fault.refusal or Refusal.SERVER_ERROR).body(), status=fault.status or 500)
