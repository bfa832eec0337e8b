"""What the benchmark asks and judges by: its committed sentences."""

import json

import pytest
from benchmarks import sentences

from training.corpus.generator import load_patterns
from training.evaluation.metrics import read_suite
from training.inference.encoder import MASK, finished
from training.simulation.taste import KEPT_GROUPS

SPLITS = {pattern.id: pattern.split for pattern in load_patterns()}


def rows(name: str) -> list[dict[str, str]]:
    lines = (sentences.FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.long
@pytest.mark.parametrize("name", list(sentences.FILES))
def test_the_generated_files_are_reproducible(name: str) -> None:
    assert sentences.content(sentences.FILES[name]()) == (sentences.FOLDER / name).read_text(encoding="utf-8")


def test_test_patterns_are_not_trained_on() -> None:
    assert {SPLITS[row["pattern"]] for row in rows("test.jsonl")} == {"test"}
    for name in ("queries.jsonl", "more_queries.jsonl"):
        assert {SPLITS[row["pattern"]] for row in rows(name)} == {"train"}


def test_no_sentence_is_both_asked_and_tested() -> None:
    asked, more, tested = (
        {finished(row["text"]).casefold() for row in rows(name)} for name in sentences.FILES
    )
    assert (asked | more).isdisjoint(tested)
    assert asked.isdisjoint(more)
    assert (len(asked), len(asked | more)) == (sentences.QUERIES, sentences.ALL_QUERIES)
    assert len(tested) == sentences.MAIN + sentences.CONTROL


def test_the_number_of_sentences_is_the_requested_one() -> None:
    cases = read_suite(sentences.FOLDER / "test.jsonl")
    control = [case for case in cases if case.group == "control"]
    assert len(cases) - len(control) >= 300
    assert len(control) >= 150
    assert not [case for case in cases if case.group in KEPT_GROUPS and case.group != "control"]
    of_patterns = [row["pattern"] for row in rows("test.jsonl")]
    assert max(map(of_patterns.count, of_patterns)) <= 20  # no pattern outweighs the others


def test_wanted_and_unwanted_words_have_nothing_in_common() -> None:
    for name in sentences.FILES:
        for case in read_suite(sentences.FOLDER / name):
            assert case.text.count(MASK) == 1
            assert case.wanted
            assert case.unwanted
            assert not {*case.wanted} & {*case.unwanted}


def test_wanted_words_of_control_sentences_fit_their_meaning() -> None:
    cases = {case.text: case for case in read_suite(sentences.FOLDER / "test.jsonl")}
    control = [case for case in cases.values() if case.group == "control"]
    complaints = [case for case in control if case.category == "control_complaint"]
    assert all("great" in case.unwanted for case in complaints)
    negated = next(case for case in control if case.text == "Getting a refund was anything but [MASK].")
    assert "easy" in negated.wanted
    assert "difficult" in negated.unwanted


def test_patterns_that_cannot_be_known_are_test_patterns_with_a_reason() -> None:
    unknowable = rows("unknowable.jsonl")
    assert {row["pattern"] for row in unknowable} < {row["pattern"] for row in rows("test.jsonl")}
    assert all(row["reason"] and MASK in row["example"] for row in unknowable)
