"""Compares a domain model with its base on the suites, and asks the gate for a verdict."""

from collections.abc import Mapping
from typing import Any

from training.evaluation import gate
from training.evaluation.comparable import cases_of, tokens_of
from training.evaluation.materials import OWN_SUITES, suites_of
from training.evaluation.metrics import score_cases, summary
from training.inference.fill_model import FillModel


def judge_domain_model(
    base: FillModel, after: FillModel, held_out: Mapping[str, Any]
) -> tuple[gate.Verdict, dict[str, Any]]:
    """Return the gate's verdict, and suite → `base` and `after` → figures.

    Both models are scored over the words that are tokens of both.
    """
    models = {"base": base, "after": after}
    shared = tokens_of(models)
    figures: dict[str, Any] = {}
    for name, cases in suites_of(OWN_SUITES).items():
        comparable = cases_of(models, cases)
        figures[name] = {
            who: {
                **summary(score_cases(each, comparable.cases, among=shared[who])),
                "skipped": comparable.skipped,
            }
            for who, each in models.items()
        }
    return gate.decide_domain(gate.DomainMeasurements(held_out, figures["control"])), figures
