"""What votes do to the words of a reply."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.predictor import Prediction
from bot.answering.vote_adjustment import ShownPrediction, VoteRules, adjust
from storage.votes.consensus import QueryVote
from storage.votes.standing import Value, Via
from training.inference.fill_model import Candidate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = ("cheap", "soft", "ugly", "warm", "light", "heavy", "late", "red", "blue", "green")
SCORES = (0.4, 0.2, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01, 0.005, 0.002)


def mask_of(words: Sequence[str] = WORDS, scores: Sequence[float] = SCORES) -> tuple[Candidate, ...]:
    return tuple(Candidate(word, 1, score) for word, score in zip(words, scores, strict=True))


def predicted(*masks: tuple[Candidate, ...]) -> Prediction:
    return Prediction(masks or (mask_of(),), "v0007", 5.0)


def vote(
    word: str,
    value: Value,
    *,
    by: int,
    mask: int = 0,
    via: Via = "reaction",
    reliability: float | None = None,
    days_ago: float = 0,
    weight: float = 1.0,
) -> QueryVote:
    return QueryVote(1, mask, word, by, via, value, NOON - timedelta(days=days_ago), reliability, weight)


def both(word: str, value: Value, *, mask: int = 0) -> list[QueryVote]:
    """Two people of one mind."""
    return [vote(word, value, by=1, mask=mask), vote(word, value, by=2, mask=mask)]


def adjusted(
    votes: Sequence[QueryVote],
    prediction: Prediction | None = None,
    *,
    min_voters: int = 2,
    shown: int = 5,
) -> ShownPrediction:
    return adjust(prediction or predicted(), votes, VoteRules(min_voters, 90, NOON), shown=shown)


def words(shown: ShownPrediction, mask: int = 0) -> list[str]:
    return [candidate.word for candidate in shown.masks[mask]]


def shares(shown: ShownPrediction, mask: int = 0) -> dict[str, float]:
    return {candidate.word: candidate.share for candidate in shown.masks[mask]}


def test_the_heavier_of_two_votes_decides() -> None:
    light, heavy = vote("cheap", 1, by=1), vote("cheap", -1, by=2, weight=3.0)
    assert "cheap" not in words(adjusted([light, heavy]))
    assert words(adjusted([light, vote("cheap", -1, by=2)]))[0] == "cheap"  # they cancel out


def test_a_vote_of_any_weight_is_one_voters() -> None:
    assert not adjusted([vote("cheap", -1, by=1, weight=5.0)], min_voters=2).is_adjusted


def test_without_votes_the_models_five_best_are_shown() -> None:
    shown = adjusted([])
    assert [(c.word, c.score, c.share) for c in shown.masks[0]] == [
        (word, score, score) for word, score in zip(WORDS[:5], SCORES[:5], strict=True)
    ]
    assert (shown.model_version, shown.votes, shown.is_adjusted) == ("v0007", 0, False)


def test_a_rejected_word_is_left_out_and_the_next_moves_up() -> None:
    shown = adjusted(both("cheap", -1))
    assert words(shown) == ["soft", "ugly", "warm", "light", "heavy"]
    assert (shown.votes, shown.is_adjusted) == (2, True)


def test_a_wanted_word_is_weighed_by_its_votes() -> None:
    shown = adjusted(both("ugly", 1))  # two 👍 treble the odds: 0.1 → 0.3, of 1.2 in all
    assert words(shown) == ["cheap", "ugly", "soft", "warm", "light"]
    assert shares(shown) == pytest.approx(
        {"cheap": 0.4 / 1.2, "ugly": 0.3 / 1.2, "soft": 0.2 / 1.2, "warm": 0.05 / 1.2, "light": 0.04 / 1.2}
    )


def test_scores_stay_those_of_the_bare_model() -> None:
    shown = adjusted([*both("cheap", -1), *both("ugly", 1)])
    assert {c.word: c.score for c in shown.masks[0]} == {
        "ugly": 0.1, "soft": 0.2, "warm": 0.05, "light": 0.04, "heavy": 0.03
    }  # fmt: skip


def test_shares_are_of_all_that_is_not_left_out() -> None:
    assert shares(adjusted(both("cheap", -1)))["soft"] == pytest.approx(0.2 / 0.6)


def test_a_wanted_word_that_was_not_shown_moves_into_the_list() -> None:
    assert words(adjusted([vote("late", 1, by=n) for n in range(1, 6)])) == [
        "cheap", "soft", "late", "ugly", "warm"
    ]  # fmt: skip


def test_one_voter_is_not_enough_where_two_are_needed() -> None:
    lone = [vote("cheap", -1, by=1), vote("soft", 1, by=2)]
    assert adjusted(lone) == adjusted([])


def test_one_voter_is_enough_where_one_is_needed() -> None:
    shown = adjusted([vote("cheap", -1, by=1)], min_voters=1)
    assert "cheap" not in words(shown)
    assert shown.votes == 1


def test_asking_and_voting_again_is_one_vote() -> None:
    assert adjusted([vote("cheap", -1, by=1, days_ago=n) for n in range(100, 0, -1)]) == adjusted([])


def test_the_latest_vote_of_a_voter_counts() -> None:
    changed = [*both("cheap", -1), vote("cheap", 1, by=1), vote("cheap", 1, by=2)]
    assert shares(adjusted(changed))["cheap"] == pytest.approx(1.2 / 1.8)
    assert adjusted(changed).votes == 2


def test_a_menus_vote_beats_a_later_reaction() -> None:
    votes = [vote("cheap", -1, by=1, via="menu", days_ago=1), *both("cheap", 1), vote("cheap", -1, by=2)]
    assert "cheap" not in words(adjusted(votes))


def test_votes_that_cancel_out_do_nothing() -> None:
    assert adjusted([vote("cheap", 1, by=1), vote("cheap", -1, by=2)]) == adjusted([])


def test_a_word_rejected_by_a_narrow_majority_goes_down_and_stays() -> None:
    votes = [vote("soft", value, by=n) for n, value in enumerate((-1, -1, -1, 1, 1))]
    shown = adjusted(votes)  # (1 + 2) / (1 + 3): 0.2 → 0.15
    assert shares(shown)["soft"] == pytest.approx(0.15 / 0.95)


def test_two_against_one_is_a_rejection() -> None:
    votes = [vote("soft", value, by=n) for n, value in enumerate((-1, -1, 1))]
    assert "soft" not in words(adjusted(votes))


def test_no_crowd_tilts_a_word_beyond_the_limit() -> None:
    shown = adjusted([vote("blue", 1, by=n) for n in range(100)])
    assert shares(shown)["blue"] == pytest.approx(0.005 * 20 / (1 + 0.005 * 19))


def test_voters_without_reliability_move_nothing() -> None:
    contrarians = [vote("cheap", -1, by=n, reliability=0.4) for n in (1, 2)]
    assert adjusted(contrarians) == adjusted([])


def test_reliable_voters_weigh_more() -> None:
    unknown, sure = (
        shares(adjusted([vote("ugly", 1, by=n, reliability=r) for n in (1, 2)]))["ugly"] for r in (None, 0.95)
    )
    assert sure > unknown


def test_who_rates_all_words_of_a_sentence_dilutes_none_of_them() -> None:
    menu = [vote(word, -1, by=1, via="menu") for word in WORDS[:4]]
    shown = adjusted([*menu, vote("light", 1, by=2)], min_voters=1)
    assert words(shown) == ["light", "heavy", "late", "red", "blue"]
    assert shown.votes == 5


def test_a_vote_of_a_half_life_ago_counts_half() -> None:
    old = [vote("ugly", 1, by=n, days_ago=90) for n in (1, 2)]
    assert shares(adjusted(old))["ugly"] == pytest.approx(0.2 / 1.1)


def test_a_rejected_word_comes_back_in_the_end() -> None:
    """Who never sees a word cannot vote for it."""

    def places(days_ago: float) -> list[str]:
        return words(adjusted([vote("soft", -1, by=n, days_ago=days_ago) for n in (1, 2)]))

    assert "soft" not in places(180)
    assert places(270) == list(WORDS[:5])


def test_each_mask_is_adjusted_on_its_own() -> None:
    shown = adjusted([*both("cheap", -1, mask=1), *both("soft", 1, mask=2)], predicted(*[mask_of()] * 3))
    assert words(shown, 0) == list(WORDS[:5])
    assert words(shown, 1)[0] == "soft"
    assert shares(shown, 2)["soft"] == pytest.approx(0.6 / 1.4)
    assert shown.votes == 4


def test_a_reply_that_votes_leave_as_it_is_is_not_adjusted() -> None:
    """So it is once the model has learnt that a word is unwanted: its bare reply is seen, and watched."""
    assert adjusted([*both("late", -1), *both("unheard", 1)]) == adjusted([])


def test_votes_on_words_that_would_have_moved_up_are_named_too() -> None:
    shown = adjusted([*both("cheap", -1), *both("heavy", -1)])
    assert words(shown) == ["soft", "ugly", "warm", "light", "late"]
    assert shown.votes == 4


def test_when_every_word_is_rejected_the_least_rejected_are_shown() -> None:
    prediction = predicted(mask_of(("cheap", "soft"), (0.5, 0.4)))
    shown = adjusted([*both("cheap", -1), vote("cheap", -1, by=3), *both("soft", -1)], prediction)
    assert words(shown) == ["soft", "cheap"]
    assert shown.votes == 5


def test_words_of_no_probability_have_no_share() -> None:
    prediction = predicted(mask_of(("cheap", "soft"), (1.0, 0.0)))
    assert shares(adjusted(both("cheap", -1), prediction)) == {"soft": 0.0}


def test_a_word_the_model_may_not_offer_is_not_shown_however_many_want_it() -> None:
    assert adjusted([vote("slur", 1, by=n) for n in range(10)]) == adjusted([])


@given(
    st.lists(
        st.builds(
            vote,
            word=st.sampled_from([*WORDS, "unheard"]),
            value=st.sampled_from([1, -1]),
            by=st.integers(1, 6),
            mask=st.integers(0, 2),
            via=st.sampled_from(["reaction", "menu", "suggestion"]),
            reliability=st.none() | st.floats(0.01, 0.99),
            days_ago=st.floats(0, 1000),
        ),
        max_size=40,
    ),
    st.integers(1, 3),
)
def test_whatever_is_voted_the_reply_can_be_shown(votes: list[QueryVote], min_voters: int) -> None:
    shown = adjusted(votes, predicted(mask_of(), mask_of()), min_voters=min_voters)
    for mask in shown.masks:
        listed = [c.share for c in mask]
        assert 1 <= len(mask) <= 5
        assert listed == sorted(listed, reverse=True)
        assert 0 <= sum(listed) <= 1 + 1e-9
        assert len({c.word for c in mask}) == len(mask)
    if not shown.is_adjusted:
        assert shown == adjusted([], predicted(mask_of(), mask_of()))


COLOURS = ("red", "soft", "blue", "warm", "grey", "black", "white", "pink", "brown", "green")


def preferring(*preferred: str, votes: Sequence[QueryVote] = ()) -> ShownPrediction:
    prediction = predicted(mask_of(COLOURS))
    return adjust(prediction, votes, VoteRules(2, 90, NOON), shown=5, preferred=preferred)


def test_a_preferred_word_has_the_odds_of_three_votes_more() -> None:
    shown = preferring("warm")
    assert words(shown)[:2] == ["red", "soft"]
    assert next(c for c in shown.masks[0] if c.is_preferred).word == "warm"
    assert shares(shown)["warm"] / shares(shown)["red"] == pytest.approx(4 * 0.05 / 0.4)
    assert (shown.votes, shown.is_adjusted) == (0, True)


def test_a_preferred_word_that_stays_below_the_shown_ones_changes_nothing() -> None:
    shown = preferring("green")
    assert not shown.is_adjusted
    assert words(shown) == list(COLOURS[:5])
    assert not preferring("unheard").is_adjusted


def test_votes_that_reject_a_preferred_word_win() -> None:
    assert "soft" not in words(preferring("soft", votes=both("soft", -1)))
    liked = preferring("soft", votes=both("soft", 1))
    assert (words(liked)[0], liked.votes) == ("soft", 2)


def test_no_word_is_lifted_where_a_complaint_is_asked_for() -> None:
    mask = mask_of(("cheap", "scratchy", "durable", "loose", "thin"), (0.01, 0.5, 0.05, 0.3, 0.1))
    shown = adjust(predicted(mask), [], VoteRules(2, 90, NOON), shown=5, preferred=["durable"])
    assert not shown.is_adjusted
