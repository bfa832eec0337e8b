"""`python -m training`: the formats of its output, and one sentence for each error."""

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from support.databases import url_of_home
from support.variables import is_setting
from support.versions import card

from storage import runs
from storage.database import Database
from training.__main__ import main
from training.inference.fill_model import FillModel
from training.registry.versions import Registry

QUERY = "Nike shoes are very [MASK]"
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty FILLBOT_HOME; no other setting, and no `.env` in sight."""
    for name in os.environ:
        if is_setting(name):
            monkeypatch.delenv(name)
    for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.setenv(name, "error" if name.endswith("VERBOSITY") else "1")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("FILLBOT_HOME", str(tmp_path / "home"))
    level = logging.getLogger("transformers").level
    yield tmp_path / "home"
    logging.getLogger("transformers").setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def registry(home: Path, served_folders: dict[str, Path]) -> Registry:
    """Two versions that answer; the second is champion."""
    registry = Registry(home / "models")
    for kind, folder in served_folders.items():
        with registry.draft() as draft:
            shutil.copytree(folder, draft.folder, dirs_exist_ok=True)
            columns = {"champion": registry.champion(), "retraining_set_hash": f"hash of {kind}"}
            registry.commit(draft, card(draft.version, **columns))
        registry.promote(draft.version)
    registry.set_domain("v0001")
    return registry


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process. Returns exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def parsed(answer: tuple[int, str, str]) -> Any:
    code, out, error = answer
    assert code == 0, error
    assert out.count("\n") == 1
    return json.loads(out)


def refused(answer: tuple[int, str, str], code: int = 1) -> str:
    """The one sentence of a command that could not be done."""
    ended, out, error = answer
    assert ended == code
    assert out == ""
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error.strip()


def test_predict_as_json_has_the_promised_shape(
    registry: Registry, call: Call, fill_models: dict[str, FillModel]
) -> None:
    answer = parsed(call("predict", "--json", "--top", "10", QUERY))
    assert set(answer) == {"version", "masks"}
    assert answer["version"] == "v0002"
    (mask,) = answer["masks"]
    assert len(mask) == 10
    assert all(set(row) == {"word", "token", "score", "sequence"} for row in mask)
    (expected,) = fill_models["bert"].fill([QUERY], top=10)[0]
    assert [row["word"] for row in mask] == [c.word for c in expected]
    assert [row["token"] for row in mask] == [c.token for c in expected]
    assert [row["score"] for row in mask] == pytest.approx([c.score for c in expected], abs=1e-5)
    assert mask[0]["sequence"] == f"Nike shoes are very {mask[0]['word']}."


def test_predict_answers_every_mask(registry: Registry, call: Call) -> None:
    answer = parsed(call("predict", "--json", "--top", "2", "[mask] boots are [MASK]!"))
    assert [len(mask) for mask in answer["masks"]] == [2, 2]


def test_predict_prints_text(registry: Registry, call: Call) -> None:
    code, out, _ = call("predict", QUERY)
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 5
    assert all("%" in line and "Nike shoes are very " in line for line in lines)


@pytest.mark.parametrize("model", ["v0001", "a version's folder", "a base's folder"])
def test_predict_with_another_model(
    registry: Registry, call: Call, model: str, distilbert_folder: Path
) -> None:
    folders = {"a version's folder": registry.path("v0001"), "a base's folder": distilbert_folder}
    name = str(folders.get(model, model))
    answer = parsed(call("predict", "--json", "--model", name, QUERY))
    assert answer["version"] == Path(name).name
    expected = FillModel(registry.path("v0001")).fill([QUERY], top=5)[0][0]
    assert [row["word"] for row in answer["masks"][0]] == [c.word for c in expected]


def test_predict_accepts_invalid_utf8(registry: Registry, call: Call) -> None:
    assert len(parsed(call("predict", "--json", "caf\udce9 is [MASK]"))["masks"]) == 1


@pytest.mark.parametrize("text", ["no mask here", "", "[MASQUE]"])
def test_predict_without_a_mask(registry: Registry, call: Call, text: str) -> None:
    assert refused(call("predict", "--json", text)).startswith("There is no [MASK] in that text")


def test_predict_of_a_text_that_is_too_long(registry: Registry, call: Call) -> None:
    assert "the model reads at most 48" in refused(call("predict", "shoes " * 60 + "[MASK]"))


@pytest.mark.parametrize("top", ["0", "-1", "1001", "many", "", "1.5"])
def test_predict_rejects_an_invalid_number_of_words(
    home: Path, capsys: pytest.CaptureFixture[str], top: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", "--top", top, QUERY])
    assert caught.value.code == 2
    assert "from 1 to 1000" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("unheard-of",), ("predict",), ("evaluate",), ("promote",)])
def test_wrong_usage(home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--model", "v0099", QUERY),
        ("predict", "--model", "../models/v0001", QUERY),
        ("promote", "v0099"),
        ("rollback", "v0099"),
    ],
)
def test_an_unknown_version(registry: Registry, call: Call, arguments: tuple[str, ...]) -> None:
    sentence = refused(call(*arguments))
    assert sentence.startswith("There is no model version")
    assert sentence.endswith("Versions here: v0001, v0002.")


@pytest.mark.parametrize("command", [("predict", QUERY), ("promote", "v0001"), ("rollback",), ("run",)])
def test_there_must_be_a_version(home: Path, call: Call, command: tuple[str, ...]) -> None:
    sentence = refused(call(*command))
    assert "There is no model version" in sentence


def test_a_damaged_version(registry: Registry, call: Call) -> None:
    (registry.path("v0002") / "model.onnx").write_bytes(b"garbage")
    assert "v0002 is damaged" in refused(call("predict", QUERY))
    (registry.path("v0001") / "tokenizer.json").write_bytes(b"garbage")
    assert "v0001 is damaged" in refused(call("rollback"))


SUITE = [
    {
        "text": "Nike shoes are [MASK].",
        "wanted": ["comfortable"],
        "unwanted": ["cheap"],
        "category": "comfort_a",
    },
    {"text": "It was [MASK].", "wanted": ["great"], "unwanted": ["poor"], "category": "comfort_b"},
    {"text": "They are not [MASK].", "wanted": ["bad"], "unwanted": ["good"], "category": "control"},
]


def write_lines(path: Path, rows: list[Any]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def test_evaluate_as_json_has_the_promised_shape(registry: Registry, call: Call, tmp_path: Path) -> None:
    suite = write_lines(tmp_path / "suite.jsonl", SUITE)
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": "These boots are good."}])
    result = parsed(call("evaluate", "--suite", suite, "--texts", texts, "--json"))
    figures = {"cases", "wanted_share", "hit_at_1", "hit_at_5", "unwanted_at_10"}
    assert {"all", "groups", "pseudo_perplexity"} <= set(result)
    assert figures <= set(result["all"])
    assert set(result["groups"]) == {"comfort", "control"}
    assert all(figures <= set(group) for group in result["groups"].values())
    assert (result["all"]["cases"], result["groups"]["comfort"]["cases"]) == (3, 2)
    assert 0 < result["all"]["wanted_share"] < 1
    assert result["pseudo_perplexity"] > 1
    assert result["version"] == "v0002"


def test_evaluate_without_texts_has_no_perplexity(registry: Registry, call: Call, tmp_path: Path) -> None:
    suite = write_lines(tmp_path / "suite.jsonl", SUITE)
    assert parsed(call("evaluate", "--suite", suite, "--json"))["pseudo_perplexity"] is None


def test_evaluate_accepts_a_base_in_the_format_of_the_hub(
    registry: Registry, call: Call, tmp_path: Path, distilbert_folder: Path
) -> None:
    suite = write_lines(tmp_path / "suite.jsonl", SUITE)
    of_version = parsed(call("evaluate", "--suite", suite, "--model", "v0001", "--json"))
    of_folder = parsed(call("evaluate", "--suite", suite, "--model", str(distilbert_folder), "--json"))
    assert of_folder["all"] == of_version["all"]


def test_evaluate_prints_text(registry: Registry, call: Call, tmp_path: Path) -> None:
    suite = write_lines(tmp_path / "suite.jsonl", SUITE)
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": "These boots are good."}])
    code, out, _ = call("evaluate", "--suite", suite, "--texts", texts)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "all",
        "comfort",
        "control",
        "pseudo-perplexity",
    ]


def test_evaluate_locates_an_invalid_line(registry: Registry, call: Call, tmp_path: Path) -> None:
    suite = write_lines(tmp_path / "suite.jsonl", [SUITE[0], {"text": "no mask"}])
    assert f"{suite}, line 2: there is no text with a [MASK]" in refused(call("evaluate", "--suite", suite))
    assert "it is empty" in refused(call("evaluate", "--suite", write_lines(tmp_path / "empty", [])))
    assert "cannot be read" in refused(call("evaluate", "--suite", str(tmp_path / "missing")))
    good = write_lines(tmp_path / "suite.jsonl", SUITE)
    assert "line 1: there is no text" in refused(
        call("evaluate", "--suite", good, "--texts", write_lines(tmp_path / "texts", [{}]))
    )


def test_versions_as_json(registry: Registry, call: Call) -> None:
    assert parsed(call("versions", "--json")) == {
        "champion": "v0002",
        "domain": "v0001",
        "versions": [
            {
                "version": "v0001",
                "kind": "base",
                "created_at": "2026-03-01T03:00:00+00:00",
                "parent": None,
                "champion": False,
                "domain": True,
                "withdrawn": False,
                "promotable": None,
                "retraining_set_hash": "hash of distilbert",
            },
            {
                "version": "v0002",
                "kind": "base",
                "created_at": "2026-03-01T03:00:00+00:00",
                "parent": None,
                "champion": True,
                "domain": False,
                "withdrawn": False,
                "promotable": None,
                "retraining_set_hash": "hash of bert",
            },
        ],
    }


def test_versions_before_the_first(home: Path, call: Call) -> None:
    assert parsed(call("versions", "--json")) == {"champion": None, "domain": None, "versions": []}


def test_versions_prints_damaged_ones(registry: Registry, call: Call) -> None:
    (registry.path("v0002") / "card.json").unlink()
    code, out, _ = call("versions")
    assert code == 0
    first, second = out.splitlines()
    assert first.split() == ["v0001", "base", "2026-03-01T03:00:00+00:00", "domain"]
    assert second.split() == ["v0002", "damaged", "champion"]


def recorded(home: Path) -> list[tuple[str, str, str | None]]:
    async def read() -> list[tuple[str, str, str | None]]:
        database = await Database.open(url_of_home(home))
        found, run_id = [], 1
        while (run := await runs.get_run(database, run_id)) is not None:
            found.append((run.trigger, run.status, run.challenger))
            run_id += 1
        await database.close()
        return found

    return asyncio.run(read())


def test_rollback_and_promote_move_the_champion_and_are_recorded(
    registry: Registry, call: Call, home: Path
) -> None:
    answer = parsed(call("rollback", "--json"))
    assert (answer["status"], answer["version"]) == ("done", "v0001")
    assert "nightly promotion is paused" in answer["sentence"]
    assert registry.champion() == "v0001"
    code, out, _ = call("promote", "v0002")
    assert (code, out) == (0, "v0002 serves now.\n")
    assert registry.champion() == "v0002"
    assert recorded(home) == [("rollback", "done", "v0001"), ("promote", "done", "v0002")]


def test_a_rollback_to_the_champion_changes_nothing(registry: Registry, call: Call, home: Path) -> None:
    assert call("rollback", "v0002")[:2] == (0, "v0002 serves already; nothing was changed.\n")
    assert recorded(home) == []


def test_nothing_to_roll_back_to(registry: Registry, call: Call) -> None:
    call("rollback")
    assert "no earlier version" in refused(call("rollback"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("FILLBOT_KEEP_VERSIONS", "none"), ("FILLBOT_DEVICE", "tpu"), ("FILLBOT_MIN_VOTERS", "0")],
)
def test_an_invalid_setting_is_named(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    sentence = refused(call("versions"), code=78)
    assert sentence.startswith(f"The settings cannot be used: {name}: ")
    assert sentence.endswith("See .env.example.")


def test_a_database_that_cannot_be_used(
    registry: Registry, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILLBOT_DATABASE_URL", "nothing://ada:secret@db/fillbot")
    sentence = refused(call("rollback"), code=78)
    assert sentence.startswith("The settings cannot be used: FILLBOT_DATABASE_URL: ")
    assert "secret" not in sentence
    assert registry.champion() == "v0002"


def test_a_home_that_is_a_file(home: Path, call: Call) -> None:
    home.write_text("in the way")
    assert "FILLBOT_HOME" in refused(call("init"), code=78)


def test_a_failure_is_also_a_json_line_for_the_bot(home: Path, call: Call) -> None:
    code, out, error = call("run", "--progress", "json", "--trigger", "retrain")
    assert code == 1
    line = json.loads(out)
    assert (line["event"], line["sentence"]) == ("failed", error.strip())
    assert line["said"]["key"] == "NoChampionError"


def test_a_subprocess_ends_with_its_parent(home: Path) -> None:
    # A run that would take a minute, in a process whose standard input is held by this one.
    script = (
        "import time\n"
        "from training.pipeline import run as pipeline\n"
        "pipeline.run_init = lambda *a, **k: (print('running', flush=True), time.sleep(60))\n"
        "from training.__main__ import main\n"
        "main(['init', '--end-with-parent'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=home.parent,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.stdin.close()
    assert process.wait(timeout=30) == 1
    process.stdout.close()


@pytest.mark.parametrize("version", ["../v0001", "v0001/..", "/etc", "v0001/../v0001", "v00\n01", "."])
@pytest.mark.parametrize("command", [("promote",), ("rollback",), ("publish", "TARGET")])
def test_a_version_is_no_path(
    registry: Registry, call: Call, tmp_path: Path, command: tuple[str, ...], version: str
) -> None:
    name, *others = command
    before = sorted(path.name for path in tmp_path.iterdir())
    code, _, error = call(name, version, *(str(tmp_path / one) for one in others))
    assert code == 1
    assert "There is no model version" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert registry.champion() in registry.versions()
