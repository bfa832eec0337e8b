"""What `make test-cluster` installs is pinned too."""

from test_constraints import PINS, brought_by


def test_everything_that_the_extra_brings_is_pinned() -> None:
    names = brought_by("dev", "cluster", "cluster-dev")
    assert "ray" in names
    assert sorted(names - PINS.keys()) == []
