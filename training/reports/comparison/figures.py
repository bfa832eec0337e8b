"""The figures of a comparison: metrics of each model, and differences between two models. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training.evaluation.confidence_intervals import Draws, Interval, interval

PERPLEXITY = "pseudo_perplexity"
LESS_IS_BETTER = frozenset({"unwanted_at_10", PERPLEXITY})
MIN_CASES = 10  # fewer can all fall to one side by chance, and their intervals are too narrow
ALL = "all"  # the group of all cases

Pair = tuple[str, str]  # a model, and the one it is measured against
Finding = Literal["better", "worse", "no clear difference", "too few cases"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two models' figures over the same cases."""

    model: str
    against: str
    interval: Interval
    finding: Finding


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric over one group of the cases of a suite, or over a set of texts.

    Attributes:
        material: Name of the suite or of the set of texts.
        group: `ALL`, or a group of the suite.
        metric: A metric of a suite, or `PERPLEXITY`.
        cases: Number of cases or texts.
        intervals: Model → its figure.
        differences: One per requested pair.
    """

    material: str
    group: str
    metric: str
    cases: int
    intervals: Mapping[str, Interval]
    differences: tuple[Difference, ...]


def figure(
    material: str, group: str, metric: str, cases: int, *, draws: Mapping[str, Draws], pairs: Sequence[Pair]
) -> Figure:
    """Build the figure from every model's bootstrap draws over the same cases."""
    differences = []
    for model, against in pairs:
        change = interval(draws[model] - draws[against])
        differences.append(Difference(model, against, change, _finding(metric, change, cases)))
    intervals = {model: interval(of_model) for model, of_model in draws.items()}
    return Figure(material, group, metric, cases, intervals, tuple(differences))


def conclude(figures: Sequence[Figure], pair: Pair) -> str:
    """Say in one sentence whether a model is better than another, from the figures over all cases."""
    model, against = pair
    places: dict[Finding, dict[str, list[str]]] = {"better": {}, "worse": {}}
    whole = [each for each in figures if each.group == ALL]
    unclear = 0
    for each in whole:
        finding = next(d.finding for d in each.differences if (d.model, d.against) == pair)
        if finding in places:
            places[finding].setdefault(each.metric, []).append(each.material)
        else:
            unclear += 1
    if not whole:
        return f"There is nothing that both {model} and {against} could be measured on."
    if unclear == len(whole):
        return f"Between {model} and {against} there is no clear difference in any of {len(whole)} figures."
    better, worse = (
        ", ".join(f"{metric} ({', '.join(materials)})" for metric, materials in of_finding.items())
        for of_finding in places.values()
    )
    sides = f"better than {against} in {better}; worse in {worse or 'none'}"
    if not better:
        sides = f"worse than {against} in {worse}; better in none"
    return f"{model} is {sides}; without a clear difference in {unclear} of {len(whole)} figures."


def _finding(metric: str, change: Interval, cases: int) -> Finding:
    if cases < MIN_CASES:
        return "too few cases"
    if change.low <= 0 <= change.high:
        return "no clear difference"
    return "worse" if (change.low > 0) == (metric in LESS_IS_BETTER) else "better"
