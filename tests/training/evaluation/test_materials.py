"""Suites and texts by name and by file."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.corpus.domain_corpus import build_corpus
from training.corpus.language import examples
from training.errors import SuiteError
from training.evaluation.materials import suites_of, texts_of
from training.evaluation.metrics import read_suite, suites_folder
from training.inference.encoder import MASK_PATTERN
from training.settings import DomainSettings, Settings

CASE = {"text": "It [MASK].", "wanted": ["great"], "unwanted": ["poor"], "category": "x"}


def write(path: Path, *rows: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def settings_of(home: Path) -> Settings:
    return Settings(home=home, data_dir=None, _env_file=None)


def test_the_default_queries_have_one_mask_each() -> None:
    assert [len(MASK_PATTERN.findall(query)) for query in examples().compared] == [1] * 5


def test_suites_of_the_project_by_name() -> None:
    suites = suites_of(["main", "positive"])
    assert list(suites) == ["main", "positive"]
    assert suites["main"] == read_suite(suites_folder() / "main.jsonl")
    assert {case.category for case in suites["positive"]} == {"positive"}


def test_files_are_named_by_their_stem_and_by_their_path_where_that_is_taken(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "own.jsonl", CASE), write(tmp_path / "b" / "own.jsonl", CASE)
    assert list(suites_of([first, "control", second])) == ["own", "control", second]


def test_a_file_named_like_a_suite_is_found_by_its_path(tmp_path: Path) -> None:
    own = write(tmp_path / "main.jsonl", CASE)
    assert len(suites_of([own])["main"]) == 1
    assert list(suites_of(["main", own])) == ["main", own]


@pytest.mark.parametrize("name", ["empty.jsonl", "missing.jsonl"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    write(tmp_path / "empty.jsonl")
    with pytest.raises(SuiteError):
        suites_of([str(tmp_path / name)])
    with pytest.raises(SuiteError):
        texts_of([str(tmp_path / name)], settings_of(tmp_path), most=5)


def test_a_large_set_of_texts_is_sampled_deterministically(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", *({"text": f"Text {number}."} for number in range(50)))
    drawn = texts_of([path], settings_of(tmp_path), most=10)["own"]
    assert len(set(drawn)) == 10
    assert drawn != [f"Text {number}." for number in range(10)]
    assert drawn == texts_of([path], settings_of(tmp_path), most=10)["own"]


def test_held_out_texts_without_the_teams_files_are_generated(tmp_path: Path) -> None:
    sets = texts_of(["texts", "held-out"], settings_of(tmp_path), most=7)
    assert {name: len(texts) for name, texts in sets.items()} == {"texts": 7, "held-out generated": 7}


def test_held_out_texts_of_the_team_are_a_separate_set(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    rows = "\n".join(f"Item {n},id{n},5,A soft shoe with number {n} on it." for n in range(60))
    (folder / "products.csv").write_text(f"Product Name,Product ID,Listing Price,Description\n{rows}\n")
    settings = Settings(home=tmp_path / "home", data_dir=folder, _env_file=None)
    sets = texts_of(["held-out"], settings, most=1000)
    assert set(sets) == {"held-out team", "held-out generated"}
    assert all("soft shoe" in text or "Item" in text for text in sets["held-out team"])


def test_held_out_texts_do_not_depend_on_the_size_of_the_corpus(tmp_path: Path) -> None:
    few, many = (build_corpus(settings_of(tmp_path), DomainSettings(sentences=count)) for count in (100, 300))
    assert few.held_out == many.held_out
