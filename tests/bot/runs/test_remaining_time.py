"""Seconds left of a run, by hand."""

from bot.runs.remaining_time import RemainingTime


def test_nothing_is_known_of_the_first_run_before_a_step_can_be_counted() -> None:
    left = RemainingTime(100.0)
    assert left.estimate("checking", 0, 0, 105.0) is None
    assert left.estimate("training", 0, 50, 106.0) is None


def test_a_step_goes_on_as_fast_as_so_far() -> None:
    left = RemainingTime(100.0)
    left.estimate("checking", 0, 0, 101.0)
    left.estimate("training", 0, 50, 110.0)
    assert left.estimate("training", 10, 50, 120.0) == 40.0


def test_a_new_step_is_timed_from_its_own_beginning() -> None:
    left = RemainingTime(0.0)
    left.estimate("training", 50, 50, 60.0)
    left.estimate("judging", 0, 4, 60.0)
    assert left.estimate("judging", 1, 4, 70.0) == 30.0


def test_earlier_runs_tell_what_comes_after_the_step() -> None:
    left = RemainingTime(0.0, earlier_s=[80.0, 100.0, 900.0])
    assert left.estimate("checking", 0, 0, 10.0) == 90.0
    left.estimate("training", 0, 10, 20.0)
    assert left.estimate("training", 9, 10, 38.0) == 62.0


def test_a_run_that_takes_longer_than_earlier_ones_goes_by_its_step() -> None:
    left = RemainingTime(0.0, earlier_s=[10.0])
    left.estimate("training", 0, 10, 20.0)
    assert left.estimate("training", 5, 10, 30.0) == 10.0
    assert left.estimate("saving", 0, 0, 40.0) is None
