"""Files that people edit are read as their editors write them, and nothing in them is ignored."""

from pathlib import Path

import pytest
import yaml

from bot.texts import FOLDER, languages
from training.corpus.yaml_files import read_yaml
from training.errors import BehaviourError, SuiteError
from training.evaluation.behaviour_tests import read_behaviour
from training.evaluation.metrics import read_suite, read_texts

SUITE = '{"text": "Es ist für [MASK].", "wanted": ["gut"], "unwanted": ["übel"]}\n'
BEHAVIOUR = """\
minimum:
- name: für alle
  text: Nike shoes are [MASK].
  wanted: [great]
  unwanted: [poor]
"""
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_suite_is_read_as_an_editor_writes_it(encoding: str, line_end: str, tmp_path: Path) -> None:
    (tmp_path / "suite.jsonl").write_bytes((SUITE * 2).replace("\n", line_end).encode(encoding))
    assert [case.unwanted for case in read_suite(tmp_path / "suite.jsonl")] == [("übel",)] * 2
    assert len(read_texts(tmp_path / "suite.jsonl")) == 2


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_yaml_is_read_as_an_editor_writes_it(encoding: str, line_end: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("a:\n  b: für\n".replace("\n", line_end).encode(encoding))
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": "für"}}


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "a: 1\n'a': 2\n", "x:\n- b: {a: 1, c: 2, a: 3}\n", "x: {y: {a: 1, a: 1}}\n"]
)
def test_a_repeated_key_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(yaml.YAMLError, match="the key a is repeated, in lines"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    "text", ["a: 1\n'1': 2\n1: 3\n", "a: &b {c: 1}\nd: *b\n", "a: {<<: {b: 1}, b: 2}\n", ""]
)
def test_keys_that_are_not_repeated_are_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == yaml.safe_load(text)


def test_behaviour_tests_with_a_repeated_key_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "behaviour.yaml"
    path.write_text(BEHAVIOUR + "minimum: []\n", encoding="utf-8")
    with pytest.raises(BehaviourError, match=r"behaviour\.yaml: .*minimum is repeated"):
        read_behaviour(path)


def test_a_repeated_name_in_a_line_of_a_suite_is_refused(tmp_path: Path) -> None:
    (tmp_path / "suite.jsonl").write_text('{"text": "It is [MASK].", "text": "It was [MASK]."}\n')
    with pytest.raises(SuiteError, match=r"line 1: .*twice"):
        read_suite(tmp_path / "suite.jsonl")


@pytest.mark.parametrize("language", languages())
def test_no_text_of_the_bot_is_there_twice(language: str) -> None:
    for file in (FOLDER / language).glob("*.yaml"):
        assert read_yaml(file), file


def test_a_suite_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "suite.jsonl").write_bytes(b"\xe4\xf6")
    with pytest.raises(SuiteError, match=r"suite\.jsonl"):
        read_suite(tmp_path / "suite.jsonl")
