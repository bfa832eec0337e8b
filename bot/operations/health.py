"""`/healthz`, `/readyz` and `/metrics` for whatever supervises the process; off unless a port is set.

Healthy means that the event loop responds. Ready means that the bot can answer; otherwise the response says
what is missing. The server starts first, so that a slow start shows as starting.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from bot.errors import EX_UNAVAILABLE, StartError
from bot.operations.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)
Probe = Callable[[], Awaitable[str | None]]  # what is missing, or None
PROBE_TIMEOUT_S = 3.0
PARTS = ("discord", "database", "model")
STARTING, STOPPING = "starting", "stopping"


class Readiness:
    """Whether the bot can answer. A part is missing until its probe is added and finds nothing wrong."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self._is_stopping = False
        self.model_version: Callable[[], str | None] = lambda: None
        self.among_others: Callable[[], dict[str, Any]] = dict  # this process among several
        self.warnings: Callable[[], dict[str, str]] = dict  # part → a problem that does not stop answering
        self.service: Callable[[], str | None] = lambda: None

    def add(self, part: str, probe: Probe) -> None:
        """Call `probe` from now on; if it raises, the part is missing."""
        self._probes[part] = probe

    def stop(self) -> None:
        """Report every part as missing from now on, without probing."""
        self._is_stopping = True

    async def missing(self) -> dict[str, str]:
        """Part → what is wrong with it; empty if the bot can answer."""
        if self._is_stopping:
            return dict.fromkeys(PARTS, STOPPING)
        found = await asyncio.gather(*map(self._ask, PARTS))
        return {part: reason for part, reason in zip(PARTS, found, strict=True) if reason is not None}

    async def _ask(self, part: str) -> str | None:
        if part not in self._probes:
            return STARTING
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await self._probes[part]()
        except TimeoutError:
            return f"no answer within {PROBE_TIMEOUT_S:.0f} s"
        except Exception as error:  # noqa: BLE001  any failure means that this part is not ready
            return str(error) or type(error).__name__


@contextlib.asynccontextmanager
async def health_server(
    readiness: Readiness, metrics: Metrics, *, host: str, port: int | None
) -> AsyncIterator[str | None]:
    """Serve while the block runs. Yields the URL, or None if `port` is None and nothing listens.

    Raises:
        StartError: the server cannot listen on the address.
    """
    if port is None:
        yield None
        return

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        missing = await readiness.missing()
        body = {"ready": not missing, "model_version": readiness.model_version(), "missing": missing}
        if warnings := readiness.warnings():
            body["warnings"] = warnings
        if (service := readiness.service()) is not None:
            body["service"] = service
        return web.json_response(body | readiness.among_others(), status=503 if missing else 200)

    async def scrape(request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        body, kind = metrics.exposed(accept, model_version=readiness.model_version())
        return web.Response(body=body, headers={"Content-Type": kind})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", scrape)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise StartError(
                f"The health endpoints cannot listen on {host}:{port} ({error.strerror or error}). Set "
                "FILLBOT_HEALTH_PORT to a free port, and FILLBOT_HEALTH_HOST to an address of this machine.",
                exit_code=EX_UNAVAILABLE,
            ) from error
        where, bound, *_ = runner.addresses[0]
        url = f"http://{f'[{where}]' if ':' in where else where}:{bound}"
        log.info("health.listening", url=url)
        yield url
    finally:
        await runner.cleanup()
