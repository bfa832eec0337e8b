"""When credited votes decide a proof, and that looking often does not make it wrong."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ballots import NOON

from bot.proof.evidence import (
    ALPHA,
    Credit,
    DecidedAnswer,
    Score,
    decided_answers,
    log_evidence,
    lower_bound,
    score_of,
)

COUNTS = st.integers(0, 400)


def credit(prediction_id: int, voter_id: int, value: int, minute: int = 0) -> Credit:
    return Credit(prediction_id, voter_id, value, NOON + timedelta(minutes=minute))


def test_an_answer_counts_once_for_each_voter_by_the_sign_of_the_credits() -> None:
    votes = [
        credit(1, 7, 1, 0),
        credit(2, 7, -1, 1),
        credit(1, 7, 1, 2),
        credit(1, 8, -1, 3),
        credit(1, 7, -1, 4),
    ]
    answers = decided_answers(votes)
    assert answers == [DecidedAnswer(7, True), DecidedAnswer(7, False), DecidedAnswer(8, False)]
    assert score_of(answers) == Score(wins=1, losses=2)


def test_an_answer_with_as_much_for_both_decides_nothing() -> None:
    assert decided_answers([credit(1, 7, 1), credit(1, 7, -1)]) == []


@given(COUNTS, COUNTS)
def test_the_expected_evidence_never_grows_where_the_challenger_is_no_better(wins: int, losses: int) -> None:
    """The property that Ville's inequality needs, for every share of wins up to a half."""
    now = log_evidence(wins, losses)
    won, lost = (math.exp(log_evidence(w, n) - now) for w, n in ((wins + 1, losses), (wins, losses + 1)))
    for share in (0.5, 0.4, 0.1):
        assert share * won + (1 - share) * lost <= 1 + 1e-9


@given(COUNTS, COUNTS)
def test_the_bound_and_the_proof_agree(wins: int, losses: int) -> None:
    is_proved = Score(wins, losses).conclusion(most=10_000) == "promote"
    assert (lower_bound(wins, losses) >= 0.5) == is_proved
    assert lower_bound(wins, losses) <= Score(wins, losses).share + 1e-9


def test_equal_models_are_rarely_told_apart_although_every_vote_is_looked_at() -> None:
    rng = np.random.default_rng(0)
    wins = np.cumsum(rng.random((2000, 400)) < 0.5, axis=1)
    limits = [fewest(n) for n in range(1, 401)]
    assert (wins >= limits).any(axis=1).mean() <= ALPHA


def test_a_true_preference_is_found() -> None:
    rng = np.random.default_rng(1)
    wins = np.cumsum(rng.random((2000, 400)) < 0.6, axis=1)
    limits = [fewest(n) for n in range(1, 401)]
    assert (wins >= limits).any(axis=1).mean() >= 0.9


def fewest(decided: int) -> int:
    """The fewest wins that prove the challenger better."""
    return next(
        k for k in range(decided + 2) if k > decided or log_evidence(k, decided - k) >= -math.log(ALPHA)
    )


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        (0, 0, None),
        (10, 0, None),
        (40, 10, "promote"),
        (10, 40, "keep"),
        (260, 240, None),
        (510, 490, "stop"),
        (400, 430, "futile"),
    ],
)
def test_a_proof_promotes_keeps_or_stops(wins: int, losses: int, expected: str | None) -> None:
    assert Score(wins, losses).conclusion(most=1000) == expected


def test_the_bound_says_at_least_how_much() -> None:
    assert lower_bound(0, 0) == 0.0
    assert 0.5 < lower_bound(60, 30) < 0.6 < lower_bound(600, 300) < 2 / 3
