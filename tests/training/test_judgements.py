"""Votes → judgements: golden numbers by hand, and what holds whatever the votes."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.judgements import Consensus, Judgement, _capped, judge


def consensus_of(votes: list[tuple[int, int, int]]) -> Consensus:
    """From (item, voter, value)."""
    items, voters, values = zip(*votes, strict=True) if votes else ((), (), ())
    return judge(items, voters, values)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_one_vote_of_a_new_voter_weighs_one() -> None:
    # Reliability starts at 4 / 5. The vote makes the word wanted with 0.8 = its voter's reliability, so the
    # voter agrees with the consensus by 0.8: (4 + 0.8) / (5 + 1) = 0.8. A fixed point; the weight is
    # logit / logit = 1.
    consensus = consensus_of([(0, 0, 1)])
    assert consensus.reliability == pytest.approx([0.8])
    assert (consensus.up, consensus.down, consensus.voters) == (pytest.approx([1.0]), [0.0], [1])


def test_an_em_step_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three voters on one word, two for, one against. One iteration from reliability 0.8 each: the evidence
    # is (1 + 1 − 1) · logit(0.8), so P(wanted) = 0.8; who is for agrees by 0.8, which gives 4.8 / 6 = 0.8;
    # who is against agrees by 0.2, which gives 4.2 / 6 = 0.7.
    monkeypatch.setattr("training.judgements.MAX_ITERATIONS", 1)
    consensus = consensus_of([(0, 0, 1), (0, 1, 1), (0, 2, -1)])
    assert consensus.reliability == pytest.approx([0.8, 0.8, 0.7])
    # Weights: 1, 1 and logit(0.7) / logit(0.8) = 0.8473 / 1.3863 = 0.6112. With three voters each may hold a
    # third; the first two hold 1 of 2.6112, more than 0.8704, so both come down to the third's 0.6112.
    expected = logit(0.7) / logit(0.8)
    assert expected == pytest.approx(0.6112, abs=1e-4)
    assert consensus.up == pytest.approx([2 * expected])
    assert consensus.down == pytest.approx([expected])


def test_agreeing_voters_gain_reliability_and_the_odd_one_loses() -> None:
    votes = [(item, voter, 1 if voter < 3 else -1) for item in range(6) for voter in range(4)]
    consensus = consensus_of(votes)
    # By the end the consensus is all but sure: (4 + 6) / 11 for the three, (4 + 0) / 11 for the odd one.
    assert consensus.reliability[:3] == pytest.approx([10 / 11] * 3, abs=0.01)
    assert consensus.reliability[3] == pytest.approx(4 / 11, abs=0.01)


def test_a_proven_contrarian_counts_nothing_and_not_negative() -> None:
    votes = [(item, voter, 1 if voter < 4 else -1) for item in range(10) for voter in range(5)]
    consensus = consensus_of([*votes, (10, 4, -1)])
    assert consensus.reliability[4] < 0.5
    assert consensus.down == pytest.approx([0.0] * 11)  # not even where nobody contradicts
    assert not consensus.counts(min_voters=1)[10]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        # One voter may hold everything, two half each, three a third each: 1 / voters where that is more.
        ([5.0], [5.0]),
        ([9.0, 1.0], [1.0, 1.0]),
        ([9.0, 2.0, 1.0], [1.0, 1.0, 1.0]),
        # Four: 30 %. 10 of 13 is too much; 3 others make 70 %, so the first gets 3 · 0.3 / 0.7.
        ([10.0, 1.0, 1.0, 1.0], [9 / 7, 1.0, 1.0, 1.0]),
        # Two too many at once: the others' 3 make 40 %, so 2.25 each.
        ([100.0, 50.0, 1.0, 1.0, 1.0], [2.25, 2.25, 1.0, 1.0, 1.0]),
        # One after the other: capping the first makes the second too much. 30 is 40 %, so both 22.5.
        ([100.0, 30.0, 10.0, 10.0, 10.0], [22.5, 22.5, 10.0, 10.0, 10.0]),
        ([1.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 5),
        # Who weighs nothing is no voter: two are left, half each.
        ([4.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]),
    ],
)
def test_no_voter_holds_more_than_a_share(held: list[float], expected: list[float]) -> None:
    capped = _capped(np.array(held), np.ones(len(held), dtype=np.int64))
    assert capped == pytest.approx(np.array(expected))


def test_the_cap_is_on_all_of_a_voters_votes_together() -> None:
    # Weight 1 each; 12 votes of one voter against 2 of four others: 12 > 0.3 · 20, so 8 · 0.3 / 0.7 = 24/7
    # over 12 votes.
    capped = _capped(np.ones(5), np.array([12, 2, 2, 2, 2]))
    assert capped == pytest.approx([24 / 7 / 12, 1, 1, 1, 1])


def test_enough_voters_and_a_margin_are_needed() -> None:
    consensus = Consensus(
        up=np.array([2.0, 1.0, 1.2, 1.5, 0.0]),
        down=np.array([0.0, 0.0, 1.0, 1.0, 0.0]),
        voters=np.array([2, 1, 2, 2, 2]),
        reliability=np.array([]),
    )
    # Margins: 1, 1, 0.2 / 2.2 = 0.09 (cancels out), 0.5 / 2.5 = 0.2 (just enough), nothing at all.
    assert list(consensus.counts(min_voters=2)) == [True, False, False, True, False]
    assert list(consensus.counts(min_voters=1)) == [True, True, False, True, False]


def test_no_votes() -> None:
    consensus = consensus_of([])
    assert [len(a) for a in (consensus.up, consensus.down, consensus.voters, consensus.reliability)] == [
        0
    ] * 4
    assert len(consensus.counts(min_voters=1)) == 0


def test_a_judgement_says_which_way_and_how_firmly() -> None:
    wanted = Judgement("q [MASK].", "h", 0, "cheap", up=2.5, down=1.0, voters=4)
    assert (wanted.is_wanted, wanted.firmness) == (True, 1.5)
    unwanted = Judgement("q [MASK].", "h", 0, "cheap", up=1.0, down=2.5, voters=4)
    assert (unwanted.is_wanted, unwanted.firmness) == (False, 1.5)


# One vote a voter and item, as the database has it.
BALLOTS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 6)), st.sampled_from([-1, 1]), min_size=1, max_size=30
)


def numbered(ballots: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    """With items and voters numbered without gaps."""
    items = {item: n for n, item in enumerate(sorted({item for item, _ in ballots}))}
    voters = {voter: n for n, voter in enumerate(sorted({voter for _, voter in ballots}))}
    return [(items[item], voters[voter], value) for (item, voter), value in ballots.items()]


@given(BALLOTS, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(
    ballots: dict[tuple[int, int], int], shuffler: random.Random
) -> None:
    votes = numbered(ballots)
    shuffled = votes.copy()
    shuffler.shuffle(shuffled)
    first, second = consensus_of(votes), consensus_of(shuffled)
    assert first.up == pytest.approx(second.up)
    assert first.down == pytest.approx(second.down)
    assert first.reliability == pytest.approx(second.reliability)


@given(BALLOTS)
def test_swapping_for_and_against_swaps_the_judgement(ballots: dict[tuple[int, int], int]) -> None:
    votes = numbered(ballots)
    first = consensus_of(votes)
    second = consensus_of([(item, voter, -value) for item, voter, value in votes])
    assert first.up == pytest.approx(second.down)
    assert first.down == pytest.approx(second.up)


@given(BALLOTS)
def test_what_holds_for_any_votes(ballots: dict[tuple[int, int], int]) -> None:
    votes = numbered(ballots)
    consensus = consensus_of(votes)
    assert (consensus.up >= 0).all()
    assert (consensus.down >= 0).all()
    assert ((consensus.reliability > 0) & (consensus.reliability < 1)).all()
    assert consensus.voters.sum() == len(votes)
    for item in range(len(consensus.up)):
        values = [value for i, _, value in votes if i == item]
        assert consensus.down[item] == 0 or -1 in values
        assert consensus.up[item] == 0 or 1 in values


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=12))
def test_the_cap_holds_and_takes_from_nobody_below_it(voters: list[tuple[float, int]]) -> None:
    weight = np.array([w if w > 1e-6 else 0.0 for w, _ in voters])
    cast = np.array([c for _, c in voters])
    capped = _capped(weight, cast)
    held, before = capped * cast, weight * cast
    active = int((before > 0).sum())
    assert (capped <= weight * (1 + 1e-9)).all()
    if active:
        share = max(0.3, 1 / active)
        assert (held <= share * held.sum() * (1 + 1e-6)).all()
        untouched = before <= share * held.sum() * (1 - 1e-6)
        assert held[untouched] == pytest.approx(before[untouched])
