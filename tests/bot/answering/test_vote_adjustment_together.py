"""What votes do to the sentences whose masks were filled together."""

import math
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.predictor import Prediction
from bot.answering.vote_adjustment import SHOWN_SENTENCES, ShownPrediction, VoteRules, adjust, rejected_words
from storage.votes.consensus import QueryVote
from storage.votes.standing import Value
from training.inference.fill_model import Candidate
from training.inference.joint_filling import JointFilling

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def filling(*words: tuple[str, float]) -> JointFilling:
    return JointFilling(tuple(word for word, _ in words), tuple(math.log(p) for _, p in words))


def mask_of(**scores: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(word, 1, score) for word, score in scores.items())


# "The … boots are …": .54 + .315 + .03 + .0175, the lists as beside "ice" and "warm".
FILLINGS = (
    filling(("ice", 0.9), ("warm", 0.6)),
    filling(("red", 0.9), ("light", 0.35)),
    filling(("red", 0.05), ("warm", 0.6)),
    filling(("ice", 0.05), ("light", 0.35)),
)
TOGETHER = Prediction(
    (mask_of(ice=0.9, red=0.05, snow=0.02), mask_of(warm=0.7, light=0.1, soft=0.08)), "v0007", 5.0, FILLINGS
)
TOTAL = 0.54 + 0.315 + 0.03 + 0.0175


def both(word: str, value: Value, *, mask: int) -> list[QueryVote]:
    """Two people of one mind: their 👍 treble the odds of a word, their 👎 leave it out."""
    return [QueryVote(1, mask, word, by, "reaction", value, NOON, None) for by in (1, 2)]


def adjusted(*votes: list[QueryVote], prediction: Prediction = TOGETHER) -> ShownPrediction:
    return adjust(prediction, [*chain(*votes)], VoteRules(2, 90, NOON), shown=5)


def sentences(shown: ShownPrediction) -> list[tuple[str, float]]:
    return [(" ".join(sentence.words), sentence.share) for sentence in shown.sentences]


def words(shown: ShownPrediction, mask: int) -> list[str]:
    return [candidate.word for candidate in shown.masks[mask]]


def approximately(**shares: float) -> list[tuple[str, object]]:
    return [(words.replace("_", " "), pytest.approx(share)) for words, share in shares.items()]


def test_without_votes_the_models_three_best_are_shown() -> None:
    shown = adjusted()
    assert sentences(shown) == approximately(
        ice_warm=0.54 / TOTAL, red_light=0.315 / TOTAL, red_warm=0.03 / TOTAL
    )
    assert words(shown, 0) == ["ice", "red", "snow"]
    assert not shown.is_adjusted


def test_no_sentence_says_a_rejected_word() -> None:
    shown = adjusted(both("warm", -1, mask=1))
    assert sentences(shown) == approximately(red_light=0.315 / 0.3325, ice_light=0.0175 / 0.3325)
    assert [words(shown, mask)[0] for mask in (0, 1)] == ["red", "light"]
    assert words(shown, 1) == ["light", "soft"]
    assert (shown.votes, shown.is_adjusted) == (2, True)


def test_sentences_are_weighed_by_the_votes_on_all_their_words() -> None:
    shown = adjusted(both("red", 1, mask=0), both("light", 1, mask=1))
    total = 0.54 + 9 * 0.315 + 3 * 0.03 + 3 * 0.0175
    assert sentences(shown) == approximately(
        red_light=9 * 0.315 / total, ice_warm=0.54 / total, red_warm=3 * 0.03 / total
    )
    assert shown.votes == 4


def test_each_list_starts_with_the_word_of_the_best_sentence() -> None:
    shown = adjusted(both("red", 1, mask=0))  # .945 for "red light"; "light" has no votes of its own
    assert words(shown, 0) == ["red", "ice", "snow"]
    assert words(shown, 1) == ["light", "warm", "soft"]
    assert [(c.score, c.share) for c in shown.masks[1]] == [(0.1, 0.1), (0.7, 0.7), (0.08, 0.08)]
    assert shown.masks[0][0].share == pytest.approx(0.15 / 1.1)


def test_a_word_of_the_best_sentence_that_is_no_candidate_is_put_first_all_the_same() -> None:
    prediction = Prediction((mask_of(ice=0.9), mask_of(soft=0.7)), "v0007", 5.0, FILLINGS)
    shown = adjusted(prediction=prediction)
    assert [(c.word, c.score) for c in shown.masks[1]] == [("warm", pytest.approx(0.6)), ("soft", 0.7)]


def test_a_wanted_word_that_no_sentence_has_gets_one() -> None:
    crowd = [QueryVote(1, 1, "soft", by, "menu", 1, NOON, None) for by in range(12)]
    shown = adjusted(crowd)
    # Thirteen times the odds: .54 × .08 / .7 × 13 = .8023 for "ice soft"
    wanted = 0.54 * 0.08 / 0.7 * 13
    assert sentences(shown)[:2] == approximately(
        ice_soft=wanted / (TOTAL + wanted), ice_warm=0.54 / (TOTAL + wanted)
    )
    assert words(shown, 1)[0] == "soft"
    assert shown.votes == 12


def test_where_votes_leave_no_sentence_the_lists_start_with_their_own_best() -> None:
    shown = adjusted(both("warm", -1, mask=1), both("light", -1, mask=1))
    assert shown.sentences == ()
    assert [words(shown, mask)[0] for mask in (0, 1)] == ["ice", "soft"]
    assert shown.votes == 4


def test_votes_on_words_that_are_neither_shown_nor_would_be_change_nothing() -> None:
    assert adjusted(both("unheard", -1, mask=0), both("snow", 1, mask=1)) == adjusted()
    assert adjusted(both("warm", -1, mask=0)) == adjusted()  # another mask's word


def test_the_rejected_words_are_told() -> None:
    votes = [*both("warm", -1, mask=1), *both("red", 1, mask=0), *both("ice", -1, mask=0)]
    left = rejected_words(votes, VoteRules(2, 90, NOON))
    assert left == {(1, "warm"), (0, "ice")}


@given(
    st.lists(
        st.builds(
            QueryVote,
            mask_index=st.integers(0, 2),
            word=st.sampled_from(["ice", "red", "snow", "warm", "light", "soft", "unheard"]),
            voter_id=st.integers(1, 5),
            via=st.sampled_from(["reaction", "menu"]),
            value=st.sampled_from([1, -1]),
            cast_at=st.just(NOON),
            reliability=st.none() | st.floats(0.01, 0.99),
        ),
        max_size=30,
    )
)
def test_whatever_is_voted_lists_and_sentences_agree(votes: list[QueryVote]) -> None:
    shown = adjust(TOGETHER, votes, VoteRules(1, 90, NOON), shown=5)
    left_out = rejected_words(votes, VoteRules(1, 90, NOON))
    for sentence in shown.sentences:
        assert not set(enumerate(sentence.words)) & left_out
    if shown.sentences:
        assert shown.sentences[0].words == tuple(mask[0].word for mask in shown.masks)
    assert len(shown.sentences) <= SHOWN_SENTENCES
    assert sum(sentence.share for sentence in shown.sentences) <= 1 + 1e-9
    assert all(1 <= len(mask) <= 5 and len({c.word for c in mask}) == len(mask) for mask in shown.masks)
    if not shown.is_adjusted:
        assert shown == adjusted()
