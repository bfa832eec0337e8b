"""Routes for browsers: the page, its files, attachments, and the gateway's socket."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from yarl import URL

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import GATEWAY, WORLD, Call, Routes, refused

PAGE_FOLDER = Path(__file__).parent.parent / "page"
# not from the system's table: it may say that a script is plain text, which browsers refuse to run
PAGE_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE_FILES = frozenset(one.name for one in PAGE_FOLDER.iterdir() if one.suffix in PAGE_TYPES)
PAGE_TEXTS: web.AppKey[dict[str, Any]] = web.AppKey("page_texts", dict)  # what `page/texts.js` reads
INLINE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


routes = Routes()


@routes.get("/")
async def serve_page(request: web.Request) -> web.Response:
    """Return the page, always under the one origin that its pictures come from."""
    if request.headers["Host"] != URL(request.app[WORLD].url).authority:
        raise web.HTTPFound(request.app[WORLD].url)
    return _page_file(request, "index.html")


@routes.get("/page/{name}")
async def read_page_file(request: web.Request) -> web.Response:
    """Return a file of the page, or its texts; only known names are served."""
    if request.match_info["name"] == "texts.json":
        return web.json_response(request.app[PAGE_TEXTS], headers={"Cache-Control": "no-store"})
    return _page_file(request, request.match_info["name"])


def _page_file(request: web.Request, name: str) -> web.Response:
    if name not in PAGE_FILES:
        raise ApiError(Refusal.NOT_FOUND)
    socket_url = f"ws://{request.headers['Host']}"  # older browsers exclude ws: from 'self'
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {socket_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        body=(PAGE_FOLDER / name).read_bytes(),
        content_type=PAGE_TYPES[Path(name).suffix],
        charset="utf-8",
        headers={
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )


@routes.get("/attachments/{channel_id}/{attachment_id}/{filename}")
async def read_attachment(request: web.Request) -> web.Response:
    """Return an attachment: images inline, anything else as a download that is never executed here."""
    call = Call(request)
    attachment_id = call.path_id("attachment_id")
    history = call.world.history(call.path_id("channel_id"))
    for message in reversed(history.values()):
        for one in message.attachments:
            if one.id == attachment_id and one.filename == request.match_info["filename"]:
                is_inline = one.content_type in INLINE_TYPES
                disposition = "inline" if is_inline else "attachment"
                return web.Response(
                    body=one.content,
                    headers={
                        "Content-Type": one.content_type if is_inline else "application/octet-stream",
                        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(one.filename)}",
                        "Content-Security-Policy": "default-src 'none'; sandbox",
                        "Cross-Origin-Resource-Policy": "same-origin",
                        "X-Content-Type-Options": "nosniff",
                    },
                )
    raise ApiError(Refusal.NOT_FOUND)


@routes.get("/gateway")
async def open_socket(request: web.Request) -> web.StreamResponse:
    """Open a gateway socket."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return refused(ApiError(Refusal.BAD_REQUEST))
    return await request.app[GATEWAY].serve(request)
