"""`compare`: the choice of models and material, and one sentence for each error."""

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.versions import card

from training.cli import comparisons
from training.cli.output import Commands
from training.corpus.language import examples
from training.errors import BaseModelError, CorruptVersionError, NotComparableError, QueryTooLongError
from training.registry.versions import Registry
from training.settings import Settings

QUERY = "Nike shoes are very [MASK]"
CASE = {"text": "It is [MASK].", "wanted": ["great"], "unwanted": ["poor"], "category": "quality"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of an empty home, and a base model that is not there."""
    return Settings(
        home=tmp_path / "home", base_model=str(tmp_path / "nowhere"), data_dir=None, _env_file=None
    )


@pytest.fixture
def registry(settings: Settings, served_folders: dict[str, Path]) -> Registry:
    """A base and two versions of it."""
    registry = Registry(settings.models_dir)
    write(registry, served_folders["distilbert"], kind="base")
    for _ in range(2):
        write(registry, served_folders["bert"], kind="domain")
    return registry


def write(registry: Registry, folder: Path, **columns: Any) -> str:
    with registry.draft() as draft:
        shutil.copytree(folder, draft.folder, dirs_exist_ok=True)
        registry.commit(draft, card(draft.version, **columns))
    return draft.version


Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command, by default on one case and one text. Returns both outputs."""
    (tmp_path / "suite.jsonl").write_text(json.dumps(CASE))
    (tmp_path / "own.jsonl").write_text(json.dumps({"text": "These boots are good."}))
    parser = argparse.ArgumentParser()
    comparisons.add(Commands(parser))
    few = ["--suite", str(tmp_path / "suite.jsonl"), "--texts", str(tmp_path / "own.jsonl")]

    def run(*arguments: str, on: list[str] = few) -> tuple[str, str]:
        options = parser.parse_args(["compare", *arguments, *on])
        assert options.command(options, settings) == 0
        return capsys.readouterr()

    return run


def parsed(printed: tuple[str, str]) -> Any:
    assert printed[0].count("\n") == 1
    return json.loads(printed[0])


def test_versions_are_compared_with_each_other_and_their_base(registry: Registry, call: Call) -> None:
    found = parsed(call("v0002", "v0003", "--json"))
    assert (found["versions"], found["base"]) == (["v0002", "v0003"], "v0001")
    assert list(found["texts"]) == list(examples().compared)
    assert list(found["texts"][QUERY]) == ["v0001", "v0002", "v0003"]
    assert list(found["suites"]) == ["suite"]
    assert list(found["perplexity"]) == ["own"]
    pairs = {(row["version"], row["against"]) for row in found["differences"]}
    assert pairs == {("v0003", "v0002"), ("v0002", "v0001"), ("v0003", "v0001")}
    assert found["conclusion"] == "Between v0003 and v0002 there is no clear difference in any of 6 figures."


def test_the_table_goes_to_stdout_and_the_progress_to_stderr(registry: Registry, call: Call) -> None:
    out, error = call("v0002", "v0003")
    assert out.startswith(f"{QUERY}\n      v0001 (base)")
    assert out.endswith("figures.\n")
    assert "measuring the suites" in error
    assert "measuring the texts" in error


def test_arguments_with_a_mask_are_texts(registry: Registry, call: Call) -> None:
    found = parsed(call("v0002", "It is [mask]", "v0003", "caf\udce9 is [MASK]", "--json"))
    assert list(found["texts"]) == ["It is [mask]", "caf? is [MASK]"]
    assert found["versions"] == ["v0002", "v0003"]


def test_versions_of_another_base_are_compared_with_that_one(
    registry: Registry, call: Call, served_folders: dict[str, Path]
) -> None:
    write(registry, served_folders["bert"], kind="starter", base="other")
    write(registry, served_folders["bert"], kind="domain", base="other")
    assert parsed(call("v0005", "v0002", "--json"))["base"] == "v0004"


def test_the_base_itself_can_be_one_of_the_versions(registry: Registry, call: Call) -> None:
    found = parsed(call("v0001", "v0002", "--json"))
    assert (found["versions"], found["base"]) == (["v0001", "v0002"], "v0001")
    assert list(found["texts"][QUERY]) == ["v0001", "v0002"]


def test_a_base_without_a_version_is_exported_from_its_folder(
    settings: Settings, call: Call, served_folders: dict[str, Path], distilbert_folder: Path
) -> None:
    registry = Registry(settings.models_dir)
    for _ in range(2):
        write(registry, served_folders["bert"], kind="domain", base=str(distilbert_folder))
    found = parsed(call("v0001", "v0002", "--json"))
    assert found["base"] == distilbert_folder.name
    assert list(found["texts"][QUERY]) == [distilbert_folder.name, "v0001", "v0002"]


@pytest.mark.parametrize("base", ["starter", "/no/such/folder"])
def test_without_a_base_only_the_versions_are_compared_with_a_notice(
    settings: Settings, call: Call, served_folders: dict[str, Path], base: str
) -> None:
    registry = Registry(settings.models_dir)
    for _ in range(2):
        write(registry, served_folders["bert"], kind="domain", base=base)
    assert parsed(call("v0001", "v0002", "--json"))["base"] is None
    assert "No base is available to compare with" in call("v0001", "v0002")[0].splitlines()[-1]


def test_the_base_can_be_named(registry: Registry, call: Call, served_folders: dict[str, Path]) -> None:
    assert parsed(call("v0001", "v0002", "--base", "v0003", "--json"))["base"] == "v0003"
    folder = served_folders["bert"]
    assert parsed(call("v0001", "v0002", "--base", str(folder), "--json"))["base"] == folder.name


def test_folders_with_the_same_name_are_shown_with_their_paths(
    registry: Registry, call: Call, served_folders: dict[str, Path], tmp_path: Path
) -> None:
    copies = [tmp_path / place / "model" for place in ("here", "there")]
    for copy, folder in zip(copies, served_folders.values(), strict=True):
        shutil.copytree(folder, copy)
    names = [str(copy) for copy in copies]
    assert parsed(call(*names, "--base", "v0001", "--json"))["versions"] == names


@pytest.mark.parametrize(
    "arguments", [("v0002",), ("v0002", "v0002"), ("v0002", QUERY), (QUERY,), ("v0002", "home/models/v0002")]
)
def test_a_single_model_cannot_be_compared(
    registry: Registry,
    call: Call,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotComparableError, match=r"not two different models\. Name two .* v0002, v0003\.$"):
        call(*arguments)


@pytest.mark.parametrize("name", ["v0099", "Nike shoes are very good", "../models/v0001", ""])
def test_an_argument_that_is_neither_model_nor_text_is_named(
    registry: Registry, call: Call, name: str
) -> None:
    with pytest.raises(NotComparableError) as caught:
        call("v0001", name)
    assert str(caught.value).startswith(
        f"That cannot be compared: {name!r} is no version and no folder, and has no [MASK]."
    )


def test_errors_of_a_model_or_text_are_reported(registry: Registry, call: Call, tmp_path: Path) -> None:
    with pytest.raises(QueryTooLongError):
        call("v0001", "v0002", "shoes " * 60 + "[MASK]")
    with pytest.raises(BaseModelError):
        call("v0001", str(tmp_path))
    (registry.path("v0003") / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(CorruptVersionError):
        call("v0001", "v0003")


def test_the_shipped_suites_and_texts_are_the_default(registry: Registry, call: Call) -> None:
    found = parsed(call("v0002", "v0003", "--max-texts", "3", "--json", on=[]))
    assert list(found["suites"]) == ["main", "control", "retention", "positive"]
    assert {n: t["cases"] + t["skipped"] for n, t in found["perplexity"].items()} == {
        "texts": 3,
        "held-out generated": 3,
    }
