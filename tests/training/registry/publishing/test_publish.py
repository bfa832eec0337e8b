"""What others get of a version: it loads anywhere, answers the same, and says nothing that is private."""

import asyncio
import hashlib
import json
import logging
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from huggingface_hub.utils._xet import abort_xet_session
from support.hub import Hub, Repository
from support.tiny import tiny_bert, tiny_distilbert, tiny_tokenizer
from support.versions import write
from tokenizers import AddedToken
from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

from training.errors import CorruptVersionError, PublishError, UnknownVersionError
from training.inference.fill_model import FillModel
from training.models import torch_model
from training.models.base_model import find_base
from training.models.torch_model import MaskedLm
from training.models.writing import export_base, write_version
from training.progress import NoProgress
from training.registry.publishing.publish import publish
from training.registry.versions import SERVED_FILES, Registry

NAMES = (
    "README.md",
    "config.json",
    "model.onnx",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocabulary.json",
)
TOKEN = "hf_SecretOfTheTeam0123456789"
ADDED = ("good-looking", "stylish")
QUERIES = (
    "Nike shoes are very [MASK].",
    "Good-Looking boots are [MASK], not stylish!",
    "this [MASK] is so durable.",
)

# When huggingface_hub sends an LFS object.
OLD_CALL_OF_HTTPX = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
FullDisk = Callable[[int], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """v0001 is a DistilBERT, v0002 a BERT, both with the words of a team. Not to be written to."""
    home = tmp_path_factory.mktemp("ada")
    registry = Registry(home / "models")
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in ADDED])
    size = tokenizer.get_vocab_size()
    for blank in (tiny_distilbert(vocab_size=size), tiny_bert(vocab_size=size)):
        write_version(
            registry,
            MaskedLm(blank, tokenizer, base="tiny"),
            kind="base",
            base=str(home / "base"),
            settings={},
            shown_words=5,
            precision="fp32",  # answers as the weights do
        )
    return registry


@pytest.fixture
def own(registry: Registry, tmp_path: Path) -> Registry:
    """A copy of the registry, to be damaged."""
    shutil.copytree(registry.folder, tmp_path / "models")
    return Registry(tmp_path / "models")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(registry: Registry, target: str, *, version: str = "v0001", is_public: bool = False) -> str:
    with pytest.raises(PublishError) as caught:
        publish(registry, version, target, NoProgress(), is_public=is_public)
    return caught.value.reason


def test_a_folder_holds_what_is_needed_and_nothing_else(registry: Registry, tmp_path: Path) -> None:
    published = publish(registry, "v0001", str(tmp_path / "out"), NoProgress())
    assert (published.version, published.target, published.url) == ("v0001", str(tmp_path / "out"), None)
    assert published.files == NAMES
    assert names(tmp_path / "out") == list(NAMES)
    assert names(tmp_path) == ["out"]


