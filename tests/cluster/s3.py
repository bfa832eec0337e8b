"""An S3-compatible server on loopback."""

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import fsspec
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class S3:
    """A running server."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it; botocore and s3fs read these."""
        return KEYS | {"AWS_ENDPOINT_URL_S3": self.endpoint, "FSSPEC_S3_ENDPOINT_URL": self.endpoint}

    def new_bucket(self) -> str:
        """The URL of an empty bucket; `environment` must be in force."""
        name = f"models-{uuid.uuid4().hex[:12]}"
        fsspec.filesystem("s3", endpoint_url=self.endpoint).mkdir(name)
        return f"s3://{name}"


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """A new server with nothing in it, and its keys in this process's environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    before = dict(os.environ)
    try:
        host, port = server.get_host_and_port()
        s3 = S3(f"http://{host}:{port}")
        os.environ.update(s3.environment)
        yield s3
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.stop()
