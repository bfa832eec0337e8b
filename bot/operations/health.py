"""`/healthz`, `/readyz` and `/metrics`, for whoever watches over the process. Off unless a port is set.

Healthy: the event loop answers. Ready: all that answering takes is there; what is missing is said. It listens
from the first moment, so that a long start is seen as what it is.
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
Probe = Callable[[], Awaitable[str | None]]  # what is missing, in a few words; None: nothing
PROBE_TIMEOUT_S = 3.0
PARTS = ("discord", "database", "model")
STARTING, STOPPING = "starting", "stopping"


class Readiness:
    """What it takes to answer people; each part is missing until its probe is there and finds nothing."""

    def __init__(self) -> None:
        """Start with everything missing."""
        self._probes: dict[str, Probe] = {}
        self._is_stopping = False
        self.model_version: Callable[[], str | None] = lambda: None
        self.among_others: Callable[[], dict[str, Any]] = dict  # what is this process's, of several
        self.warnings: Callable[[], dict[str, str]] = dict  # part → what is wrong, though people can ask
        self.service: Callable[[], str | None] = lambda: None

    def add(self, part: str, probe: Probe) -> None:
        """Ask `probe` from now on; it may raise, which is missing too."""
        self._probes[part] = probe

    def stop(self) -> None:
        """Nothing is ready, and nothing asked, from now on."""
        self._is_stopping = True

    async def missing(self) -> dict[str, str]:
        """Part → what is wrong with it; empty: people can ask."""
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
        except Exception as error:  # noqa: BLE001  whatever it is, that part is not ready
            return str(error) or type(error).__name__


@contextlib.asynccontextmanager
async def health_server(
    readiness: Readiness, metrics: Metrics, *, host: str, port: int | None
) -> AsyncIterator[str | None]:
    """Serve while the block runs. Yields the address, or None where `port` is (then nothing listens).

    Raises:
        StartError: the address cannot be listened on.
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
