"""The Ray Serve application: each replica is a process that answers with the champion."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from training.corpus.language import reading
from training.distributed.serving.deployment import DEPLOYMENT, Service
from training.distributed.serving.replica import RETRY_AFTER_S, Replica
from training.distributed.shared_versions.cached_registry import CachedRegistry
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.inference.champion_follower import load_servable_model
from training.registry.versions import Registry

HEALTH_EVERY_S, HEALTH_TIMEOUT_S = 2.0, 15.0
DRAINS_WITHIN_S = 5.0
AT_ONCE = 64  # ongoing requests of a replica; they share the next batch
QUEUED = 256  # requests waiting for a replica; more are rejected with 503


@serve.deployment(name=DEPLOYMENT)
class Fill:
    """A Ray Serve replica."""

    def __init__(self, service: Service) -> None:
        """Load the champion, or else another servable version; without one the replica does not start."""
        self._open = contextlib.ExitStack()
        self._open.enter_context(reading(service.corpus_language))
        # A node may have several replicas, and a folder of its own: each replica has a cache of its own.
        self._cache = Path(tempfile.mkdtemp(prefix="fillbot-replica-")) if service.models_url else None
        if self._cache is None:
            self._registry: Registry = Registry(Path(service.models_dir))
        else:
            self._registry = CachedRegistry(self._cache, ObjectStorage(str(service.models_url)))
            self._registry.pull()
        self._threads = service.threads
        self._model, _ = load_servable_model(self._registry, threads=service.threads)
        self._replica: Replica | None = None

    async def __call__(self, request: Request) -> Response:
        """Answer a request of `protocol.py`."""
        status, said = await self._answering().respond(await request.body())
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
        return Response(said, status, headers, "application/json")

    async def check_health(self) -> None:
        """Raise if queries would get no answer; Ray Serve then replaces the replica."""
        await self._answering().check()

    async def __del__(self) -> None:
        """Release the model and delete the cache; Ray Serve awaits it."""
        if self._replica is not None:
            await self._replica.close()
        self._open.close()
        if self._cache is not None:
            shutil.rmtree(self._cache, ignore_errors=True)

    def _answering(self) -> Replica:
        """Return the replica, built at the first request: the constructor runs before the event loop."""
        if self._replica is None:
            self._replica = Replica(self._registry, self._model, threads=self._threads)
            del self._model  # otherwise it stays in memory after a reload
        return self._replica


def build(args: dict[str, Any]) -> serve.Application:
    """Build the application from a `Service` as JSON."""
    service = Service.model_validate(args)
    fill: Any = Fill  # the decorator's types do not say what it became
    application: serve.Application = fill.options(
        max_ongoing_requests=AT_ONCE,
        max_queued_requests=QUEUED,
        autoscaling_config={
            "min_replicas": service.replicas_min,
            "max_replicas": service.replicas_max,
            "target_ongoing_requests": service.replica_requests,
        },
        ray_actor_options={"num_cpus": service.threads},
        health_check_period_s=HEALTH_EVERY_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=DRAINS_WITHIN_S,
    ).bind(service)
    return application
