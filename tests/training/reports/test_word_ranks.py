"""Ranks of words under several versions, and the judgements that their runs learnt from."""

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from support.versions import card

from training.__main__ import main
from training.cli import for_the_bot
from training.inference.fill_model import FillModel
from training.registry.versions import Registry
from training.reports.word_ranks import Request, word_ranks
from training.votes import retraining_set
from training.votes.retraining_set import Example, RetrainingSet

QUERY = "Nike shoes are very [MASK]"


@pytest.fixture
def registry(tmp_path: Path, served_folders: dict[str, Path]) -> Registry:
    """v0001, a base, and v0002, which run 7 made of it."""
    registry = Registry(tmp_path / "models")
    about: list[dict[str, Any]] = [{}, {"kind": "night", "parent": "v0001", "run_id": 7}]
    for folder, columns in zip(served_folders.values(), about, strict=True):
        with registry.draft() as draft:
            shutil.copytree(folder, draft.folder, dirs_exist_ok=True)
            registry.commit(draft, card(draft.version, **columns))
    return registry


@pytest.fixture
def runs_folder(tmp_path: Path) -> Path:
    """What run 7 learnt from: "cheap" is unwanted here and elsewhere, "soft" held out here."""

    def example(query: str, **words: str) -> Example:
        wanted, unwanted = (
            tuple((word, 1.0) for word in words.get(side, "").split()) for side in ("wanted", "unwanted")
        )
        return Example(query, "hash", 0, wanted, unwanted)

    train = (
        example("nike shoes are very [MASK].", wanted="great", unwanted="cheap"),
        example("The store is [MASK].", unwanted="cheap"),
        example("The price is [MASK].", wanted="Cheap"),
    )
    held_out = (example(QUERY, wanted="soft"), example("The socks are [MASK].", wanted="cheap"))
    folder = tmp_path / "runs" / "00007"
    folder.mkdir(parents=True)
    retraining_set.write(RetrainingSet(train, held_out, "hash"), folder)
    return folder.parent


def looked(registry: Registry, runs_folder: Path, **asked: Any) -> list[dict[str, Any]]:
    return word_ranks(registry, runs_folder, Request(**{"text": QUERY, "versions": ("v0001",), **asked}))


def test_ranks_are_those_of_the_model(registry: Registry, runs_folder: Path) -> None:
    (found,) = looked(registry, runs_folder, words=("cheap", "GREAT"), top=100)
    (mask,) = found["masks"]
    expected = FillModel(registry.path("v0001")).fill([QUERY], top=100)[0][0]
    assert [one["word"] for one in mask["best"]] == [c.word for c in expected]
    for place in mask["words"]:
        at = [c.word for c in expected].index(place["word"])
        assert place["rank"] == at + 1
        assert place["score"] == pytest.approx(expected[at].score, rel=1e-5)


def test_every_mask_is_inspected(registry: Registry, runs_folder: Path) -> None:
    (found,) = looked(registry, runs_folder, text="[MASK] shoes are [MASK]", words=("cheap",), top=3)
    assert [len(mask["best"]) for mask in found["masks"]] == [3, 3]
    assert found["masks"][0]["words"] != found["masks"][1]["words"]


def test_a_word_that_is_not_offered_has_no_rank(registry: Registry, runs_folder: Path) -> None:
    (found,) = looked(registry, runs_folder, words=("breathable", "##s", "[MASK]"))
    assert found["masks"][0]["words"] == [None, None, None]


def test_a_version_has_its_origin(registry: Registry, runs_folder: Path) -> None:
    first, second = looked(registry, runs_folder, versions=("v0002", "v0001"))
    assert (first["version"], first["kind"], first["parent"], first["run_id"]) == (
        "v0002",
        "night",
        "v0001",
        7,
    )
    assert (second["kind"], second["parent"], second["run_id"]) == ("base", None, None)


@pytest.mark.parametrize(
    ("word", "side", "split", "elsewhere"),
    [
        ("cheap", "unwanted", "train", (1, 1)),  # the held-out sentence taught nothing
        ("soft", "wanted", "held_out", (0, 0)),
        ("slow", None, None, (0, 0)),
    ],
)
def test_the_judgements_of_the_run_are_reported(
    registry: Registry,
    runs_folder: Path,
    word: str,
    side: str | None,
    split: str | None,
    elsewhere: tuple[int, int],
) -> None:
    (found,) = looked(registry, runs_folder, versions=("v0002",), words=(word,))
    (place,) = found["masks"][0]["words"]
    assert (place["learnt"], place["held_out"]) == (side, split == "held_out")
    assert (place["wanted_elsewhere"], place["unwanted_elsewhere"]) == elsewhere


def test_a_deleted_retraining_set_is_no_error(registry: Registry, runs_folder: Path) -> None:
    shutil.rmtree(runs_folder)
    (found,) = looked(registry, runs_folder, versions=("v0002",), words=("cheap",))
    assert found["masks"][0]["words"][0]["learnt"] is None


def test_a_damaged_version_leaves_the_others_as_they_are(registry: Registry, runs_folder: Path) -> None:
    (registry.path("v0001") / "model.onnx").write_bytes(b"rubbish")
    bad, good, none = looked(registry, runs_folder, versions=("v0001", "v0002", "v0099"))
    assert "v0001 is damaged" in bad["error"]
    assert "masks" in good
    assert "There is no model version" in none["error"]


@pytest.fixture
def ask(registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command with this on standard input; returns the exit code and what it printed."""
    monkeypatch.setenv("FILLBOT_HOME", str(registry.folder.parent))

    monkeypatch.setattr(for_the_bot, "limit_for_the_bot", lambda: None)

    def call(question: str, command: str = "inspect") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(question.encode())))
        code = main([command])
        return code, *capsys.readouterr()

    return call


def test_the_command_answers_one_object_with_another(ask: Any) -> None:
    code, out, _ = ask(json.dumps({"text": QUERY, "versions": ["v0001"], "words": ["cheap"], "top": 2}))
    assert code == 0
    (version,) = json.loads(out)["versions"]
    assert len(version["masks"][0]["best"]) == 2


def test_the_command_works_under_its_former_name(ask: Any) -> None:
    code, out, _ = ask(json.dumps({"text": QUERY, "versions": ["v0001"]}), "look")
    assert (code, len(json.loads(out)["versions"])) == (0, 1)


@pytest.mark.parametrize("question", ["", "[]", '{"text": "x", "versions": []}', '{"text": "x", "more": 1}'])
def test_a_question_that_cannot_be_read_is_one_sentence(ask: Any, question: str) -> None:
    code, out, error = ask(question)
    assert (code, out) == (1, "")
    assert error.startswith("The question cannot be read: ")
    assert error.count("\n") == 1
