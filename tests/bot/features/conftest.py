"""A bot that serves the second version, and a training process that only notes what it is to draw."""

import json
import shutil
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.charts import PNG
from support.wire import Pretend, Wire, wired

from training.registry.versions import Registry

Asked = Callable[[], dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving_second(
    tmp_path_factory: pytest.TempPathFactory, models_folder: Path
) -> AsyncIterator[Wire]:
    """A running bot whose v0002 serves, with the rules of Discord."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    Registry(home / "models").promote("v0002")
    async with wired(home, min_voters=2) as running:
        yield running


@pytest.fixture
def asked(tmp_path: Path, pretend: Pretend) -> Asked:
    """A child that keeps what it is asked, and how it was called, and answers with a picture of one pixel."""
    path = tmp_path / "asked.json"
    pixel = PNG + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1, 1, 8, 0, 0, 0, 0) + b"\0" * 4
    pretend(
        "body = json.loads(sys.stdin.read())",
        f"open({str(path)!r}, 'w').write(json.dumps([body, sys.argv[1:], dict(os.environ)]))",
        f"sys.stdout.buffer.write({pixel!r})",
    )

    def read() -> dict[str, Any]:
        body, arguments, environment = json.loads(path.read_text())
        assert arguments == ["draw"]  # where everybody on this machine could read it
        assert not {name for name in environment if "TOKEN" in name and name.startswith(("DISCORD", "FILL"))}
        assert body.pop("language")["signs"] == {",": ",", ".": ".", "%": "%"}
        found: dict[str, Any] = body
        return found

    return read
