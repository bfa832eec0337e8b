"""The watch after promotion, simulated: false alarms, and how soon a fall is found.

    PYTHONPATH=.:tests python tests/benchmarks/watch.py            the tables of docs/learning.md, in minutes
    PYTHONPATH=.:tests python tests/benchmarks/watch.py --repeats 200

Every run looks after every new vote, from the hundredth to the two thousandth.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from bot.runs.approval_comparison import ALPHA, MIN_FALL, MIN_VOTES, Tally, p_value, paired_p_value

NEW_VOTES = 2000
OLD_VOTES = (100, 200, 400, 1000)
APPROVALS = (0.3, 0.5, 0.7, 0.9)
WITHIN = (100, 200, 400, 800, 2000)
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Alarms:
    """Per repeat, the number of new votes at the first alarm; more than all where there was none.

    `shown_at`: approval is shown to have fallen. `acted_at`: and the fall is large enough to roll back.
    """

    shown_at: Ints  # (repeats,)
    acted_at: Ints  # (repeats,)


def all_votes(
    rng: np.random.Generator, old: float, new: float, *, old_votes: int, new_votes: int, repeats: int
) -> Alarms:
    """Votes on any sentences: both arms are drawn, the old one once, the new one vote by vote."""
    liked_before = rng.binomial(old_votes, old, size=repeats)  # (repeats,)
    liked = np.cumsum(rng.random((repeats, new_votes)) < new, axis=1)  # (repeats, new_votes)
    limits = np.array([_limits(int(k), old_votes, new_votes) for k in liked_before])  # the same
    shown = liked <= limits
    fall = liked_before[:, None] / old_votes - liked / np.arange(1, new_votes + 1)
    return Alarms(_first(shown), _first(shown & (fall >= MIN_FALL)))


def same_sentences(
    rng: np.random.Generator, old: float, new: float, *, spread: float, pairs: int, repeats: int
) -> Alarms:
    """Pairs of votes, each pair on a sentence of its own approval.

    Args:
        rng: where the votes come from.
        old, new: mean approval of each version.
        spread: of the sentences' approvals: 0 for none, 1 for sentences that all or none like.
        pairs: at most.
        repeats: runs.
    """
    better = rng.random((repeats, pairs)) < old  # a sentence whose words people like, more or less
    before, after = ((1 - spread) * mean + spread * better for mean in (old, old))
    after = np.clip(after - (old - new), 0.0, 1.0)
    before, after = (rng.random((repeats, pairs)) < chance for chance in (before, after))
    worse, improved = np.cumsum(before & ~after, axis=1), np.cumsum(~before & after, axis=1)
    limits = np.array([_most_improved(k) for k in range(pairs + 1)])  # (pairs + 1,)
    looked = np.arange(1, pairs + 1)
    shown = (improved <= limits[worse]) & (looked >= MIN_VOTES)
    return Alarms(_first(shown), _first(shown & ((worse - improved) / looked >= MIN_FALL)))


def share_within(first: Ints, votes: int) -> float:
    """The share of repeats with an alarm by then."""
    return float((first <= votes).mean())


def _first(alarm: npt.NDArray[np.bool_]) -> Ints:
    first: Ints = np.where(alarm.any(axis=1), alarm.argmax(axis=1) + 1, alarm.shape[1] + 1)
    return first


@cache
def _limits(liked_before: int, old_votes: int, new_votes: int) -> Ints:
    """Per number of new votes, the most 👍 that still show a fall; −1 for none. (new_votes,)

    One more vote allows the same number of 👍 or one more, so that the limit is followed rather than sought.
    """
    old, limits, most = Tally(liked_before, old_votes), np.full(new_votes, -1), -1
    for votes in range(MIN_VOTES, new_votes + 1):
        while most < votes and 2 * p_value(old, Tally(most + 1, votes)) <= ALPHA:
            most += 1
        limits[votes - 1] = most
    return limits


@cache
def _most_improved(worse: int) -> int:
    """The most pairs that improved beside so many that got worse and still show a fall; −1 for none."""
    improved = -1
    while 2 * paired_p_value(worse, improved + 1) <= ALPHA:
        improved += 1
    return improved


def _false_alarms(repeats: int) -> Iterator[str]:
    yield "| approval of both | votes on the previous champion | a fall is shown | rolled back |"
    yield "|---|---|---|---|"
    for old_votes in OLD_VOTES:
        for mean in APPROVALS:
            rng = np.random.default_rng([0, old_votes, round(10 * mean)])
            found = all_votes(rng, mean, mean, old_votes=old_votes, new_votes=NEW_VOTES, repeats=repeats)
            shares = (share_within(first, NEW_VOTES) for first in (found.shown_at, found.acted_at))
            yield f"| {mean:.0%} | {old_votes} | " + " | ".join(f"{share:.2%}" for share in shares) + " |"
    for mean in APPROVALS:
        for spread in (0.0, 0.5):
            rng = np.random.default_rng([1, round(10 * mean), round(10 * spread)])
            found = same_sentences(rng, mean, mean, spread=spread, pairs=NEW_VOTES, repeats=repeats)
            shares = (share_within(first, NEW_VOTES) for first in (found.shown_at, found.acted_at))
            name = f"same sentences, spread {spread:g}"
            yield f"| {mean:.0%} | {name} | " + " | ".join(f"{share:.2%}" for share in shares) + " |"


def _found(repeats: int) -> Iterator[str]:
    yield "| approval | votes on the previous champion | " + " | ".join(f"within {n}" for n in WITHIN) + " |"
    yield "|---" * (2 + len(WITHIN)) + "|"
    for fall in (0.1, 0.2, 0.3):
        for old_votes in OLD_VOTES:
            for mean in APPROVALS:
                if mean <= fall:
                    continue
                rng = np.random.default_rng([2, old_votes, round(10 * mean), round(10 * fall)])
                found = all_votes(
                    rng, mean, mean - fall, old_votes=old_votes, new_votes=NEW_VOTES, repeats=repeats
                )
                shares = " | ".join(f"{share_within(found.acted_at, n):.0%}" for n in WITHIN)
                yield f"| {mean:.0%} → {mean - fall:.0%} | {old_votes} | {shares} |"
        for mean in APPROVALS:
            if mean > fall:
                rng = np.random.default_rng([3, round(10 * mean), round(10 * fall)])
                found = same_sentences(rng, mean, mean - fall, spread=0.0, pairs=400, repeats=repeats)
                shares = " | ".join(f"{share_within(found.acted_at, n):.0%}" for n in WITHIN if n <= 400)
                yield f"| {mean:.0%} → {mean - fall:.0%} | same sentences, up to 400 pairs | {shares} | | |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Simulate the watch after promotion.")
    parser.add_argument("--repeats", type=int, default=2000, help="simulated promotions a row")
    repeats = parser.parse_args().repeats
    for table in (_false_alarms(repeats), _found(repeats)):
        for line in table:
            print(line, flush=True)  # noqa: T201  what it is for
        print()  # noqa: T201


if __name__ == "__main__":
    main()
