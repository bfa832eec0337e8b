"""What is fuzzed: a target takes inputs that hypothesis builds, and raises where one is too much."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy

Check = Callable[..., None]
PHASES = (Phase.generate, Phase.shrink)
CHUNK = 20_000  # inputs; hypothesis remembers those of one chunk so as not to try one twice


@dataclass(frozen=True, slots=True)
class Target:
    """`make fuzz` gives it `inputs`, `make test` gives it `quick`; `opened` sets up what the check needs."""

    name: str
    checked: str
    inputs: int
    quick: int
    given: dict[str, SearchStrategy[Any]]
    opened: Callable[[Path], AbstractContextManager[Check]]


TARGETS: dict[str, Target] = {}


def target(
    name: str, *, checked: str, inputs: int, quick: int = 60, **given: SearchStrategy[Any]
) -> Callable[[Check], Check]:
    """Name a check of pure code."""

    def add(check: Check) -> Check:
        opened_target(name, checked=checked, inputs=inputs, quick=quick, **given)(
            lambda _: contextlib.nullcontext(check)
        )
        return check

    return add


def opened_target(
    name: str, *, checked: str, inputs: int, quick: int = 60, **given: SearchStrategy[Any]
) -> Callable[[Callable[[Path], AbstractContextManager[Check]]], Any]:
    """Name a check that needs something running, or a folder."""

    def add(opened: Callable[[Path], AbstractContextManager[Check]]) -> Any:
        assert name not in TARGETS, f"two targets are called {name!r}"
        TARGETS[name] = Target(name, checked, inputs, quick, given, opened)
        return opened

    return add


def fuzz(target: Target, check: Check, *, inputs: int, seed: int) -> int:
    """Give a check that many inputs. Returns how many it got; raises what it raised, on the least input."""
    given, number = 0, 0
    while given < inputs:

        def counted(**values: Any) -> None:
            nonlocal given
            given += 1
            check(**values)

        settings = hypothesis.settings(
            max_examples=min(CHUNK, inputs - given),
            deadline=None,
            database=None,
            derandomize=False,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        before = given
        settings(hypothesis.seed(f"{seed} {number}")(hypothesis.given(**target.given)(counted)))()
        number += 1
        if given == before or (given - before < 100 and inputs - given > 100):
            break  # there are no more inputs
    return given
