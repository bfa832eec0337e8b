"""`publish`: its arguments and its output."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.variables import is_setting

from training.cli import versions
from training.cli.output import Commands
from training.errors import PublishError, UnknownVersionError
from training.models import torch_model
from training.models.writing import write_version
from training.registry.versions import Registry
from training.settings import Settings

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path,
    distilbert_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Run `publish` where v0001 is the tiny DistilBERT. Returns exit code, standard output and error."""
    for name in os.environ:
        if is_setting(name) or name == "HF_TOKEN":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path / "home")
    write_version(
        Registry(settings.models_dir),
        torch_model.load(distilbert_folder),
        kind="base",
        base="tiny",
        settings={},
        shown_words=5,
    )
    parser = argparse.ArgumentParser()
    versions.add(Commands(parser))

    def run(*arguments: str) -> tuple[int, str, str]:
        options = parser.parse_args(["publish", *arguments])
        capsys.readouterr()
        code = options.command(options, settings)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_json_has_the_published_files(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("v0001", "out", "--json")
    assert code == 0
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "version": "v0001",
        "target": "out",
        "url": None,
        "files": sorted(path.name for path in (tmp_path / "out").iterdir()),
    }


def test_the_text_output_is_one_sentence_and_a_bar(call: Call) -> None:
    code, out, error = call("v0001", "out")
    assert (code, out) == (0, "v0001 is published at out: 7 files.\n")
    assert "checking the files of v0001" in error
    assert "copying: 100%" in error


def test_errors_are_raised_to_the_command_line(call: Call) -> None:
    with pytest.raises(UnknownVersionError):
        call("v0009", "out")
    with pytest.raises(PublishError, match=r"for the hub, write hub:ours/shoe-bert\.$"):
        call("v0001", "ours/shoe-bert")
    with pytest.raises(PublishError, match="--public is for the hub"):
        call("v0001", "out", "--public")
