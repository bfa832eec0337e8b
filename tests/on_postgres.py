"""Run pytest with every database of the tests on PostgreSQL: `python tests/on_postgres.py -q …`."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]


async def migrate(url: str) -> None:
    from storage.database import Database

    await (await Database.open(url)).close()


def main() -> int:
    from cluster.postgres import postgres_server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    with postgres_server() as server:
        template = server.new_database()
        asyncio.run(migrate(template))
        return subprocess.run(
            [sys.executable, "-m", "pytest", *sys.argv[1:]],
            env=os.environ | {"TEST_POSTGRES_URL": template},
            cwd=PROJECT,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
