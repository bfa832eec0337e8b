"""All of it at once: versions on S3, a service of two replicas, training workers on two nodes, PostgreSQL."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cluster.nodes import Nodes, ray_nodes
from cluster.postgres import Postgres, postgres_server
from cluster.s3 import s3_server
from soak.run import write_home

from training.distributed.serving import deployment
from training.progress import NoProgress
from training.registry.factory import open_registry
from training.registry.sharing import pull
from training.registry.versions import Registry
from training.settings import Settings

CPUS = 6  # of a node: the one that stays has room for all replicas and workers


@dataclass(frozen=True, slots=True)
class Service:
    """The service on a cluster."""

    url: str
    settings: Settings

    def replicas(self) -> list[dict[str, Any]]:
        """Those that run, as Ray Serve knows them."""
        with httpx.Client(base_url=str(self.settings.ray_address), trust_env=False) as http:
            found = http.get(deployment.API).json()["applications"][deployment.NAME]
        replicas = found["deployments"][deployment.DEPLOYMENT]["replicas"]
        return [one for one in replicas if one["state"] == "RUNNING"]


@contextlib.contextmanager
def service_on(nodes: Nodes, home: Path, *, count: int = 2, **settings: Any) -> Iterator[Service]:
    """A service of so many replicas on a free port."""
    told = Settings(
        _env_file=None,
        home=home,
        ray_address=nodes.dashboard,
        replicas_min=count,
        replicas_max=count,
        **settings,
    )
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = deployment.deploy(told, NoProgress(), host="127.0.0.1", port=port)
    try:
        yield Service(f"http://127.0.0.1:{port}{path}", told)
    finally:
        deployment.stop(told)


@dataclass(frozen=True, slots=True)
class Everything:
    """What bots of this team are pointed at."""

    postgres: Postgres
    nodes: Nodes
    service: Service
    models_url: str
    database_url: str
    registry: Registry  # of somebody at a machine of their own

    @property
    def settings(self) -> dict[str, object]:
        """Of every bot."""
        return {
            "MODELS_URL": self.models_url,
            "SERVING_URL": self.service.url,
            "RAY_ADDRESS": self.nodes.dashboard,
            "RAY_WORKERS": 2,
        }

    def champion(self) -> str | None:
        """As the storage has it now. Blocking."""
        pull(self.registry)
        return self.registry.champion()


@contextlib.contextmanager
def everything(folder: Path, base: Path) -> Iterator[Everything]:
    """Start it. v0001 is a copy of `base` and champion, v0002 differs a little.

    The storage comes first: nodes have the environment of this process.
    """
    home = folder / "operator"
    write_home(home / "models", base)
    with s3_server() as s3, postgres_server(is_durable=True) as postgres, ray_nodes(cpus=CPUS) as nodes:
        where = {"models_url": s3.new_bucket(), "database_url": postgres.new_database()}
        registry = open_registry(Settings(_env_file=None, home=home, **where))
        pull(registry)
        with service_on(nodes, home, **where) as service:
            yield Everything(postgres, nodes, service, **where, registry=registry)
