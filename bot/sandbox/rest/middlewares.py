"""Around every route: foreign websites are refused, and errors become Discord's."""

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import refused

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
