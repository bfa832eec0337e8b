"""Whether a run would only make the same model as the run before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from storage import runs
from training.errors import RegistryError
from training.registry.versions import SERVED_FILES, Registry
from training.synchronous_database import SynchronousDatabase
from training.votes.aggregation import Judgement
from training.votes.retraining_set import RetrainingSet

# Votes that only confirm what is judged already count once they make the judgements weigh this much more.
# Every vote moves the weights a little, so the exact weights would make nearly every night train.
MORE_EVIDENCE = 1.25


def inputs_of(
    chosen: RetrainingSet,
    judgements: Iterable[Judgement],
    *,
    domain_files: Mapping[str, str],
    settings: Mapping[str, Any],
    behaviour: Path,
) -> dict[str, Any]:
    """Describe what determines a run's version and verdict, for the run's report.

    `inputs_hash` covers the judged words and their directions; `evidence` is how much the votes on them
    weigh, in votes of an average voter.

    Args:
        chosen: the retraining set.
        judgements: the judgements that it was built from.
        domain_files: the files of the domain model, with their hashes.
        settings: everything else that the version depends on.
        behaviour: the team's behaviour tests, which may not exist.
    """
    tests = behaviour.read_bytes() if behaviour.exists() else b""
    facts = [chosen.hash, dict(domain_files), dict(settings), hashlib.sha256(tests).hexdigest()]
    return {
        "inputs_hash": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
        "evidence": round(sum(abs(j.up - j.down) for j in judgements), 3),
    }


def repeated_run(database: SynchronousDatabase, registry: Registry, inputs: Mapping[str, Any]) -> int | None:
    """Return the id of the last judged run if a run with these inputs would repeat it.

    None as well if the champion has changed since that run, is withdrawn or is damaged: then a run is needed
    even though the judgements are the same.
    """
    last = database.call(runs.latest_judged)
    if last is None:
        return None
    then = last.report or {}
    champion = registry.champion()
    is_same = (
        then.get("inputs_hash") == inputs["inputs_hash"]
        and inputs["evidence"] < MORE_EVIDENCE * then.get("evidence", 0.0)
        and champion == (last.challenger if last.status == "promoted" else last.champion)
        and not database.call(runs.has_pointer_moved, since_id=last.id)
        and _is_sound(registry, champion)
    )
    return last.id if is_same else None


def _is_sound(registry: Registry, version: str | None) -> bool:
    """Whether a version may serve, and its files are whole."""
    if version is None or version in registry.withdrawn():
        return False
    try:
        registry.verify(version, only=SERVED_FILES)
    except RegistryError:
        return False
    return True
