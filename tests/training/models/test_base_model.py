"""Where the base model is found, and how soon it is reported as unavailable."""

import asyncio
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from training.errors import BaseModelError
from training.hub import hub_is_reachable
from training.models import base_model
from training.models.base_model import find_base, locate_base
from training.settings import DEFAULT_BASE_MODEL

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROJECT = Path(__file__).parents[3]


def put_in_cache(hub: Path, name: str, base: Path, *, without: tuple[str, ...] = ()) -> Path:
    """Lay a base out as the hub's cache does: blobs, links to them, and a reference. Returns the snapshot."""
    repository = hub / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for path in base.iterdir():
        if path.name not in without:
            blob = repository / "blobs" / path.name.encode().hex()
            shutil.copy(path, blob)
            (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def closed_port() -> Iterator[str]:
    """The address of a loopback port without a listener."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Switch the hub on, at an address."""

    def switch(address: str) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)

    return switch


def test_a_folder_is_taken_as_it_is(distilbert_folder: Path, hub: Path) -> None:
    assert find_base(str(distilbert_folder)) == distilbert_folder


def test_a_folder_in_the_working_directory_may_be_named_without_a_path(
    distilbert_folder: Path, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(distilbert_folder, tmp_path / "our-base")
    monkeypatch.chdir(tmp_path)
    assert find_base("our-base") == Path("our-base")


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "~/no-such-folder", "../a/b/c", "a/b/c"])
def test_a_folder_that_is_not_there(name: str, hub: Path) -> None:
    with pytest.raises(BaseModelError, match="there is no such folder"):
        find_base(name)


@pytest.mark.parametrize("name", [DEFAULT_BASE_MODEL, "ours/shoe-bert"])
def test_a_base_in_the_hubs_cache(name: str, hub: Path, distilbert_folder: Path) -> None:
    snapshot = put_in_cache(hub, name, distilbert_folder)
    assert find_base(name) == snapshot


def test_the_default_is_cached_under_its_other_name_too(hub: Path, distilbert_folder: Path) -> None:
    snapshot = put_in_cache(hub, f"distilbert/{DEFAULT_BASE_MODEL}", distilbert_folder)
    assert find_base(DEFAULT_BASE_MODEL) == snapshot


@pytest.mark.parametrize("without", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_download_that_was_cut_off_is_no_base(hub: Path, distilbert_folder: Path, without: str) -> None:
    put_in_cache(hub, DEFAULT_BASE_MODEL, distilbert_folder, without=(without,))
    assert find_base(DEFAULT_BASE_MODEL) is None


def test_dangling_links_are_not_a_base_model(hub: Path, distilbert_folder: Path) -> None:
    snapshot = put_in_cache(hub, DEFAULT_BASE_MODEL, distilbert_folder)
    (snapshot / "model.safetensors").resolve().unlink()
    assert find_base(DEFAULT_BASE_MODEL) is None


def test_offline_the_default_is_not_to_be_had_and_another_is_an_error(hub: Path) -> None:
    assert find_base(DEFAULT_BASE_MODEL) is None
    with pytest.raises(
        BaseModelError, match=r"'ours/shoe-bert' cannot be loaded: it is not in the hub's cache"
    ):
        find_base("ours/shoe-bert")


@pytest.mark.parametrize("name", ["not a name", "ends-with-dash-", "a" * 200, 'quo"te'])
def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_an_error(hub: Path, name: str) -> None:
    with pytest.raises(BaseModelError, match="neither a folder nor a name on the hub"):
        find_base(name)


def test_a_hub_that_refuses_connections(hub: Path, online: Callable[[str], None], closed_port: str) -> None:
    online(closed_port)
    assert not hub_is_reachable()
    assert find_base(DEFAULT_BASE_MODEL) is None
    with pytest.raises(BaseModelError, match="the hub cannot be reached"):
        find_base("ours/shoe-bert")


def test_a_hub_that_accepts_and_never_answers(
    hub: Path, online: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.hub.REACH_TIMEOUT_S", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        online(f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert find_base(DEFAULT_BASE_MODEL) is None


def test_a_name_server_that_hangs(
    hub: Path, online: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(10)
        raise socket.gaierror("no answer")

    monkeypatch.setattr("training.hub.REACH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    online("http://hub.invalid")
    assert not hub_is_reachable()
    released.set()


@pytest.fixture
async def refusing_hub() -> AsyncIterator[str]:
    """Something that answers every request with 403, as a firewall does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readuntil(b"\r\n\r\n")).startswith((b"HEAD", b"GET")):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()
            return

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_something_else_in_the_hubs_place(
    hub: Path, online: Callable[[str], None], refusing_hub: str
) -> None:
    online(refusing_hub)
    assert await asyncio.to_thread(find_base, DEFAULT_BASE_MODEL) is None
    with pytest.raises(BaseModelError, match="the hub did not deliver it"):
        await asyncio.to_thread(find_base, "ours/shoe-bert")


def found_in_a_process(home: Path, **environment: str) -> str:
    """What `find_base` finds where only the environment says where to look."""
    script = f"from training.models.base_model import find_base\nprint(find_base({DEFAULT_BASE_MODEL!r}))\n"
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={"PATH": "/usr/bin", "HOME": str(home), "HF_HOME": str(home / "hf"), **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return process.stdout.strip().splitlines()[-1]


def test_the_cache_and_the_hub_are_found_by_their_environment(
    tmp_path: Path, distilbert_folder: Path, closed_port: str
) -> None:
    assert found_in_a_process(tmp_path, HF_ENDPOINT=closed_port) == "None"
    snapshot = put_in_cache(tmp_path / "hf" / "hub", DEFAULT_BASE_MODEL, distilbert_folder)
    assert found_in_a_process(tmp_path, HF_HUB_OFFLINE="1") == str(snapshot)


def test_where_a_base_would_come_from_is_known_without_fetching_it(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate_base(str(tmp_path)) == "on this machine, 0 MB, licence: not said"
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n")
    (tmp_path / "model.safetensors").write_bytes(bytes(2_500_000))
    assert locate_base(str(tmp_path)) == "on this machine, 2 MB, licence: apache-2.0"
    assert locate_base(DEFAULT_BASE_MODEL) is None  # the starter is made instead
    for name in ("somebody/elses-model", "./none"):
        with pytest.raises(BaseModelError):
            locate_base(name)
    monkeypatch.setattr(base_model, "hub_is_reachable", lambda: True)
    assert locate_base("somebody/elses-model") == "the hub can be reached"
