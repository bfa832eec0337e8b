"""A Ray cluster of several nodes on this machine."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # despite its name: loopback stays loopback
STORE_BYTES = 200 << 20  # of each node's object store
PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Nodes:
    """A running cluster; `cluster` adds and removes nodes."""

    cluster: Any
    address: str  # of the cluster itself, HOST:PORT
    dashboard: str  # where jobs are submitted, http://HOST:PORT

    def workers(self) -> list[dict[str, Any]]:
        """Those that train or have trained, as the cluster knows them: `actor_id`, `state`, `node_id`."""
        with httpx.Client(base_url=self.dashboard, trust_env=False, timeout=30) as http:
            found = http.get("/api/v0/actors", params={"limit": 1000}).json()["data"]["result"]["result"]
        return [one for one in found if "TrainWorker" in one["class_name"]]


@contextlib.contextmanager
def ray_nodes(count: int = 2, *, cpus: int = 2) -> Iterator[Nodes]:
    """So many nodes with so many processors each, whatever the machine has."""
    from ray.cluster_utils import Cluster

    # What the nodes' processes import is this checkout, and `python` is the one that runs the tests.
    os.environ["PYTHONPATH"] = str(PROJECT)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    port = _free_port()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": cpus,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": port,
            "node_ip_address": "127.0.0.1",
        },
    )
    try:
        for _ in range(count - 1):
            cluster.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1")
        cluster.wait_for_nodes()
        yield Nodes(cluster, cluster.address, f"http://127.0.0.1:{port}")
    finally:
        cluster.shutdown()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
