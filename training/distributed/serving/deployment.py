"""Deploy and stop the service through the REST API of the Ray dashboard; without the package `ray`."""

import os
import time
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from training.distributed.serving.protocol import PATH
from training.inference.errors import NotDeployedError, ServeClusterUnreachableError
from training.progress import Progress
from training.settings import Settings

NAME, DEPLOYMENT = "fillbot", "fill"
API = "/api/serve/applications/"
POLL_S, REQUEST_TIMEOUT_S = 0.5, 120.0  # the first request starts Ray Serve itself
PASSED_VARIABLES = ("AWS_", "FSSPEC_", "OMP_")  # nodes need the credentials of the shared storage


class Service(BaseModel):
    """The settings of the replicas."""

    model_config = ConfigDict(frozen=True)

    models_dir: str
    models_url: str | None  # replicas follow what is published there; they get no access to the database
    threads: int
    corpus_language: str
    replicas_min: int
    replicas_max: int
    replica_requests: float

    @classmethod
    def of(cls, settings: Settings) -> "Service":
        """Return the service that the settings ask for."""
        return cls(
            models_dir=str(settings.models_dir.absolute()),
            models_url=settings.models_url,
            threads=settings.replica_cpus,
            corpus_language=settings.corpus_language,
            replicas_min=settings.replicas_min,
            replicas_max=settings.replicas_max,
            replica_requests=settings.replica_requests,
        )


def deploy(settings: Settings, progress: Progress, *, host: str, port: int, timeout_s: float = 300.0) -> str:
    """Deploy or update the service, and wait until it answers. Returns its path. Blocking.

    Args:
        settings: Where the versions are, and how many replicas.
        progress: Counts ready replicas.
        host, port: Where each node listens; ignored where Ray Serve runs already.
        timeout_s: Until the deployment has failed.

    Raises:
        ServeClusterUnreachableError: There is no cluster.
        NotDeployedError: The service did not start.
    """
    service = Service.of(settings)
    config = {
        "proxy_location": "EveryNode",
        "http_options": {"host": host, "port": port},
        "applications": [
            {
                "name": NAME,
                "route_prefix": PATH,
                "import_path": "training.distributed.serving.app:build",
                "args": service.model_dump(),
                "runtime_env": {"env_vars": _environment()},
            }
        ],
    }
    with _cluster(settings) as cluster:
        _request(cluster, settings, "PUT", json=config)
        progress.step("starting replicas", service.replicas_min)
        ready, ends = 0, time.monotonic() + timeout_s
        while time.monotonic() < ends:
            found = _request(cluster, settings, "GET").json()["applications"].get(NAME, {})
            running = _running(found)
            if running > ready:
                progress.advance(min(running, service.replicas_min) - ready)
                ready = min(running, service.replicas_min)
            if found.get("status") == "RUNNING" and ready >= service.replicas_min:
                return PATH
            if found.get("status") in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise NotDeployedError(_last_line(found.get("message", "")))
            time.sleep(POLL_S)
    raise NotDeployedError(f"{ready} of {service.replicas_min} replicas are ready after {timeout_s:.0f} s.")


def stop(settings: Settings) -> None:
    """Stop the service. Blocking; idempotent.

    Raises:
        ServeClusterUnreachableError: There is no cluster.
    """
    with _cluster(settings) as cluster:
        _request(cluster, settings, "DELETE")


def _cluster(settings: Settings) -> httpx.Client:
    if settings.ray_address is None:
        raise ServeClusterUnreachableError(None)
    return httpx.Client(base_url=settings.ray_address, timeout=REQUEST_TIMEOUT_S, trust_env=False)


def _request(cluster: httpx.Client, settings: Settings, method: str, **options: Any) -> httpx.Response:
    try:
        response = cluster.request(method, API, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServeClusterUnreachableError(settings.ray_address) from error
    if response.is_error:
        raise NotDeployedError(_last_line(response.text))
    return response


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PASSED_VARIABLES)}


def _running(application: dict[str, Any]) -> int:
    replicas = application.get("deployments", {}).get(DEPLOYMENT, {}).get("replicas", [])
    return sum(replica.get("state") == "RUNNING" for replica in replicas)


def _last_line(text: str) -> str:
    return next(
        (line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason was given."
    )
