"""What a fault is, what one try of it found, and the table of all of them.

A fault is a coroutine function that makes its trouble on a home of its own, and says what the bot made of it.
All of its randomness comes from the generator it is given, which is seeded by the seed of the whole run, the
name of the fault and the number of the try: each try can be had again alone.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ANSWERS_AGAIN_S = 10.0  # after the fault has ended
STARTS_AGAIN_S = 30.0  # a killed process under its supervisor


@dataclass(frozen=True, slots=True)
class Found:
    """How one try ended; all zero but the recovery when nothing went wrong.

    Attributes:
        lost_votes: confirmed votes that are not stored, and stored votes that nobody gave.
        half_promoted: versions that serve and are not whole, or that records and registry disagree on.
        wrong_answers: replies with a traceback, of no champion of that time, or none where one was due.
        recovery_s: from the end of the fault to answering again.
    """

    lost_votes: int = 0
    half_promoted: int = 0
    wrong_answers: int = 0
    recovery_s: float = 0.0


Try = Callable[[random.Random, Path], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble: `make faults` tries it `times` times, `make test` once if `is_quick`.

    `is_of_files`: what it breaks is a file of SQLite's.
    """

    name: str
    group: str
    try_once: Try
    times: int
    limit_s: float
    is_quick: bool
    is_of_files: bool


FAULTS: dict[str, Fault] = {}


def fault(
    name: str,
    *,
    group: str,
    times: int,
    limit_s: float = ANSWERS_AGAIN_S,
    is_quick: bool = True,
    is_of_files: bool = False,
) -> Callable[[Try], Try]:
    """Name a fault, so that `make faults` knows it."""

    def add(try_once: Try) -> Try:
        assert name not in FAULTS, f"two faults are called {name!r}"
        FAULTS[name] = Fault(name, group, try_once, times, limit_s, is_quick, is_of_files)
        return try_once

    return add


def chance(seed: int, fault_name: str, number: int) -> random.Random:
    """The randomness of one try."""
    return random.Random(f"{seed} {fault_name} {number}")


@dataclass(slots=True)
class Row:
    """One line of the table."""

    fault: Fault
    found: list[Found] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)  # tries that ended in an error of their own

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, and all of it in time."""
        return not self.broken and all(
            not (one.lost_votes or one.half_promoted or one.wrong_answers)
            and one.recovery_s <= self.fault.limit_s
            for one in self.found
        )

    def cells(self) -> Sequence[str]:
        """What stands in the table."""
        longest = max((one.recovery_s for one in self.found), default=0.0)
        return (
            self.fault.name,
            str(len(self.found) + len(self.broken)),
            str(sum(one.lost_votes for one in self.found)),
            str(sum(one.half_promoted for one in self.found)),
            str(sum(one.wrong_answers for one in self.found)),
            f"{longest:.1f} s of {self.fault.limit_s:.0f}",
            "" if self.is_good else "✗ " + ", ".join(f"try {number} broke" for number in self.broken),
        )


HEAD = ("fault", "times", "lost votes", "half-promoted", "wrong answers", "longest recovery", "")


def table(rows: Iterable[Row]) -> str:
    """The faults, one a line."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
