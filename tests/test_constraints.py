"""What `make` installs is pinned, all of it, so that two machines have the same, and an audit sees it."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
LINES = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in LINES)}
INSTALLER = {"pip", "setuptools", "wheel"}  # what a virtual environment begins with


def installed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """The names of all that a package brings along on this machine, itself included."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    for line in requires(name) or ():
        one = Requirement(line)
        environments = [default_environment() | {"extra": extra} for extra in extras or {""}]
        if one.marker is None or any(one.marker.evaluate(environment) for environment in environments):
            yield from installed(canonicalize_name(one.name), frozenset(one.extras), seen)


@pytest.fixture(scope="module")
def names() -> set[str]:
    return brought_by("dev")


def brought_by(*extras: str) -> set[str]:
    return {*installed("fillbot", frozenset(extras), set())} - {"fillbot"} - INSTALLER


def test_every_line_is_a_pin() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(PINS) == len(LINES)
    assert sorted(LINES, key=str.lower) == LINES


def test_everything_that_is_installed_is_pinned(names: set[str]) -> None:
    assert len(names) > 50
    assert sorted(names - PINS.keys()) == []


def test_what_is_installed_is_what_is_pinned(names: set[str]) -> None:
    different = []
    for name in names & PINS.keys():
        try:
            found = version(name).partition("+")[0]  # torch's build for processors calls itself +cpu
        except PackageNotFoundError:
            continue
        if found != PINS[name]:
            different.append(f"{name} {found} is not {PINS[name]}")
    assert different == []


def test_what_serves_more_than_one_machine_comes_with_its_extra_alone(names: set[str]) -> None:
    cluster = {"ray", "asyncpg", "s3fs", "moto"}
    assert cluster & names == set()
    assert cluster <= {*PINS}
