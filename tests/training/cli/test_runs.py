"""`domain` on the command line."""

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from support.variables import is_setting

from training.__main__ import main
from training.domain import training_run
from training.registry.versions import TRAINING_LOG, Registry


@pytest.fixture
def home(tmp_path: Path, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty FILLBOT_HOME, a tiny base, a short epoch."""
    for name in os.environ:
        if is_setting(name):
            monkeypatch.delenv(name)
    for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FILLBOT_BASE_MODEL", str(distilbert_folder))
    monkeypatch.setenv("FILLBOT_DEVICE", "cpu")
    monkeypatch.setattr("training.corpus.domain_corpus.HELD_OUT_SENTENCES", 40)
    names = ("main", "control", "positive")
    suites = {name: cases[:4] for name, cases in training_run.suites_of(names).items()}
    monkeypatch.setattr(training_run, "suites_of", lambda _names: suites)
    level = logging.getLogger("transformers").level
    yield tmp_path / "home"
    logging.getLogger("transformers").setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file of the team's own, with a column that no usual name gives away."""
    path = tmp_path / "tickets.csv"
    path.write_text("id,words\n" + "".join(f"{i},The boots number {i} are soft.\n" for i in range(30)))
    return path


@pytest.mark.long
def test_a_domain_model_from_the_command_line(
    home: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One full call: the files, the recipe, the tables, the version."""
    arguments = ["domain", "--recipe", "full", "--epochs", "0.01", "--text-column", "words", str(texts)]
    assert main(["init"]) == 0
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for part in ("tickets", "held-out text", "wanted share, base", "words were added", "v0002"):
        assert part in out
    assert main([*arguments, "--json", "--seed", "1"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == "v0003"
    assert answer["report"]["sources"][0]["sentences"] == 30
    registry = Registry(home / "models")
    assert registry.card("v0003").settings["seed"] == 1
    assert (registry.path("v0003") / TRAINING_LOG).exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--recipe", "best"], "invalid choice: 'best'"),
        (["--seed", "-1"], "expected one argument|whole number"),
        (["--seed", "1.5"], "expected a whole number"),
        (["--seed", str(2**32)], "expected a whole number"),
        (["--epochs", "0"], "expected a number from"),
        (["--epochs", "many"], "expected a number from"),
        (["--epochs", "nan"], "expected a number from"),
    ],
)
def test_wrong_usage(home: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["domain", *arguments])
    assert caught.value.code == 2
    assert re.search(part, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--text-column", "words"], "name one"),
        (["missing.csv"], "missing.csv"),
        (["--text-column", "nothing", "tickets.csv"], "nothing"),
        (["tickets.csv"], "tickets.csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    home: Path, texts: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["domain", *arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert part in error
    assert error.endswith(".")
    assert not list((home / "models").glob("v*"))
