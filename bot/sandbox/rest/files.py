"""Routes for browsers: the page, its files, attachments, and the gateway's socket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from yarl import URL

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.rest.api import GATEWAY, WORLD, answer, path_id

PAGE_FOLDER = Path(__file__).parent.parent / "page"
# not from the system's table: it may say that a script is plain text, which browsers refuse to run
PAGE_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE_FILES = frozenset(one.name for one in PAGE_FOLDER.iterdir() if one.suffix in PAGE_TYPES)
INLINE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    app.router.add_get("/", read_index)
    app.router.add_get("/page/{name}", read_page_file)
    app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", read_attachment)
    app.router.add_get("/gateway", open_socket)


async def read_index(request: web.Request) -> web.Response:
    """Return the page, always under the one origin that its pictures come from."""
    if request.headers["Host"] != URL(request.app[WORLD].url).authority:
        raise web.HTTPFound(request.app[WORLD].url)
    return _page_file(request, "index.html")


async def read_page_file(request: web.Request) -> web.Response:
    """Return a file of the page; only known names are served."""
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


async def read_attachment(request: web.Request) -> web.Response:
    """Return an attachment: images inline, anything else as a download that is never executed here."""
    attachment_id = path_id(request, "attachment_id")
    history = request.app[WORLD].messages.get(path_id(request, "channel_id"), {})
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


async def open_socket(request: web.Request) -> web.StreamResponse:
    """Open a gateway socket."""
    gateway = request.app[GATEWAY]
    is_bot = request.headers.get("User-Agent", "").startswith("DiscordBot")  # the only sign before IDENTIFY
    if gateway.faults.is_down and is_bot:
        return answer({"message": "503: Service Unavailable", "code": 0}, status=503)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return answer(ApiError(Refusal.BAD_REQUEST).body(), status=400)
    return await gateway.serve(request)
