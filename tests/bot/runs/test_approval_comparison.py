"""The test behind the watch: its numbers, its false alarms, what it pairs, and how much one voter counts."""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from benchmarks import watch
from hypothesis import given
from hypothesis import strategies as st
from support.ballots import NOON

from bot.runs.approval_comparison import Tally, compare, p_value, paired_p_value, within_share
from storage.votes.approval import CountedVote


def cast(*values: int, sentences: Iterable[object] = (), voters: Iterable[int] = ()) -> list[CountedVote]:
    """So many votes, each on a sentence and by a voter of its own unless said otherwise."""
    sentence, voter = list(sentences) or range(len(values)), list(voters) or range(len(values))
    return [
        CountedVote(str(s), 0, v, 1 if value > 0 else -1, NOON)
        for value, s, v in zip(values, sentence, voter, strict=True)
    ]


def arm(liked: int, votes: int, *, prefix: str = "") -> list[CountedVote]:
    """Votes on sentences of their own, 👍 and 👎 well mixed."""
    values = [1 if (i + 1) * liked // votes > i * liked // votes else -1 for i in range(votes)]
    return cast(*values, sentences=[f"{prefix}{i}" for i in range(votes)])


def by_hand(old: Tally, new: Tally) -> float:
    """The p-value of all votes as the docstring says it, at twenty thousand approvals."""
    worst = 0.0
    for q in (n / 20_000 for n in range(1, 20_000)):
        tail = sum(
            math.comb(old.votes, k) * q**k * (1 - q) ** (old.votes - k)
            for k in range(old.liked, old.votes + 1)
        )
        ratios = (
            (max(q - fall, 0) / q) ** new.liked
            * ((1 - max(q - fall, 0)) / (1 - q)) ** (new.votes - new.liked)
            for fall in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
        )
        worst = max(worst, min(tail, 1) / max(sum(ratios) / 7, 1))
    return worst * (1 - math.log(worst))


def test_the_p_value_of_pairs_is_the_inverse_of_the_mixture() -> None:
    # (1.2² + 1.4² + 1.6² + 1.8²) / 4 = 2.3, and (1.2·0.8 + 1.4·0.6 + 1.6·0.4 + 1.8·0.2) / 4 = 0.7
    assert paired_p_value(2, 0) == pytest.approx(1 / 2.3)
    assert paired_p_value(1, 1) == 1.0
    assert paired_p_value(0, 0) == 1.0


@pytest.mark.parametrize(
    ("old", "new"),
    [(Tally(14, 20), Tally(3, 15)), (Tally(20, 20), Tally(5, 20)), (Tally(6, 20), Tally(0, 9))],
)
def test_the_p_value_of_all_votes_is_a_bound_that_is_nearly_met(old: Tally, new: Tally) -> None:
    exact = by_hand(old, new)
    assert exact <= p_value(old, new) <= 1.05 * exact


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_a_thumb_down_never_raises_the_p_value(a: int, b: int, c: int, d: int) -> None:
    old, new = Tally(a, a + b), Tally(c, c + d)
    before, after = p_value(old, new), p_value(old, Tally(c, c + d + 1))
    assert 0.0 <= before <= 1.0
    assert after <= before + 1e-12


def test_versions_that_are_liked_alike_show_nothing() -> None:
    found = compare(arm(280, 400, prefix="old"), arm(700, 1000, prefix="new"))
    assert not found.is_shown
    assert found.fall == pytest.approx(0)


def test_a_better_version_is_no_loss() -> None:
    found = compare(arm(120, 400, prefix="old"), arm(900, 1000, prefix="new"))
    assert found.p_value == 1.0
    assert found.fall == pytest.approx(-0.6)


def test_a_large_fall_is_a_loss() -> None:
    found = compare(arm(272, 400, prefix="old"), arm(53, 130, prefix="new"))
    assert found.is_loss
    assert (found.old, found.new) == (Tally(272, 400), Tally(53, 130))


def test_a_small_fall_is_shown_and_no_loss() -> None:
    found = compare(arm(280, 400, prefix="old"), arm(1100, 2000, prefix="new"))
    assert found.is_shown
    assert not found.is_loss


@pytest.mark.parametrize(("old", "new"), [(99, 400), (400, 99), (0, 0), (400, 0), (0, 400)])
def test_below_a_hundred_votes_an_arm_nothing_is_shown(old: int, new: int) -> None:
    assert not compare(arm(old, old, prefix="old"), arm(0, new, prefix="new")).is_shown


def test_the_same_sentences_are_compared_where_there_are_enough() -> None:
    """The new version also gets hard sentences, which the old one was never asked."""
    known = [str(i) for i in range(150)]
    old = cast(*[1] * 150, sentences=known)
    hard = cast(*[-1] * 400, sentences=[f"hard {i}" for i in range(400)])
    found = compare(old, [*hard, *cast(*[1] * 150, sentences=known)])
    assert found.is_paired
    assert (found.old, found.new) == (Tally(150, 150), Tally(150, 150))
    assert not found.is_shown
    assert compare(old, hard).is_loss


def test_a_loss_on_the_same_sentences_is_one() -> None:
    known = [str(i // 3) for i in range(150)]
    old, new = cast(*[1, 1, -1] * 50, sentences=known), cast(*[-1, 1, -1] * 50, sentences=known)
    found = compare(old, new)
    assert found.is_paired
    assert found.is_loss
    assert found.fall == pytest.approx(1 / 3)


def test_another_blank_of_the_same_sentence_is_another_sentence() -> None:
    old = cast(*[1] * 150, sentences=["same"] * 150)
    new = [CountedVote("same", 1, vote.voter_id, vote.value, NOON) for vote in old]
    assert not compare(old, new).is_paired


def test_a_voters_hundred_votes_are_at_most_three_in_ten() -> None:
    eager = cast(*[-1] * 100, voters=[7] * 100)
    others = cast(*[1] * 40, voters=[i % 5 for i in range(40)])
    counted = within_share([*eager, *others], min_voters=2)
    held = Counter(vote.voter_id for vote in counted)
    assert len(counted) == 40 + held[7]
    assert held[7] <= math.ceil(0.3 * len(counted))


def test_nobody_alone_makes_a_hundred_votes() -> None:
    votes = cast(*[-1] * 500, voters=[7] * 500)
    assert len(within_share(votes, min_voters=2)) == 1
    assert within_share(votes, min_voters=1) == votes  # the sandbox, where a newcomer is alone


@pytest.mark.parametrize("voters", [2, 3, 5, 12])
def test_people_who_vote_alike_often_all_count(voters: int) -> None:
    votes = cast(*[1] * 60 * voters, voters=[i // 60 for i in range(60 * voters)])
    assert len(within_share(votes, min_voters=2)) == 60 * voters


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 2))
def test_a_vote_that_counts_goes_on_counting(voters: list[int], min_voters: int) -> None:
    """What counted at one look is the beginning of what counts at the next: else no look would be valid."""
    votes = cast(*[1] * len(voters), voters=voters)
    before: list[CountedVote] = []
    for end in range(len(votes) + 1):
        after = within_share(votes[:end], min_voters=min_voters)
        assert after[: len(before)] == before
        before = after


@pytest.mark.long
def test_false_alarms_are_rarer_than_one_in_a_hundred() -> None:
    rng = np.random.default_rng(1)
    found = watch.all_votes(rng, 0.7, 0.7, old_votes=100, new_votes=200, repeats=500)
    assert watch.share_within(found.shown_at, 200) <= 0.01
    pairs = watch.same_sentences(rng, 0.7, 0.7, spread=0.5, pairs=1000, repeats=1000)
    assert watch.share_within(pairs.shown_at, 1000) <= 0.01


def test_a_fall_of_twenty_points_is_found() -> None:
    rng = np.random.default_rng(2)
    found = watch.all_votes(rng, 0.7, 0.5, old_votes=400, new_votes=300, repeats=40)
    assert watch.share_within(found.acted_at, 300) >= 0.8
    pairs = watch.same_sentences(rng, 0.7, 0.5, spread=0.0, pairs=400, repeats=300)
    assert watch.share_within(pairs.acted_at, 400) >= 0.8
