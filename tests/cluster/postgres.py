"""A PostgreSQL server of the tests' own, on a free port of loopback, and databases in it."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

USER = "postgres"
DEBIAN = Path("/usr/lib/postgresql")
# Nothing of it outlives the tests; `synchronous` puts the durability back that a figure or a fault needs.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_program(name: str) -> str | None:
    """`initdb` and its like: on the path, or where Debian keeps them."""
    newest = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True)
    return shutil.which(name) or (str(newest[0]) if newest else None)


@dataclass
class Postgres:
    """A running server."""

    folder: Path
    port: int
    is_durable: bool

    def url(self, database: str) -> str:
        """As `FILLBOT_DATABASE_URL` has it."""
        return f"postgresql+asyncpg://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        asyncio.run(self._execute(f"CREATE DATABASE {name}"))
        return self.url(name)

    def start(self) -> None:
        """Begin to listen, and wait until it does."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
        settings |= {"max_connections": 200} | ({} if self.is_durable else FAST)
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._control("start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends sessions; `immediate` is a crash."""
        self._control("stop", "-m", mode)

    def _control(self, *arguments: str) -> None:
        _run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", *arguments)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user=USER, database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres_server(*, is_durable: bool = False) -> Iterator[Postgres]:
    """A new server in a folder of its own; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fillbot-postgres-"))
    try:
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, USER, USER)
        _run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        server = Postgres(folder, _free_port(), is_durable)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test stopped it
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    found = find_program(program)
    assert found is not None, f"{program} is missing: apt-get install postgresql"
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
    # Its output goes nowhere: the server would keep a pipe open.
    subprocess.run(
        [*user, found, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
