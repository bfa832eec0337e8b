"""Team-draft interleaving."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.proof.interleaving import Pick, team_draft

WORDS = st.permutations("abcdefgh").map(lambda words: words[:5])


def drafted(champion: str, challenger: str, coins: str, *, size: int = 5) -> list[Pick[str]]:
    """`coins` says for each pair which model picks first: N for the challenger, O for the champion."""
    tosses = iter(coins)
    return team_draft(champion, challenger, size=size, name=str, coin=lambda: next(tosses) == "N")


def test_the_models_pick_in_turn_and_the_coin_decides_who_is_first() -> None:
    picks = drafted("abcde", "vwxyz", "NON")
    assert "".join(pick.item for pick in picks) == "vabwx"
    assert [pick.by for pick in picks] == [
        "challenger",
        "champion",
        "champion",
        "challenger",
        "challenger",
    ]


def test_a_word_that_is_there_already_is_passed_over() -> None:
    picks = drafted("abcde", "bavwx", "ON", size=4)
    assert [(pick.item, pick.by) for pick in picks] == [
        ("a", "champion"),
        ("b", "challenger"),
        ("v", "challenger"),
        ("c", "champion"),
    ]


def test_a_word_that_both_would_pick_is_shared() -> None:
    picks = drafted("abc", "abd", "NO", size=3)
    assert [(pick.item, pick.is_shared) for pick in picks] == [("a", True), ("b", True), ("c", False)]


def test_equal_lists_stay_as_they_are() -> None:
    picks = drafted("abcde", "abcde", "NNN")
    assert "".join(pick.item for pick in picks) == "abcde"
    assert all(pick.is_shared for pick in picks)


def test_a_short_list_is_filled_from_the_other() -> None:
    assert "".join(pick.item for pick in drafted("a", "vwx", "OOO", size=4)) == "avwx"
    assert drafted("", "", "O") == []


@given(WORDS, WORDS, st.integers())
def test_each_word_comes_once_and_from_the_model_that_is_named(
    champion: list[str], challenger: list[str], seed: int
) -> None:
    rng = random.Random(seed)
    picks = team_draft(champion, challenger, size=5, name=str, coin=lambda: rng.random() < 0.5)
    assert len({pick.item for pick in picks}) == len(picks) == 5
    for pick in picks:
        assert pick.item in (champion if pick.by == "champion" else challenger)
    both = Counter(pick.by for pick in picks[:4])
    assert both == {"champion": 2, "challenger": 2}


@given(WORDS, WORDS, st.integers())
def test_exchanging_the_models_and_the_coin_exchanges_the_credit(
    champion: list[str], challenger: list[str], seed: int
) -> None:
    """So neither model has an advantage."""
    tosses = [random.Random(seed).random() < 0.5 for _ in range(3)]
    one, other = iter(tosses), iter(tosses)
    picks = team_draft(champion, challenger, size=5, name=str, coin=lambda: next(one))
    mirrored = team_draft(challenger, champion, size=5, name=str, coin=lambda: not next(other))
    assert [(p.item, p.by, p.is_shared) for p in picks] == [
        (p.item, "champion" if p.by == "challenger" else "challenger", p.is_shared) for p in mirrored
    ]
