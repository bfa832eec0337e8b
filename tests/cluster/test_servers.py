"""The servers that the other tests here stand on do run."""

import asyncio

import asyncpg
import fsspec
import pytest
from cluster.nodes import Nodes
from ray.job_submission import JobSubmissionClient


def test_a_database_of_its_own_for_every_test(database_url: str) -> None:
    async def tables() -> int:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        try:
            return int(await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname='public'"))
        finally:
            await connection.close()

    assert asyncio.run(tables()) == 0


def test_a_file_is_made_once_only(models_url: str) -> None:
    fs, path = fsspec.core.url_to_fs(models_url)
    fs.pipe_file(f"{path}/one", b"1", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{path}/one", b"2", mode="create")
    assert fs.cat_file(f"{path}/one") == b"1"


def test_two_nodes_take_jobs(nodes: Nodes) -> None:
    client = JobSubmissionClient(nodes.dashboard)
    assert client.list_jobs() == []
    assert len(nodes.cluster.list_all_nodes()) == 2
