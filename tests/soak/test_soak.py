"""The parts of the soak that judge: a check that cannot fail is worse than none."""

from datetime import UTC, datetime

import pytest
from soak.ledger import Attempt, Choices, Ledger, Reign, StoredRow, may_answer
from soak.report import bytes_each, growth, quarters, samples_table, slope

MINUTE_APART = [
    {"at_s": 60.0 * n, "life": 1.0, "rss_mb": 100.0 + n, "predictions": 10.0 * n} for n in range(10)
]


def row(*, value: int = 1, via: str = "reaction", word: str = "soft", mask: int = 0) -> StoredRow:
    return StoredRow(1, 7, mask, word, value, via)


def chosen(ledger: Ledger, value: int, *words: str) -> Attempt:
    return ledger.attempt((1, 7), value, [(0, word) for word in words])


def test_the_slope_is_that_of_most_points() -> None:
    points = [(float(x), 2.0 * x) for x in range(20)]
    points[3] = (3.0, 900.0)
    assert slope(points) == pytest.approx(2.0)


def test_one_point_has_no_slope() -> None:
    assert slope([(1.0, 1.0)]) is None


def test_growth_is_that_of_the_longest_life() -> None:
    second = [{"at_s": 600.0, "life": 2.0, "rss_mb": 10.0}, {"at_s": 601.0, "life": 2.0, "rss_mb": 900.0}]
    assert growth([*MINUTE_APART, *second], "rss_mb") == pytest.approx(60.0)


def test_quarters_hold_all_samples_in_order() -> None:
    assert [len(part) for part in quarters(MINUTE_APART)] == [3, 2, 2, 3]


def test_bytes_are_counted_for_each_answer() -> None:
    assert bytes_each(MINUTE_APART, "rss_mb", per="predictions") == pytest.approx(1e5)


def test_the_table_shows_least_middle_and_most() -> None:
    assert "100 / 101 / 102" in samples_table(MINUTE_APART)


@pytest.mark.parametrize(
    ("stored", "lost", "invented"),
    [
        ([row()], 0, 0),
        ([], 1, 0),
        ([row(value=-1)], 1, 1),
        ([row(), row(mask=1)], 1, 1),
    ],
)
def test_a_thumb_is_one_vote_on_each_mask(stored: list[StoredRow], lost: int, invented: int) -> None:
    ledger = Ledger()
    ledger.thumbs[1, 7] = 1
    compared = ledger.compare_thumbs(stored, masks={1: 1})
    assert (len(compared.lost), len(compared.invented)) == (lost, invented)


def test_a_thumb_that_nobody_gave_is_invented() -> None:
    assert Ledger().compare_thumbs([row()], masks={}).invented == [(1, 7)]


def test_what_is_confirmed_must_be_stored() -> None:
    ledger = Ledger()
    ledger.confirm(chosen(ledger, 1, "soft"))
    assert ledger.compare_menus([row(via="menu")]).lost == []
    assert ledger.compare_menus([]).lost == [(1, 7)]


def test_what_is_not_confirmed_may_be_stored_or_not() -> None:
    ledger = Ledger()
    chosen(ledger, 1, "soft")
    for stored in ([], [row(via="menu")]):
        compared = ledger.compare_menus(stored)
        assert [*compared.lost, *compared.invented] == []


def test_choosing_again_withdraws_what_the_menu_said_before() -> None:
    ledger = Ledger()
    ledger.confirm(chosen(ledger, 1, "soft"))
    ledger.confirm(chosen(ledger, -1, "soft", "warm"))
    ledger.confirm(chosen(ledger, -1))
    assert ledger.menus[1, 7] == frozenset({Choices()})


def test_choosing_in_a_menu_that_was_edited_withdraws_nothing() -> None:
    ledger = Ledger()
    ledger.confirm(chosen(ledger, 1, "soft"))
    edited_at = datetime(2026, 1, 1, tzinfo=UTC)
    ledger.confirm(ledger.attempt((1, 7), 1, [(0, "warm")], edited_at))
    both = ledger.compare_menus([row(via="menu"), row(via="menu", word="warm")])
    assert [*both.lost, *both.invented] == []
    assert ledger.compare_menus([row(via="menu", word="warm")]).lost == [(1, 7)]
    ledger.confirm(ledger.attempt((1, 7), 1, [], edited_at))
    assert ledger.compare_menus([row(via="menu")]).invented == []


def test_a_menu_vote_that_nobody_cast_is_invented() -> None:
    assert Ledger().compare_menus([row(via="menu")]).invented == [(1, 7)]


@pytest.mark.parametrize(
    ("version", "asked_s", "replied_s", "is_right"),
    [
        ("v0001", 5.0, 5.1, True),
        ("v0002", 9.9, 10.1, True),  # promoted while it was being answered
        ("v0002", 5.0, 5.1, False),  # not yet
        ("v0001", 12.9, 13.0, True),  # the bot has not looked yet
        ("v0001", 13.1, 13.2, False),  # by now it must have
        ("v0003", 5.0, 5.1, False),  # never
    ],
)
def test_an_answer_is_of_a_champion_of_its_time(
    version: str, asked_s: float, replied_s: float, is_right: bool
) -> None:
    reigns = [Reign("v0001", 0.0, 10.0), Reign("v0002", 10.0, float("inf"))]
    right = may_answer(version, reigns, asked_s=asked_s, replied_s=replied_s, lag_s=3.0)
    assert right == is_right