def test_an_empty_folder_may_be_there_already(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    publish(registry, "v0001", str(tmp_path / "out"), NoProgress())
    assert names(tmp_path / "out") == list(NAMES)


@pytest.mark.parametrize("version", ["v0001", "v0002"])
def test_transformers_answers_as_the_version_does(registry: Registry, tmp_path: Path, version: str) -> None:
    publish(registry, version, str(tmp_path / "out"), NoProgress())
    fill_model = FillModel(registry.path(version), threads=1)
    offered = set(fill_model.offered.tolist())
    fill = pipeline("fill-mask", model=str(tmp_path / "out"))
    for query in QUERIES:
        rows = [row for row in fill(query, top_k=len(fill.tokenizer)) if row["token"] in offered][:5]
        expected = fill_model.fill([query], top=5)[0][0]
        assert [row["token_str"] for row in rows] == [c.word for c in expected]
        assert [row["score"] for row in rows] == pytest.approx([c.score for c in expected], abs=1e-4)


@pytest.mark.parametrize("version", ["v0001", "v0002"])
def test_the_auto_classes_load_it(registry: Registry, tmp_path: Path, version: str) -> None:
    publish(registry, version, str(tmp_path / "out"), NoProgress())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    weights = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    assert tokenizer.tokenize("Stylish, good-looking shoes") == ["stylish", ",", "good-looking", "shoes"]
    assert tokenizer.mask_token == "[MASK]"
    assert tokenizer.model_max_length == 48
    assert weights.config.vocab_size == len(tokenizer)
    assert set(tokenizer("shoes")) == {"input_ids", "attention_mask"}


def test_transformers_4_finds_a_tokenizer_class_that_it_knows(registry: Registry, tmp_path: Path) -> None:
    publish(registry, "v0001", str(tmp_path / "out"), NoProgress())
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert config["model_input_names"] == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("version", ["v0001", "v0002"])
def test_it_can_be_the_base_of_another_fillbot(registry: Registry, tmp_path: Path, version: str) -> None:
    publish(registry, version, str(tmp_path / "out"), NoProgress())
    found = find_base(str(tmp_path / "out"))
    assert found is not None
    before = torch_model.load(registry.path(version)).state_dict()
    after = torch_model.load(found).state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    served, again, original = FillModel(found), export_base(found), FillModel(registry.path(version))
    for query in QUERIES:
        expected = [c.word for c in original.fill([query], top=5)[0][0]]
        assert [c.word for c in served.fill([query], top=5)[0][0]] == expected
        assert [c.word for c in again.fill([query], top=5)[0][0]] == expected


def test_nothing_of_this_machine_is_in_it(registry: Registry, tmp_path: Path) -> None:
    publish(registry, "v0001", str(tmp_path / "out"), NoProgress())
    home = registry.folder.parent
    assert str(home) in (registry.path("v0001") / "card.json").read_text()  # there is something to leave out
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        assert str(home).encode() not in content
        assert str(tmp_path).encode() not in content


def test_a_version_of_before_there_were_readmes_gets_one(own: Registry, tmp_path: Path) -> None:
    (own.path("v0001") / "README.md").unlink()
    publish(own, "v0001", str(tmp_path / "out"), NoProgress())
    assert "# fillbot v0001" in (tmp_path / "out" / "README.md").read_text()


def test_an_unknown_version(registry: Registry, tmp_path: Path) -> None:
    for target in (str(tmp_path / "out"), "hub:ours/shoe-bert"):
        with pytest.raises(UnknownVersionError):
            publish(registry, "v0009", target, NoProgress())


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json", "model.onnx"])
def test_a_damaged_version_is_not_published(own: Registry, tmp_path: Path, name: str) -> None:
    path = own.path("v0001") / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptVersionError, match=rf"{name} is not what was written"):
        publish(own, "v0001", str(tmp_path / "out"), NoProgress())
    assert names(tmp_path) == ["models"]


