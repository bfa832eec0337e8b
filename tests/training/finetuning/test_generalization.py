"""Tilts of words on sentences without votes."""

import math

import pytest

from training.corpus.lexicon import unwanted_words, wanted_words
from training.finetuning.generalization import FULL_LOG_ODDS, LISTED_SHARE, word_tilts
from training.votes.retraining_set import Example


def example(number: int, *, wanted: list[str] | None = None, unwanted: list[str] | None = None) -> Example:
    """A query of its own with judgements of weight 1."""
    return Example(
        f"query {number} [MASK]",
        str(number),
        0,
        tuple((word, 1.0) for word in wanted or ()),
        tuple((word, 1.0) for word in unwanted or ()),
    )


def agreeing(count: int) -> list[Example]:
    """Judgements that agree with the word lists, each on its own word and query."""
    good, bad = sorted(wanted_words())[: count // 2], sorted(unwanted_words())[: count - count // 2]
    examples = [example(number, wanted=[word]) for number, word in enumerate(good)]
    return examples + [example(100 + number, unwanted=[word]) for number, word in enumerate(bad)]


def test_a_word_judged_on_one_query_does_not_generalize() -> None:
    assert word_tilts([example(1, unwanted=["squeaky"])]) == {}


def test_a_word_judged_alike_on_several_queries_generalizes_by_its_evidence() -> None:
    tilts = word_tilts([example(1, unwanted=["squeaky"]), example(2, unwanted=["squeaky"])])
    assert tilts == {"squeaky": pytest.approx(-math.log(3) / FULL_LOG_ODDS)}


def test_the_tilt_is_at_most_full() -> None:
    assert word_tilts([example(n, wanted=["grippy"]) for n in range(50)])["grippy"] == 1.0


def test_a_contested_word_does_not_generalize() -> None:
    examples = [example(n, wanted=["loud"]) for n in range(3)] + [example(9, unwanted=["loud"])] * 2
    assert word_tilts(examples) == {}


def test_the_word_lists_count_once_enough_judgements_agree_with_them() -> None:
    assert word_tilts(agreeing(9)) == {}
    tilts = word_tilts(agreeing(20))
    # Twenty of twenty agree: (2 + 20) / (4 + 20) = 11/12, of which 2 · 11/12 − 1 = 5/6 counts.
    word = max(unwanted_words())
    assert tilts[word] == pytest.approx(-LISTED_SHARE * 5 / 6)
    assert tilts[max(wanted_words())] == pytest.approx(LISTED_SHARE * 5 / 6)


def test_votes_that_contradict_the_word_lists_are_not_overruled_by_them() -> None:
    flipped = [Example(e.query, e.query_hash, 0, e.unwanted, e.wanted) for e in agreeing(20)]
    assert word_tilts(flipped) == {}
    liked = [example(200 + n, wanted=["expensive"]) for n in range(3)]
    assert word_tilts([*agreeing(20), *liked])["expensive"] > 0


def test_a_contested_word_is_not_tilted_by_the_lists() -> None:
    judged = [example(200, wanted=["expensive"])]
    assert "expensive" not in word_tilts([*agreeing(20), *judged])
