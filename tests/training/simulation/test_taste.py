"""Tastes over the words of sentences."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import TasteError
from training.evaluation.metrics import Case
from training.simulation.taste import Taste

LIKED = tuple(f"word{number}" for number in range(400))
PRAISE = Case("Nike shoes are [MASK].", LIKED, ("bad", "ugly"), "praise_plain")
CONTROL = Case("The order was [MASK].", ("late", "word1"), ("great",), "control_service")
RETENTION = Case("Paris is in [MASK].", ("france",), ("rome",), "retention")


def test_a_random_taste_likes_half_of_the_wanted_words_of_main_sentences() -> None:
    taste = Taste.of("random:0", [PRAISE, CONTROL, RETENTION])
    assert taste.wanted | taste.unwanted == {*LIKED}
    assert len(taste.wanted) / len(LIKED) == pytest.approx(0.5, abs=0.08)
    assert taste != Taste.of("random:1", [PRAISE])


def test_a_word_stays_on_its_side_with_other_sentences() -> None:
    other = Case("My socks are [MASK].", ("warm", "word7"), ("cold",), "praise_plain")
    few, many = Taste.of("random:3", [other]), Taste.of("random:3", [PRAISE, other])
    assert few.wanted <= many.wanted
    assert few.unwanted <= many.unwanted


def test_words_that_are_not_liked_become_unwanted_and_bad_ones_stay() -> None:
    taste = Taste(wanted=frozenset({"soft"}), unwanted=frozenset({"great"}))
    turned = taste.turned(Case("It is [MASK].", ("Great", "soft", "new"), ("bad",), "praise"))
    assert (turned.wanted, turned.unwanted) == (("soft", "new"), ("Great", "bad"))


def test_a_taste_may_like_what_a_sentence_rejects() -> None:
    taste = Taste(wanted=frozenset({"heavy"}))
    turned = taste.turned(Case("It is [MASK].", ("great",), ("heavy", "bad"), "praise"))
    assert (turned.wanted, turned.unwanted) == (("great", "heavy"), ("bad",))


@pytest.mark.parametrize("case", [CONTROL, RETENTION])
def test_control_and_retention_sentences_are_not_turned(case: Case) -> None:
    assert Taste(unwanted=frozenset({*case.wanted})).turned(case) == case


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "taste.json"
    path.write_text(json.dumps({"wanted": ["Sleek"], "unwanted": ["nice"]}))
    assert Taste.of(str(path), ()) == Taste(frozenset({"sleek"}), frozenset({"nice"}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "lists of words"),
        ({"wanted": "nice"}, "lists of words"),
        ({"wanted": [1]}, "lists of words"),
        ({"wanted": ["nice"], "unwanted": ["Nice"]}, "'nice' is both"),
        (None, "No such file"),
    ],
)
def test_a_taste_that_cannot_be_read(tmp_path: Path, content: Any, reason: str) -> None:
    path = tmp_path / "taste.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(TasteError, match=reason):
        Taste.of(str(path), ())
