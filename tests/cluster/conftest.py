"""Servers that the cluster's tests share: one of each for all of them."""

from collections.abc import Iterator

import pytest
from cluster.nodes import Nodes, ray_nodes
from cluster.postgres import Postgres, postgres_server
from cluster.s3 import S3, s3_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    with ray_nodes() as running:
        yield running


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture
def models_url(s3: S3) -> str:
    return s3.new_bucket()
