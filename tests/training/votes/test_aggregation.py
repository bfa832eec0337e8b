"""Votes → judgements: numbers computed by hand, and properties that hold for all votes."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.votes import aggregation as vote_aggregation
from training.votes.aggregation import (
    HALF_LIFE_DAYS,
    MAX_VOTER_SHARE,
    Consensus,
    Judgement,
    LimitedParts,
    VoteArrays,
    _cap,
    _log_odds,
    aggregate_parts,
    aggregate_votes,
    decay_weights,
)


def consensus_of(votes: list[tuple[int, int, int]]) -> Consensus:
    """From (item, voter, value)."""
    items, voters, values = zip(*votes, strict=True) if votes else ((), (), ())
    return aggregate_votes(items, voters, values)


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
    monkeypatch.setattr("training.votes.aggregation.MAX_ITERATIONS", 1)
    consensus = consensus_of([(0, 0, 1), (0, 1, 1), (0, 2, -1)])
    assert consensus.reliability == pytest.approx([0.8, 0.8, 0.7])
    # Weights: 1, 1 and logit(0.7) / logit(0.8) = 0.8473 / 1.3863 = 0.6112. With three voters each may hold a
    # third; the first two hold 1 of 2.6112, more than 0.8704, so both come down to the third's 0.6112.
    expected = logit(0.7) / logit(0.8)
    assert expected == pytest.approx(0.6112, abs=1e-4)
    assert consensus.up == pytest.approx([2 * expected])
    assert consensus.down == pytest.approx([expected])


def weighted(*votes: tuple[int, int, int, float], min_voters: int = 1) -> Consensus:
    """From (item, voter, value, weight)."""
    items, voters, values, weights = zip(*votes, strict=True)
    return aggregate_votes(items, voters, values, vote_weights=weights, min_voters=min_voters)


def test_a_vote_of_weight_two_is_the_evidence_of_two_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    # One iteration from reliability 0.8: the evidence is (2 − 1) · logit(0.8), so P(wanted) = 0.8. The first
    # agrees by 0.8, which gives 4.8 / 6, the second by 0.2, which gives 4.2 / 6: one observation each.
    monkeypatch.setattr("training.votes.aggregation.MAX_ITERATIONS", 1)
    consensus = weighted((0, 0, 1, 2.0), (0, 1, -1, 1.0))
    assert consensus.reliability == pytest.approx([0.8, 0.7])
    assert list(consensus.voters) == [2]


@pytest.mark.parametrize("weight", [0.5, 2.0, 5.0])
def test_one_voter_is_one_voter_at_any_weight(weight: float) -> None:
    alone = weighted((0, 0, 1, weight), min_voters=2)
    assert (list(alone.voters), list(alone.judged)) == ([1], [False])


def test_a_known_reliability_is_weighted_too() -> None:
    consensus = aggregate_votes(
        [0, 0], [0, 1], [1, -1], reliability=[0.8, 0.8], vote_weights=[2.0, 0.5], max_share=1.0
    )
    assert (consensus.up, consensus.down) == (pytest.approx([2.0]), pytest.approx([0.5]))


def test_a_vote_of_weight_nothing_is_none() -> None:
    consensus = weighted((0, 0, 1, 0.0), (0, 1, 1, 1.0), min_voters=2)
    assert (list(consensus.voters), list(consensus.judged)) == ([1], [False])


def test_the_cap_counts_people_and_weights_apply_on_top() -> None:
    """Of four voters, the first has twenty words: 30 % of all before the weight of 2, twice that with it."""
    votes = [*((item, 0, 1) for item in range(20)), (20, 1, 1), (21, 2, 1), (22, 3, 1)]
    items, voters, values = zip(*votes, strict=True)
    known = [0.8] * 4
    plain = aggregate_votes(items, voters, values, reliability=known)
    weights = [2.0 if voter == 0 else 1.0 for voter in voters]
    heavy = aggregate_votes(items, voters, values, reliability=known, vote_weights=weights)
    assert plain.up[:20].sum() / plain.up.sum() == pytest.approx(0.3)
    assert heavy.weight == pytest.approx(plain.weight)
    assert heavy.up == pytest.approx(plain.up * np.array([2.0] * 20 + [1.0] * 3))


def test_votes_of_weight_nothing_make_no_room_under_the_cap() -> None:
    votes = [(0, 0, 1, 1.0), (1, 1, 1, 1.0), (2, 1, 1, 1.0)]
    without, with_zero = weighted(*votes), weighted(*votes, *((0, voter, 1, 0.0) for voter in range(2, 9)))
    assert with_zero.up == pytest.approx(without.up)


def test_equal_weights_give_what_no_weights_give() -> None:
    votes = [(item, voter, 1 if (item + voter) % 3 else -1) for item in range(6) for voter in range(4)]
    plain, ones = consensus_of(votes), weighted(*((*vote, 1.0) for vote in votes))
    assert (plain.up == ones.up).all()
    assert (plain.reliability == ones.reliability).all()


def test_agreeing_voters_gain_reliability_and_the_odd_one_loses() -> None:
    votes = [(item, voter, 1 if voter < 3 else -1) for item in range(6) for voter in range(4)]
    consensus = consensus_of(votes)
    # By the end the consensus is all but sure: (4 + 6) / 11 for the three, (4 + 0) / 11 for the odd one.
    assert consensus.reliability[:3] == pytest.approx([10 / 11] * 3, abs=0.01)
    assert consensus.reliability[3] == pytest.approx(4 / 11, abs=0.01)


def test_a_proven_contrarian_weighs_zero() -> None:
    votes = [(item, voter, 1 if voter < 4 else -1) for item in range(10) for voter in range(5)]
    consensus = consensus_of([*votes, (10, 4, -1)])
    assert consensus.reliability[4] < 0.5
    assert consensus.down == pytest.approx([0.0] * 11)  # not even without a contradiction
    assert not consensus.judged[10]
    assert list(consensus.voters) == [4] * 10 + [0]  # nor as one of the people that a word needs


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
    capped = _cap(np.array(held), np.ones(len(held)), MAX_VOTER_SHARE)
    assert capped == pytest.approx(np.array(expected))


def test_the_cap_is_on_all_of_a_voters_votes_together() -> None:
    # Weight 1 each; 12 votes of one voter against 2 of four others: 12 > 0.3 · 20, so 8 · 0.3 / 0.7 = 24/7
    # over 12 votes.
    capped = _cap(np.ones(5), np.array([12.0, 2.0, 2.0, 2.0, 2.0]), MAX_VOTER_SHARE)
    assert capped == pytest.approx([24 / 7 / 12, 1, 1, 1, 1])


def test_enough_voters_and_a_margin_are_needed() -> None:
    votes = [
        *((0, 0, 1, 1.0), (0, 1, 1, 1.0)),  # margin 1
        *((1, 0, 1, 1.0),),  # the same, of one voter
        *((2, 0, 1, 1.0), (2, 1, -1, 0.75)),  # 0.25 / 1.75 = 0.14: cancels out
        *((3, 0, 1, 0.75), (3, 1, -1, 0.5)),  # 0.25 / 1.25 = 0.2: just enough
        *((4, 0, 1, 0.0), (4, 1, 1, 0.0)),  # nothing is left of them
        *((5, 0, 1, 1.0), (5, 1, 1, 0.0)),  # of one of them
    ]
    items, voters, values, left = zip(*votes, strict=True)

    def judged(min_voters: int) -> list[bool]:
        consensus = aggregate_votes(
            items,
            voters,
            values,
            reliability=[0.8, 0.8],
            age_weights=left,
            min_voters=min_voters,
            max_share=1.0,
        )
        return list(consensus.judged)

    assert judged(1) == [True, True, False, True, False, True]
    assert judged(2) == [True, False, False, True, False, False]


def test_no_votes() -> None:
    consensus = consensus_of([])
    assert [len(a) for a in (consensus.up, consensus.down, consensus.voters, consensus.reliability)] == [
        0
    ] * 4
    assert len(consensus.judged) == 0


def test_votes_decay_with_age() -> None:
    # Half after each half-life, the last after ten; a vote of the future is fresh.
    left = decay_weights([0, 90, 180, 900, 900.1, -5])
    assert left == pytest.approx([1, 1 / 2, 1 / 4, 1 / 1024, 0, 1])
    assert decay_weights([7], half_life_days=7) == pytest.approx([0.5])


def test_an_em_step_with_an_old_vote_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # One vote of which half is left. The evidence is ½ · logit(0.8), so P(wanted) = 2 / 3; half an
    # observation agrees by that: (4 + ½ · 2/3) / (5 + ½) = 26/33.
    monkeypatch.setattr(vote_aggregation, "MAX_ITERATIONS", 1)
    consensus = aggregate_votes([0], [0], [1], age_weights=[0.5])
    assert consensus.reliability == pytest.approx([26 / 33])
    assert consensus.up == pytest.approx([0.5 * logit(26 / 33) / logit(0.8)])


def test_a_fresh_vote_outweighs_an_old_one() -> None:
    consensus = aggregate_votes([0, 0], [0, 1], [1, -1], age_weights=[1.0, 0.5])
    assert list(consensus.judged) == [False]  # two people hold half each: the cap takes the age away
    votes = [(0, 0, 1, 1.0), (0, 1, -1, 0.25), (1, 1, 1, 0.75), (1, 2, 1, 1.0), (2, 3, 1, 1.0)]
    items, voters, values, left = zip(*votes, strict=True)
    consensus = aggregate_votes(items, voters, values, age_weights=left)
    assert consensus.judged[0]
    assert consensus.up[0] > 3 * consensus.down[0]


def test_votes_weigh_by_known_reliabilities() -> None:
    consensus = aggregate_votes([0, 0, 0], [0, 1, 2], [1, -1, 1], reliability=[0.8, 0.5, 0.8])
    assert (consensus.up, consensus.down) == (pytest.approx([2.0]), [0.0])
    assert consensus.reliability == pytest.approx([0.8, 0.5, 0.8])


def test_known_reliabilities_weigh_as_fitted_ones() -> None:
    votes = [(item, voter, 1 if voter < 3 else -1) for item in range(6) for voter in range(4)]
    items, voters, values = zip(*votes, strict=True)
    fitted = aggregate_votes(items, voters, values)
    weighed = aggregate_votes(items, voters, values, reliability=fitted.reliability)
    assert weighed.up == pytest.approx(fitted.up)
    assert weighed.down == pytest.approx(fitted.down)


def test_a_hundred_votes_of_one_person_give_no_judgement() -> None:
    votes = [(item, voter, 1) for item in range(10) for voter in range(item % 5, item % 5 + 2)]
    alone = [(item, 9, -1) for item in range(10, 110)]
    items, voters, values = zip(*votes, *alone, strict=True)
    consensus = aggregate_votes(items, voters, values, min_voters=2)
    assert list(consensus.judged) == [True] * 10 + [False] * 100
    assert consensus.up[:10] == pytest.approx(aggregate_votes(*zip(*votes, strict=True), min_voters=2).up)


def test_a_hundred_votes_of_one_person_move_no_word_past_the_cap() -> None:
    # Ten people, two a word, wanted; one more votes against on all hundred words.
    votes = [(item, (item + nth) % 10, 1) for item in range(100) for nth in range(2)]
    items, voters, values = zip(*votes, *((item, 10, -1) for item in range(100)), strict=True)
    consensus = aggregate_votes(items, voters, values, reliability=[0.8] * 11, min_voters=2)
    assert consensus.judged.all()
    assert (consensus.up > consensus.down).all()
    assert consensus.down.sum() <= 0.3 * (consensus.up + consensus.down).sum() * (1 + 1e-9)


def test_words_that_are_not_judged_make_no_room_under_the_cap() -> None:
    # The first votes on ten words, each time with one of two others; many people vote alone elsewhere.
    together = [(item, 0, 1) for item in range(10)] + [(item, 1 + item % 2, 1) for item in range(10)]
    alone = [(10 + nth, 3 + nth, 1) for nth in range(50)]
    items, voters, values = zip(*together, *alone, strict=True)
    consensus = aggregate_votes(items, voters, values, reliability=[0.8] * 53, min_voters=2)
    # A third each: 5 votes of one, so half of each of the first's ten.
    assert consensus.weight[:3] == pytest.approx([0.5, 1.0, 1.0])
    assert consensus.up[:10] == pytest.approx([1.5] * 10)


def test_a_judgement_says_which_way() -> None:
    wanted = Judgement("q [MASK].", "h", 0, "cheap", up=2.5, down=1.0, voters=4)
    assert wanted.is_wanted
    unwanted = Judgement("q [MASK].", "h", 0, "cheap", up=1.0, down=2.5, voters=4)
    assert not unwanted.is_wanted


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
    assert consensus.voters.sum() <= len(votes)
    for item in range(len(consensus.up)):
        values = [value for i, _, value in votes if i == item]
        assert consensus.down[item] == 0 or -1 in values
        assert consensus.up[item] == 0 or 1 in values


@given(BALLOTS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_cap_holds_on_judged_items_at_any_age(
    ballots: dict[tuple[int, int], int], min_voters: int, chance: random.Random
) -> None:
    items, voters, values = map(np.array, zip(*numbered(ballots), strict=True))
    left = np.array([chance.choice([0.0, 0.01, 0.5, 1.0]) for _ in items])
    consensus = aggregate_votes(items, voters, values, age_weights=left, min_voters=min_voters)
    on_judged = consensus.judged[items]
    held = np.bincount(voters, weights=consensus.weight[voters] * left * on_judged)
    total = (consensus.up + consensus.down)[consensus.judged].sum()
    assert held.sum() == pytest.approx(total)
    assert (held <= max(0.3, 1 / max((held > 0).sum(), 1)) * total * (1 + 1e-6)).all()
    assert (consensus.voters[consensus.judged] >= min_voters).all()


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=12))
def test_the_cap_holds_and_leaves_voters_below_it_alone(voters: list[tuple[float, int]]) -> None:
    weight = np.array([w if w > 1e-6 else 0.0 for w, _ in voters])
    cast = np.array([float(c) for _, c in voters])
    capped = _cap(weight, cast, MAX_VOTER_SHARE)
    held, before = capped * cast, weight * cast
    active = int((before > 0).sum())
    assert (capped <= weight * (1 + 1e-9)).all()
    if active:
        share = max(0.3, 1 / active)
        assert (held <= share * held.sum() * (1 + 1e-6)).all()
        untouched = before <= share * held.sum() * (1 - 1e-6)
        assert held[untouched] == pytest.approx(before[untouched])


@pytest.mark.filterwarnings("ignore")  # crowd-kit calls pandas by its old names
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_crowd_kit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregation = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is for developers only")
    pandas = pytest.importorskip("pandas")
    chance = np.random.default_rng(seed)
    words, people, votes_a_word = 400, 20, 5
    wanted = chance.choice([-1, 1], words)
    reliability = chance.uniform(0.55, 0.95, people)
    item = np.repeat(np.arange(words), votes_a_word)
    voter = np.concatenate([chance.choice(people, votes_a_word, replace=False) for _ in range(words)])
    value = np.where(chance.random(len(item)) < reliability[voter], wanted[item], -wanted[item])
    frame = pandas.DataFrame({"task": item, "worker": voter, "label": value})
    oracle = aggregation.OneCoinDawidSkene(n_iter=200, tol=1e-9).fit(frame)

    monkeypatch.setattr(vote_aggregation, "MAX_ITERATIONS", 200)
    monkeypatch.setattr(vote_aggregation, "PRIOR_AGREE", 0.004)  # crowd-kit has no prior on reliability,
    monkeypatch.setattr(vote_aggregation, "PRIOR_DISAGREE", 0.001)  # but fits how many words are wanted
    consensus = aggregate_votes(item, voter, value)
    evidence = np.bincount(item, weights=value * _log_odds(consensus.reliability)[voter])
    assert consensus.reliability == pytest.approx(oracle.skills_.sort_index().to_numpy(), abs=0.02)
    assert (np.sign(evidence) == oracle.labels_.sort_index().to_numpy()).mean() > 0.98


def test_where_there_is_no_cap_a_voter_of_many_words_weighs_on_each_as_on_one() -> None:
    items, voters, values = [0, 1, 2, 3, 3], [0, 0, 0, 0, 1], [-1, -1, -1, -1, 1]
    free = aggregate_votes(items, voters, values, reliability=[0.8, 0.8], max_share=1.0)
    assert free.down.tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0])
    capped = aggregate_votes(items, voters, values, reliability=[0.8, 0.8])
    assert capped.down[0] < 0.5


def raid(*, days: float, established: int = 3, raiders: int = 10) -> tuple[LimitedParts, Consensus]:
    """Established voters want word 0 and reject word 1; raiders, who came `days` ago, the opposite."""
    votes = [(item, voter, 1 if item == 0 else -1, 30.0) for voter in range(established) for item in (0, 1)]
    votes += [
        (item, established + voter, -1 if item == 0 else 1, days)
        for voter in range(raiders)
        for item in (0, 1)
    ]
    items, voters, values, ages = zip(*votes, strict=True)
    part = VoteArrays.of(items, voters, values, decay_weights(ages))
    limited = LimitedParts.of([part], half_life_days=HALF_LIFE_DAYS)
    return limited, aggregate_parts(limited, min_voters=2)[0]


def test_a_raid_of_new_accounts_does_not_turn_the_judgements() -> None:
    limited, consensus = raid(days=1.0)
    assert limited.people == 10
    assert consensus.judged.all()
    assert consensus.up[0] > consensus.down[0]
    assert consensus.up[1] < consensus.down[1]


def test_people_who_stay_count_fully_after_a_week() -> None:
    limited, consensus = raid(days=7.5)
    assert limited.people == 0
    assert consensus.up[0] < consensus.down[0]


@pytest.mark.parametrize(("established", "raiders"), [(0, 10), (1, 10), (20, 3)])
def test_a_new_team_and_a_few_new_voters_are_not_limited(established: int, raiders: int) -> None:
    assert raid(days=1.0, established=established, raiders=raiders)[0].people == 0


def test_an_imported_source_is_enough_where_people_must_be_two() -> None:
    """An admin vouches for it. Voter 0 is a source, voter 1 a person."""
    sources = np.array([True, False])
    consensus = aggregate_votes([0, 1], [0, 1], [1, 1], sources=sources, min_voters=2)
    assert consensus.judged.tolist() == [True, False]
    unweighed = aggregate_votes([0], [0], [1], vote_weights=[0.0], sources=sources[:1], min_voters=2)
    assert unweighed.judged.tolist() == [False]


def test_an_imported_source_is_under_the_same_cap_as_a_voter() -> None:
    people = [(item, voter, 1) for item in range(10) for voter in range(4)]
    source = [(item, 4, -1) for item in range(10, 500)]
    items, voters, values = zip(*people, *source, strict=True)
    sources = np.array([False] * 4 + [True])
    consensus = aggregate_votes(items, voters, values, sources=sources, min_voters=2)
    assert consensus.judged.all()
    held = consensus.down.sum() / (consensus.up.sum() + consensus.down.sum())
    assert held == pytest.approx(0.3)


def test_imported_sources_are_no_new_voters_and_do_not_make_a_team_established() -> None:
    """Two people who came today and two sources: of the same age, or long there."""
    items, voters, values = [0] * 4, [0, 1, 2, 3], [1, 1, -1, -1]
    sources = np.array([False, False, True, True])
    for ages in ([0.0] * 4, [0.0, 0.0, 60.0, 60.0]):
        part = VoteArrays.of(items, voters, values, decay_weights(ages))
        limited = LimitedParts.of([part], half_life_days=HALF_LIFE_DAYS, sources=sources)
        assert (limited.people, limited.factor) == (0, 1.0)
    ages = [60.0, 60.0, 0.0, 0.0]  # the people are established, the sources are from today
    part = VoteArrays.of(items, voters, values, decay_weights(ages))
    assert LimitedParts.of([part], half_life_days=HALF_LIFE_DAYS, sources=sources).factor == 1.0