def test_a_version_without_weights_is_not_published(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    write(registry)
    assert set(SERVED_FILES) < set(NAMES)
    with pytest.raises(CorruptVersionError, match="does not list"):
        publish(registry, "v0001", str(tmp_path / "out"), NoProgress())


def test_a_folder_that_is_in_use_is_left_alone(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert "not empty" in refused(registry, str(tmp_path / "out"))
    assert "that is a file" in refused(registry, str(tmp_path / "out" / "notes.txt"))
    assert names(tmp_path / "out") == ["notes.txt"]


def test_what_looks_like_a_repository_says_how_to_name_one(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reason = refused(registry, "ours/shoe-bert")
    assert (
        reason == "its parent folder does not exist. Create it first; for the hub, write hub:ours/shoe-bert"
    )
    assert "hub" not in refused(registry, "./no/such/folder")
    (tmp_path / "ours").mkdir()
    publish(registry, "v0001", "ours/shoe-bert", NoProgress())
    assert names(tmp_path / "ours") == ["shoe-bert"]


@pytest.mark.parametrize("target", ["", ".", "../here"])
def test_the_folder_that_somebody_is_in(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "the current folder" in refused(registry, target)


def test_the_registry_gets_no_versions_from_outside(own: Registry) -> None:
    before = names(own.folder)
    for target in (own.folder, own.folder / "v0009", own.folder / "v0001" / "copy"):
        assert "fillbot keeps its own versions there" in refused(own, str(target))
    assert names(own.folder) == before


def test_a_folder_is_not_made_public(registry: Registry, tmp_path: Path) -> None:
    assert "--public is for the hub" in refused(registry, str(tmp_path / "out"), is_public=True)
    assert names(tmp_path) == []


def test_a_full_disk(registry: Registry, tmp_path: Path, full_disk: FullDisk) -> None:
    with full_disk(20_000):
        reason = refused(registry, str(tmp_path / "out"))
    assert "it cannot be written (File too large)" in reason
    assert names(tmp_path) == []


def test_whoever_stops_it_finds_nothing_half_done(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", stop)
    with pytest.raises(KeyboardInterrupt):
        publish(registry, "v0001", str(tmp_path / "out"), NoProgress())
    assert names(tmp_path) == []


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where huggingface_hub stores a login: nothing yet. No token elsewhere, and caches of its own."""
    (tmp_path / "hf").mkdir()
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "hf" / "stored_tokens"))
    return tmp_path / "hf" / "token"


@pytest.fixture
def clean_sessions() -> Iterator[None]:
    """huggingface_hub keeps its connections for the whole process."""
    close_session()
    yield
    close_session()
    abort_xet_session()


@pytest.fixture
async def hub(login: Path, clean_sessions: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A hub that knows the token, which is set."""
    hub = Hub(TOKEN)
    runner = web.AppRunner(hub.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield hub
    await runner.cleanup()


async def refused_by(hub: Hub, registry: Registry, *, is_public: bool = False) -> str:
    """The reason, when nothing was committed."""
    reason = await asyncio.to_thread(refused, registry, "hub:ours/shoe-bert", is_public=is_public)
    assert all(not repository.commits for repository in hub.repositories.values())
    return reason


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_private_repository_is_made_and_filled_in_one_commit(
    hub: Hub, registry: Registry, tmp_path: Path
) -> None:
    published = await asyncio.to_thread(publish, registry, "v0001", "hub:ours/shoe-bert", NoProgress())
    assert (published.url, published.files) == (f"{hub.url}/ours/shoe-bert", NAMES)
    repository = hub.repositories["ours/shoe-bert"]
    assert repository.is_private
    assert repository.commits == ["fillbot v0001"]
    await asyncio.to_thread(publish, registry, "v0001", str(tmp_path / "out"), NoProgress())
    for name in NAMES:  # the same as in a folder
        if name in repository.large:
            assert repository.large[name] == sha256(tmp_path / "out" / name)
        else:
            assert repository.files[name] == (tmp_path / "out" / name).read_bytes()
    assert set(repository.large) == {"model.safetensors", "model.onnx"}
    assert hub.stored_bytes > 100_000
    assert not any("telemetry" in path for path in hub.asked)


@OLD_CALL_OF_HTTPX
async def test_what_is_on_the_hub_can_be_a_base(
    hub: Hub, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # then large files are LFS objects
    await asyncio.to_thread(publish, registry, "v0002", "hub:ours/shoe-bert", NoProgress())
    repository = hub.repositories["ours/shoe-bert"]
    contents = {**repository.files, **{name: hub.objects[oid] for name, oid in repository.large.items()}}
    (tmp_path / "cloned").mkdir()
    for name, content in contents.items():
        (tmp_path / "cloned" / name).write_bytes(content)
    expected = FillModel(registry.path("v0002")).fill(QUERIES, top=5)
    assert export_base(tmp_path / "cloned").fill(QUERIES, top=5) == expected


async def test_a_repository_is_public_when_that_was_said(hub: Hub, registry: Registry) -> None:
    await asyncio.to_thread(publish, registry, "v0001", "hub:ours/shoe-bert", NoProgress(), is_public=True)
    assert not hub.repositories["ours/shoe-bert"].is_private


async def test_a_repository_that_is_there_gets_another_commit(hub: Hub, registry: Registry) -> None:
    for version in ("v0001", "v0002"):
        await asyncio.to_thread(publish, registry, version, "hub:ours/shoe-bert", NoProgress())
    repository = hub.repositories["ours/shoe-bert"]
    assert repository.commits == ["fillbot v0001", "fillbot v0002"]
    assert repository.large["model.onnx"] == sha256(registry.path("v0002") / "model.onnx")


@pytest.mark.parametrize("is_public", [True, False])
async def test_a_repository_that_others_see_than_was_said(
    hub: Hub, registry: Registry, is_public: bool
) -> None:
    hub.repositories["ours/shoe-bert"] = Repository(is_private=is_public)
    reason = await refused_by(hub, registry, is_public=is_public)
    assert reason.startswith("the repository is private" if is_public else "the repository is public")
    assert "--public" in reason


async def test_a_stored_login_is_enough(
    hub: Hub, registry: Registry, login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "there is no token. Set HF_TOKEN" in await refused_by(hub, registry)
    assert hub.asked == []
    await asyncio.to_thread(login.write_text, TOKEN)
    await asyncio.to_thread(publish, registry, "v0001", "hub:ours/shoe-bert", NoProgress())
    assert hub.repositories["ours/shoe-bert"].commits == ["fillbot v0001"]


async def test_a_token_that_the_hub_does_not_know(
    hub: Hub, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_Expired")
    assert "rejected the token" in await refused_by(hub, registry)


@pytest.mark.parametrize("step", ["/repos/create", "/preupload/", "/commit/", "/xet-write-token/"])
async def test_a_token_without_the_right_to_write(hub: Hub, registry: Registry, step: str) -> None:
    hub.refusals[step] = (403, "You don't have the rights")
    reason = await refused_by(hub, registry)
    assert "no write access" in reason or "could not be sent" in reason


@OLD_CALL_OF_HTTPX
@pytest.mark.parametrize(
    ("step", "status"), [("/repos/create", 500), ("/validate-yaml", 400), ("/commit/", 413), ("/lfs/", 400)]
)
async def test_a_hub_that_says_no_and_repeats_the_token(
    hub: Hub,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
    status: int,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    hub.refusals[step] = (status, f"not with {TOKEN}")
    with caplog.at_level(logging.DEBUG):
        reason = await refused_by(hub, registry)
    assert "Try again" in reason
    assert TOKEN not in reason
    assert TOKEN not in caplog.text


async def test_a_hub_that_cannot_be_reached(
    hub: Hub, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{reserved.getsockname()[1]}")
        assert "the hub cannot be reached" in await refused_by(hub, registry)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in await refused_by(hub, registry)
    assert hub.asked == []


@pytest.mark.parametrize("step", ["/repos/create", "/validate-yaml", "/commit/"])
async def test_a_connection_that_breaks(hub: Hub, registry: Registry, step: str) -> None:
    hub.refusals[step] = (0, "")
    assert "it could not be sent" in await refused_by(hub, registry)


@pytest.mark.parametrize("name", ["", "shoe-bert", "a/b/c", "/x", "ours/", "ours/sh oe", "../x", "ours/-x"])
def test_what_is_no_name_of_a_repository(registry: Registry, login: Path, name: str) -> None:
    assert "Write hub:OWNER/NAME" in refused(registry, f"hub:{name}")


async def test_a_name_that_only_the_hub_knows_to_be_none(hub: Hub, registry: Registry) -> None:
    reason = await asyncio.to_thread(refused, registry, "hub:ours/shoe--bert")
    assert "not the name of a repository" in reason
