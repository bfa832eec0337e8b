"""The plot of a team's votes by day and version, from none to very many."""

from datetime import date, timedelta

import pytest
from matplotlib.figure import Figure
from support.pictures import covering, cut, said

from training.reports.plots.style import in_style
from training.reports.plots.vote_stats import VoteStats, interval, vote_stats_figure

TODAY = date(2026, 3, 10)


def drawn(votes: list[tuple[int, int]], versions: list[tuple[str, int, int]]) -> Figure:
    first = TODAY - timedelta(days=len(votes) - 1)
    days = [[(first + timedelta(days=n)).isoformat(), *of_day] for n, of_day in enumerate(votes)]
    with in_style():
        figure = vote_stats_figure(VoteStats.model_validate({"days": days, "versions": versions}))
        figure.draw_without_rendering()
        return figure


def test_thumbs_are_stacked_by_day() -> None:
    figure = drawn([(3, 1), (0, 0), (2, 5)], [("v0002", 3, 4)])
    bars = figure.axes[0].patches
    assert [(bar.get_y(), bar.get_height()) for bar in bars] == [
        (0, 3),
        (0, 0),
        (0, 2),
        (3, 1),
        (0, 0),
        (2, 5),
    ]
    text = said(figure)
    assert "thumbs up: 5" in text
    assert "thumbs down: 6" in text
    assert "10 Mar" in text
    assert "75% of 4" in text


def test_the_interval_is_wilsons() -> None:
    # By hand, 3 of 4, z = 1.96: centre (0.75 + 0.4802) / 1.9604, half 1.96 √(0.046875 + 0.060025) / 1.9604.
    assert interval(3, 4) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert interval(0, 1)[0] == 0.0
    assert interval(1, 1)[1] == 1.0


@pytest.mark.parametrize(
    ("votes", "versions"),
    [
        ([(0, 0)] * 30, []),
        ([(0, 0)] * 29 + [(0, 1)], [("v0001", 0, 1)]),
        ([(40_000, 15_000)] * 300, [(f"v{n:09d}", 999_999, 1_000_000) for n in range(8)]),
        ([(1, 1)], [("v0001", 1, 1)]),
    ],
    ids=["none", "one vote", "300 days", "one day"],
)
def test_no_text_is_cut_or_covered(
    votes: list[tuple[int, int]], versions: list[tuple[str, int, int]]
) -> None:
    figure = drawn(votes, versions)
    assert cut(figure) == []
    assert covering(figure) == []
