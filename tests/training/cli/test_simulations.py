"""`simulate` on the command line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from support.databases import TEMPLATE
from support.tiny import WORDS
from support.variables import is_setting

from training.__main__ import main

QUERIES = [  # whatever the tiny model says, people have an opinion of it
    {"text": text, "wanted": WORDS[::2], "unwanted": WORDS[1::2]}
    for text in ("Nike shoes are very [MASK].", "My boots are so [MASK].")
]
TESTS = [
    {
        "text": "The red shoes are [MASK].",
        "wanted": ["great"],
        "unwanted": ["ugly"],
        "category": "praise_plain",
    },
    {
        "text": "The order was [MASK].",
        "wanted": ["late"],
        "unwanted": ["great"],
        "category": "control_service",
    },
]


@pytest.fixture
def usual(tmp_path: Path, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The options that every call needs, with an empty FILLBOT_HOME and a tiny base."""
    for name in os.environ:
        if is_setting(name):
            monkeypatch.delenv(name)
    for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    monkeypatch.setenv("FILLBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FILLBOT_BASE_MODEL", str(distilbert_folder))
    monkeypatch.setenv("FILLBOT_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    for name, rows in (("queries", QUERIES), ("test", TESTS), ("texts", [{"text": "The shoes are old."}])):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    yield ["simulate", "--queries", "queries.jsonl", "--test", "test.jsonl", "--texts", "texts.jsonl"]
    structlog.reset_defaults()


@pytest.mark.long
def test_a_night_from_the_command_line(usual: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One full call: the rows, each test sentence, and the kept home; the user's own home is untouched."""
    options = ["--nights", "1", "--votes", "menu", "--flips", "0", "--loss", "ce", "--seed", "3"]
    assert main([*usual, *options, "--json", "--cases", "--home", "kept"]) == 0
    answer = json.loads(capsys.readouterr().out)
    expected = {"voters": 5, "flips": 0.0, "nights": 1, "votes": "menu", "loss": "ce", "seed": 3}
    assert expected.items() <= answer["settings"].items()
    before, night = answer["nights"]
    assert (before["night"], before["status"], before["serving"]["version"]) == (0, "before", "v0001")
    assert (night["night"], night["version"]) == (1, "v0002")
    assert night["votes"] == 5 * 10
    assert len(before["serving"]["cases"]["wanted_share"]) == len(TESTS)
    assert TEMPLATE or Path("kept/fillbot.db").exists()
    assert not Path("home").exists()


def test_the_table_covers_all_test_files(usual: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--test", "queries.jsonl", "--nights", "1", "--people", "top1:1", "--taste", "random:1"]
    assert main([*usual, *arguments]) == 0  # one person is too few: nothing is trained
    out = capsys.readouterr().out
    assert [line.split()[2] for line in out.splitlines()[1:3]] == ["before", "skipped"]
    assert "Night 1: There are 0 judged words" in out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--voters", "0"], "from 1 to 1000"),
        (["--nights", "0"], "from 1 to 1000"),
        (["--flips", "1.5"], "a number from 0 to 1"),
        (["--flips", "some"], "a number from 0 to 1"),
        (["--flips", "nan"], "a number from 0 to 1"),
        (["--votes", "all"], "invalid choice: 'all'"),
        (["--seed", "1.5"], "a whole number"),
        (["--asked", "0"], "a whole number"),
        (["--taste", ""], "expected random:SEED or a file"),
        (["--forget", "5"], "expected VOTER@NIGHT"),
    ],
)
def test_wrong_usage(
    usual: list[str], arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*usual, *arguments])
    assert caught.value.code == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--queries", "missing.jsonl"], "missing.jsonl: it cannot be read"),
        (["--test", "bad.jsonl"], "bad.jsonl, line 2: this is not JSON"),
        (["--queries", "empty.jsonl"], "empty.jsonl: it is empty"),
        (["--texts", "empty.jsonl"], "empty.jsonl: it is empty"),
        (["--loss", "best"], "There is no loss 'best'. Losses here: ours, ce, "),
        (["--people", "cats:3"], "'cats:3' is no group of people"),
        (["--taste", "missing.json"], "The taste 'missing.json' cannot be read"),
        (["--home", "."], "is not an empty folder"),
    ],
)
def test_an_error_is_one_sentence(
    usual: list[str], arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.jsonl").write_text("\n")
    Path("bad.jsonl").write_text(json.dumps(TESTS[0]) + "\nno\n")
    assert main([*usual, *arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert part in error
    assert error.endswith(".")
