"""Votes → the table of judgements."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.answering.vote_adjustment import VoteRules
from bot.features.export import StandingVotes, to_csv

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def chunk(*votes: tuple[str, str, int, str, int], weight: float = 1.0) -> dict[str, list[Any]]:
    """(query, word, voter, via, value), a minute apart."""
    return {
        "prediction_id": [1] * len(votes),
        "query_hash": [vote[0].lower() for vote in votes],
        "mask_index": [0] * len(votes),
        "word": [vote[1] for vote in votes],
        "voter_id": [vote[2] for vote in votes],
        "via": [vote[3] for vote in votes],
        "value": [vote[4] for vote in votes],
        "cast_at": [NOON + timedelta(minutes=number) for number in range(len(votes))],
        "weight": [weight] * len(votes),
    }


def rows_of(
    *votes: tuple[str, str, int, str, int], min_voters: int = 1, weight: float = 1.0
) -> list[tuple[Any, ...]]:
    standing = StandingVotes({"q": "Q"})
    standing.add(chunk(*votes, weight=weight))
    return standing.judged(VoteRules(min_voters, 90, NOON))


def test_nothing_gives_no_rows() -> None:
    assert rows_of() == []


def test_one_vote_a_voter_counts_a_menu_before_a_reaction_and_then_the_latest() -> None:
    (row,) = rows_of(("Q", "a", 1, "menu", 1), ("Q", "a", 1, "reaction", -1), ("Q", "a", 1, "menu", 1))
    assert row[:3] == ("Q", 0, "a")
    assert row[3] > row[4] == 0
    assert (row[5], row[6]) == (1, NOON + timedelta(minutes=2))


def test_votes_count_by_their_weight_and_voters_by_heads() -> None:
    votes = (("Q", "a", 1, "menu", 1), ("Q", "a", 2, "menu", 1))
    (usual,), (heavy,) = rows_of(*votes), rows_of(*votes, weight=2.0)
    assert heavy[3] >= 2 * usual[3] > 0
    assert heavy[5] == usual[5] == 2
    assert rows_of(votes[0], min_voters=2, weight=5.0) == []


def test_what_is_not_judged_and_what_may_not_be_shown_is_left_out() -> None:
    votes = (("Q", "a", 1, "menu", 1), ("Q", "b", 1, "menu", 1), ("Q", "b", 2, "menu", 1))
    assert [row[2] for row in rows_of(*votes, min_voters=2)] == ["b"]
    assert rows_of(("Other", "a", 1, "menu", 1)) == []


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0+", "\ufeff@", "\u200b=", "＝", "＋", "－", "＠"],
)
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(start: str) -> None:
    table = to_csv([(f"{start}1+1", 0, f"{start}x", 1.5, -0.5, 2, NOON)]).decode("utf-8-sig")
    cells = table.split("\r\n")[1] if start != "\r" else table
    assert f"'{start}1+1" in cells
    assert f"'{start}x" in cells
    assert ",-0.5,2,2026-03-01T12:00:00+00:00" in table  # a number is one
