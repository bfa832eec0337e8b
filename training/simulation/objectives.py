"""Training objectives of a night by name: ours, and the alternatives that it is compared with."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from training.errors import UnknownLossError
from training.finetuning.objective import DEFAULT_OBJECTIVE, Objective

# The alternatives are not part of the product: only a checkout has them.
ALTERNATIVES = Path(__file__).parents[2] / "tests" / "benchmarks" / "losses.py"


def objective_named(name: str) -> Objective:
    """Return the objective of that name.

    Raises:
        UnknownLossError: no objective has that name.
    """
    if name == DEFAULT_OBJECTIVE.name:
        return DEFAULT_OBJECTIVE
    alternatives = _alternatives()
    if name not in alternatives:
        known = [DEFAULT_OBJECTIVE.name, *alternatives]
        raise UnknownLossError(name, known, None if alternatives else ALTERNATIVES)
    return alternatives[name]


def _alternatives() -> Mapping[str, Objective]:
    """Return the alternatives in a checkout; empty in an installation."""
    spec = importlib.util.spec_from_file_location("alternative_losses", ALTERNATIVES)
    if spec is None or spec.loader is None or not ALTERNATIVES.exists():
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    objectives: dict[str, Objective] = module.OBJECTIVES
    return objectives
