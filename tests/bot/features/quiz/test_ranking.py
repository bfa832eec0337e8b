"""Which sentence teaches most: worked by hand where numbers are golden."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.answering.vote_adjustment import VoteRules, WordVotes
from bot.features.quiz.ranking import RankedSentence, edge_cases, information, ranked
from storage.votes.consensus import QueryVote
from storage.votes.predictions import StoredCandidate
from storage.votes.quiz import OpenSentence

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SURE = (0.8, 0.002, 0.001)
UNSURE = (0.1, 0.1, 0.09)
WORDS = ("great", "cheap", "soft")


def sentence(
    name: str, *votes: tuple[str, int], asked: int = 1, scores: Sequence[float] = SURE, age_days: float = 0
) -> OpenSentence:
    """One with three words; each vote is another person's."""
    offered = tuple(
        StoredCandidate(0, rank, w, s) for rank, (w, s) in enumerate(zip(WORDS, scores, strict=True))
    )
    cast_at = NOON - timedelta(days=age_days)
    cast = [
        QueryVote(1, 0, w, n, "menu", 1 if v > 0 else -1, cast_at, None) for n, (w, v) in enumerate(votes)
    ]
    return OpenSentence(name, name, asked, offered, tuple(cast))


def order(
    *sentences: OpenSentence, edge: frozenset[str] = frozenset(), min_voters: int = 2
) -> list[RankedSentence]:
    return ranked(sentences, VoteRules(min_voters, 90, NOON), edge_cases=edge)


def names(items: Sequence[RankedSentence]) -> list[str]:
    return [item.sentence.query for item in items]


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (0, 0, 1.0),
        (1, 1, 1.0),
        # p = 0.8: H(0.68) − H(0.8) = 0.9044 − 0.7219 = 0.1825 bits; of a new word 1 − 0.7219 = 0.2781
        (1, 0, 0.1825 / 0.2781),
        (0, 1, 0.1825 / 0.2781),
        # p = 16/17: H(0.7647) − H(0.8) = 0.7871 − 0.7219
        (2, 0, 0.0652 / 0.2781),
        (4000, 0, 0.0),
        (0, 4000, 0.0),
    ],
)
def test_a_vote_says_most_where_people_do_not_agree(up: float, down: float, expected: float) -> None:
    assert information(WordVotes(up, down, 1, is_judged=True)) == pytest.approx(expected, abs=1e-3)


def test_the_worth_of_a_sentence_is_what_the_docstring_says() -> None:
    (item,) = order(sentence("one", ("great", 1), asked=3, scores=(0.4, 0.2, 0.1)), edge=frozenset({"one"}))
    # great: 1 × 0.6562 × 1, cheap: 0.5 × 1 × 0.5, soft: 0.25 × 1 × 0.5; asked three times; an edge case
    assert item.worth == pytest.approx(2 * math.log2(4) * (0.6562 + 0.25 + 0.125), abs=1e-3)


def test_contested_comes_before_one_voter_short_before_unrated_before_settled() -> None:
    items = order(
        sentence("settled", ("great", 1), ("great", 1), ("great", 1)),
        sentence("unrated"),
        sentence("short", ("great", -1)),
        sentence("contested", ("great", 1), ("great", -1)),
    )
    assert names(items) == ["contested", "short", "unrated", "settled"]
    assert [item.because for item in items] == ["contested", "decides", "unrated", "more"]


def test_what_many_disagree_on_comes_after_what_few_do() -> None:
    few, many = (sentence(f"{n} each", *[("great", 1), ("great", -1)] * n) for n in (1, 4))
    assert names(order(many, few)) == ["1 each", "4 each"]


def test_where_the_model_is_unsure_more_is_to_be_learnt() -> None:
    assert names(order(sentence("sure"), sentence("unsure", scores=UNSURE))) == ["unsure", "sure"]


def test_what_is_asked_more_often_comes_first() -> None:
    assert names(order(sentence("once"), sentence("often", asked=9))) == ["often", "once"]


def test_an_edge_case_comes_first_and_says_so() -> None:
    first, _ = order(sentence("plain"), sentence("edge"), edge=frozenset({"edge"}))
    assert (first.sentence.query, first.because) == ("edge", "edge")


def test_votes_that_have_aged_settle_less() -> None:
    votes = (("great", 1), ("great", 1))
    assert names(order(sentence("fresh", *votes), sentence("old", *votes, age_days=180))) == ["old", "fresh"]


def test_equals_keep_their_order() -> None:
    assert names(order(sentence("b"), sentence("a"))) == ["b", "a"]


def test_a_sentence_with_personal_data_teaches_nothing() -> None:
    assert order(sentence("write to [email], it is [MASK].")) == []


def test_a_sentence_without_words_is_no_item() -> None:
    assert order(OpenSentence("none", "none", 5, (), ())) == []


def test_every_mask_is_worth_something() -> None:
    two = OpenSentence(
        "two", "two", 1, tuple(StoredCandidate(m, 0, "great", 0.1 + m / 2) for m in (0, 1)), ()
    )
    (item,) = order(two)
    assert item.worth == pytest.approx(1.0)  # two words, half a judgement each


def test_edge_cases_are_those_of_the_last_run_that_looked_at_votes(tmp_path: Path) -> None:
    for run, rows in (
        ("00002", [("old", "contested")]),
        ("00010", [("new", "unsure but liked"), ("calm", "")]),
    ):
        folder = tmp_path / run / "uptrain"
        folder.mkdir(parents=True)
        lines = [json.dumps({"query_hash": name, "signals": signals}) for name, signals in rows]
        (folder / "judgements.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "00011").mkdir()
    assert edge_cases(tmp_path) == {"new"}
    assert edge_cases(tmp_path / "none") == frozenset()


def test_a_run_that_still_writes_its_edge_cases_stops_no_quiz(tmp_path: Path) -> None:
    (folder := tmp_path / "00001" / "uptrain").mkdir(parents=True)
    (folder / "judgements.jsonl").write_text('{"query_hash": "new", "signals": "unsure"}\n{"query_ha')
    assert edge_cases(tmp_path) == {"new"}


@pytest.mark.parametrize("line", ['{"signals": "unsure"}', "5", "null", '{"a": 1}', "[" * 100_000])
def test_rows_of_another_shape_are_no_edge_cases(tmp_path: Path, line: str) -> None:
    folder = tmp_path / "00001" / "uptrain"
    folder.mkdir(parents=True)
    (folder / "judgements.jsonl").write_text(line)
    assert edge_cases(tmp_path) == frozenset()
