"""The live proof, simulated: false promotions, how soon a gain is found, and what the watch needs instead.

    PYTHONPATH=.:tests python tests/benchmarks/proof.py            the tables of docs/learning.md, in minutes
    PYTHONPATH=.:tests python tests/benchmarks/proof.py --repeats 200

Each query has 20 words, of which the team wants about a third. A model ranks them by how well it knows the
taste, and by a noise that two models have in common in part. How well it knows the taste is set so that half
of the champion's five shown words are wanted, and a given share more of the challenger's. People judge a word
as the team does nine times out of ten. Drawing, credits and test are those of the bot.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import numpy.typing as npt

from bot.proof.evidence import Credit, Score, decided_answers
from bot.proof.interleaving import team_draft
from bot.runs.approval_comparison import ALPHA as WATCH_ALPHA
from bot.runs.approval_comparison import MIN_VOTES, Tally, p_value

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS, WANTED, SHOWN = 20, 0.35, 5
PRECISION = 0.5  # of the champion, at the shown words
ACCURACY = 0.9  # share of votes that agree with the team
MOST = 1000  # decided answers of a proof
ANSWERS = 12_000  # drawn for each case; repeats draw from these with replacement
HABITS = ("menu", "glance", "top1", "mixed")
COMMON = {"little": 0.5, "much": 0.8, "nearly all": 0.95}  # share of the noise that both models have
WITHIN = (100, 200, 400, 1000)
OLD_VOTES = 400  # on the champion before, which the watch compares with
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """Two models and the people who vote on them.

    Attributes:
        gain: How much more of the challenger's shown words are wanted; may be negative.
        common: Share of the noise that both models have in common.
        habit: menu: people rate every word; glance: the word at place r with probability 1 / r; top1: the
            first word alone; mixed: a third each.
        is_as_drawn: Whether words that both models would pick are credited to the one that the coin chose.
    """

    gain: float
    common: float
    habit: str
    is_as_drawn: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """What answers of a case come to.

    Attributes:
        outcomes: 1 where the challenger wins, −1 where the champion does, 0 for a tie: (answers,).
        votes: Votes on an answer, on average.
        overlap: Shown words that both models have, on average.
    """

    outcomes: npt.NDArray[np.int64]
    votes: float
    overlap: float


@cache
def drawn(case: Case, *, answers: int = ANSWERS) -> Drawn:
    """Draw the answers of a case, and let one person vote on each."""
    rng = np.random.default_rng(
        [round(1000 * abs(case.gain)), round(100 * case.common), HABITS.index(case.habit)]
    )
    wanted = rng.random((answers, WORDS)) < WANTED
    shared, *own = rng.normal(size=(3, answers, WORDS))
    noises = [math.sqrt(case.common) * shared + math.sqrt(1 - case.common) * each for each in own]
    champion = _ranked(wanted, noises[0], PRECISION)
    challenger = _ranked(wanted, noises[1], PRECISION + case.gain)
    outcomes, votes = np.zeros(answers, dtype=np.int64), 0
    for i in range(answers):
        picks = team_draft(
            champion[i], challenger[i], size=SHOWN, name=str, coin=lambda: bool(rng.random() < 0.5)
        )
        signs = {"champion": -1, "challenger": 1}
        credits_ = []
        for place in _looked_at(case.habit, rng):
            is_liked = bool(wanted[i, picks[place].item]) == (rng.random() < ACCURACY)
            votes += 1
            if case.is_as_drawn or not picks[place].is_shared:
                credits_.append(Credit(i, 0, signs[picks[place].by] * (1 if is_liked else -1), NOON))
        outcomes[i] = sum(1 if answer.is_win else -1 for answer in decided_answers(credits_))
    both = np.mean([len({*a[:SHOWN]} & {*b[:SHOWN]}) for a, b in zip(champion, challenger, strict=True)])
    if not case.gain:  # the models are equal, but what was drawn of them differs by chance
        outcomes = np.concatenate([outcomes, -outcomes])
    return Drawn(outcomes, votes / answers, float(both))


def ends_of(case: Case, rng: np.random.Generator, *, repeats: int) -> list[tuple[str, int, int]]:
    """Run proofs. Per repeat: how it ended, after how many decided answers, and after how many answers."""
    outcomes, found = drawn(case).outcomes, []
    for _ in range(repeats):
        wins = losses = answers = 0
        end = None
        while end is None:
            for outcome in rng.choice(outcomes, size=500):
                answers += 1
                if not outcome:
                    continue
                wins, losses = wins + (outcome > 0), losses + (outcome < 0)
                if (end := _conclusion(wins, losses)) is not None:
                    break
        found.append((end, wins + losses, answers))
    return found


@cache
def _conclusion(wins: int, losses: int) -> str | None:
    return Score(wins, losses).conclusion(most=MOST)


def watch_votes(gain: float, *, repeats: int, most: int = 4000) -> tuple[float, float]:
    """Return the share of repeats in which the watch shows a fall of `gain`, and the median of new votes.

    The median is infinite if it finds less than half. The watch can only find that the new champion is worse,
    after everybody had it; the proof finds which one is better, before.
    """
    rng = np.random.default_rng(7)
    old, new = (ACCURACY * p + (1 - ACCURACY) * (1 - p) for p in (PRECISION, PRECISION - gain))
    liked_before = rng.binomial(OLD_VOTES, old, size=repeats)
    liked = np.cumsum(rng.random((repeats, most)) < new, axis=1)
    looks = range(MIN_VOTES, most + 1, 20)
    first = np.full(repeats, np.inf)
    for i in range(repeats):
        for votes in looks:
            before, after = Tally(int(liked_before[i]), OLD_VOTES), Tally(int(liked[i, votes - 1]), votes)
            if 2 * p_value(before, after) <= WATCH_ALPHA:
                first[i] = votes
                break
    return float(np.isfinite(first).mean()), float(np.median(first))


def _looked_at(habit: str, rng: np.random.Generator) -> list[int]:
    """The places that a person votes on."""
    if habit == "mixed":
        habit = HABITS[rng.integers(3)]
    if habit == "top1":
        return [0]
    return [place for place in range(SHOWN) if habit == "menu" or rng.random() < 1 / (place + 1)]


def _ranked(wanted: npt.NDArray[np.bool_], noise: Floats, precision: float) -> npt.NDArray[np.int64]:
    """The words of each query, best first, of a model of this precision: (answers, WORDS)."""
    low, high = -2.0, 6.0
    for _ in range(30):
        skill = (low + high) / 2
        order = np.argsort(-(skill * wanted + noise), axis=1)
        is_low = np.take_along_axis(wanted, order[:, :SHOWN], axis=1).mean() < precision
        low, high = (skill, high) if is_low else (low, skill)
    return order


def _false_promotions(repeats: int) -> Iterator[str]:
    yield "| gain | noise in common | habit | promoted | kept | stopped |"
    yield "|---|---|---|---|---|---|"
    for gain in (0.0, -0.05):
        for name, common in COMMON.items():
            for habit in HABITS:
                ends = ends_of(Case(gain, common, habit), np.random.default_rng(3), repeats=repeats)
                shares = [
                    sum(end in which for end, *_ in ends) / repeats
                    for which in (("promote",), ("keep", "futile"), ("stop",))
                ]
                yield f"| {gain:+.2f} | {name} | {habit} | " + " | ".join(f"{s:.1%}" for s in shares) + " |"


def _found(repeats: int) -> Iterator[str]:
    header = " | ".join(f"within {n}" for n in WITHIN)
    yield f"| gain | noise in common | habit | words in both | {header} | median of votes cast |"
    yield "|---" * (5 + len(WITHIN)) + "|"
    cases = {
        (name, habit, gain): Case(gain, common, habit)
        for gain in (0.1, 0.05)
        for name, common in COMMON.items()
        for habit in HABITS
    }
    cases |= {
        (name, "top1, as drawn", 0.1): Case(0.1, common, "top1", is_as_drawn=True)
        for name, common in COMMON.items()
    }
    for (name, habit, _), case in cases.items():
        ends = ends_of(case, np.random.default_rng(5), repeats=repeats)
        promoted = np.array([n if end == "promote" else np.inf for end, n, _ in ends])
        cast = np.array([m if end == "promote" else np.inf for end, _, m in ends])
        shares = " | ".join(f"{(promoted <= n).mean():.0%}" for n in WITHIN)
        median = np.median(cast) * drawn(case).votes
        yield (
            f"| {case.gain:.2f} | {name} | {habit} | {drawn(case).overlap:.1f} of {SHOWN} | {shares} | "
            f"{median:.0f} |"
        )


def _watch(repeats: int) -> Iterator[str]:
    yield "| difference in precision | a fall shown by the watch within 4,000 votes | median of votes |"
    yield "|---|---|---|"
    for gain in (0.1, 0.05):
        share, median = watch_votes(gain, repeats=repeats)
        yield f"| {gain:.2f} | {share:.0%} | {f'{median:.0f}' if np.isfinite(median) else 'not found'} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Simulate the live proof.")
    parser.add_argument("--repeats", type=int, default=1000, help="simulated proofs a row")
    repeats = parser.parse_args().repeats
    for table in (_false_promotions(repeats), _found(repeats), _watch(min(repeats, 300))):
        for line in table:
            print(line, flush=True)  # noqa: T201  what it is for
        print()  # noqa: T201


if __name__ == "__main__":
    main()
