"""Measure challenger, champion and domain model, and ask the gate."""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training import evaluate, gate
from training.fill_model import FillModel
from training.progress import Progress
from training.retraining_set import Example, RetrainingSet
from training.versions import denied_words

LATENCY_ROUNDS, LATENCY_QUERIES = 5, 40


@dataclass(frozen=True, slots=True)
class Judges:
    """What the gate judges by; read once."""

    control: list[evaluate.Case]
    retention: list[evaluate.Case]
    texts: list[str]


def judge(
    chosen: RetrainingSet,
    *,
    domain: FillModel,
    champion: FillModel,
    challenger: FillModel,
    rolled_back: Collection[str],
    progress: Progress,
) -> tuple[gate.Verdict, dict[str, Any]]:
    """The verdict on an exported challenger, and the figures behind it.

    Args:
        chosen: the voted queries, held-out ones included.
        domain, champion, challenger: as they serve.
        rolled_back: hashes of retraining sets that are not promoted again.
        progress: told after each part.
    """
    judges = Judges(
        control=evaluate.read_suite(evaluate.SUITES / "control.jsonl"),
        retention=evaluate.read_suite(evaluate.SUITES / "retention.jsonl"),
        texts=evaluate.read_texts(evaluate.SUITES / "texts.jsonl"),
    )
    progress.step("judging the new model", 4)
    examples = (*chosen.train, *chosen.held_out)
    voted = {"champion": _voted(champion, examples), "challenger": _voted(challenger, examples)}
    slower = _latency_ratio(domain, challenger, [case.text for case in judges.control])
    progress.advance()
    domain_harm = _harm(domain, judges, latency_ms=1.0)
    progress.advance()
    challenger_harm = _harm(challenger, judges, latency_ms=slower)
    progress.advance()
    nats, kept = evaluate.drift(challenger, domain, [case.text for case in judges.retention])
    verdict = gate.decide(
        champion=voted["champion"],
        challenger=voted["challenger"],
        domain_harm=domain_harm,
        challenger_harm=challenger_harm,
        drift_nats=nats,
        denied_offered=[word for word in denied_words() if challenger.token_of(word) is not None],
        hit_changes=_hit_changes(champion, challenger, chosen.held_out),
        was_rolled_back=chosen.hash in rolled_back,
    )
    progress.advance()
    metrics: dict[str, Any] = {
        "voted": {name: _rounded(value) for name, value in voted.items()},
        "domain": _rounded(domain_harm),
        "challenger": _rounded(challenger_harm),
        "drift_nats": round(nats, 4),
        "top10_kept": round(kept, 4),
    }
    return verdict, metrics


def _voted(fill_model: FillModel, examples: Sequence[Example]) -> gate.Voted:
    unwanted_at_5 = wanted_at_5 = unwanted = wanted = 0
    rows = fill_model.log_probabilities([fill_model.encoder.encode(e.query) for e in examples])
    for example, logs in zip(examples, rows, strict=True):
        shown = set(fill_model.best(logs[example.mask_index], 5))
        for words, is_wanted in ((example.wanted, True), (example.unwanted, False)):
            tokens = [t for word, _ in words if (t := fill_model.token_of(word)) is not None]
            inside = sum(token in shown for token in tokens)
            if is_wanted:
                wanted, wanted_at_5 = wanted + len(tokens), wanted_at_5 + inside
            else:
                unwanted, unwanted_at_5 = unwanted + len(tokens), unwanted_at_5 + inside
    return gate.Voted(unwanted_at_5, wanted_at_5, unwanted, wanted)


def _hit_changes(before: FillModel, after: FillModel, held_out: Sequence[Example]) -> list[float]:
    """Per held-out query with a wanted word: hit@10 of the challenger minus the champion's."""

    def hits(fill_model: FillModel) -> list[float]:
        rows = fill_model.log_probabilities([fill_model.encoder.encode(e.query) for e in held_out])
        found = []
        for e, logs in zip(held_out, rows, strict=True):
            best = set(fill_model.best(logs[e.mask_index], 10))
            if e.wanted:
                found.append(float(any(fill_model.token_of(word) in best for word, _ in e.wanted)))
        return found

    return [new - old for old, new in zip(hits(before), hits(after), strict=True)]


def _harm(fill_model: FillModel, judges: Judges, *, latency_ms: float) -> gate.Harm:
    return gate.Harm(
        control=evaluate.summary(evaluate.score_cases(fill_model, judges.control))["wanted_share"],
        retention=evaluate.summary(evaluate.score_cases(fill_model, judges.retention))["wanted_share"],
        pseudo_perplexity=evaluate.pseudo_perplexity(fill_model, judges.texts),
        latency_ms=latency_ms,
    )


def _latency_ratio(before: FillModel, after: FillModel, queries: Sequence[str]) -> float:
    """p95 of one query, challenger over domain model, in turn; the best of a few rounds, as machines are noisy."""
    best = float("inf")
    for _ in range(LATENCY_ROUNDS):
        times: dict[int, list[float]] = {0: [], 1: []}
        for query in queries[:LATENCY_QUERIES]:
            for side, fill_model in enumerate((before, after)):
                started = time.perf_counter()
                fill_model.fill([query], top=5)
                times[side].append(time.perf_counter() - started)
        best = min(best, float(np.quantile(times[1], 0.95) / np.quantile(times[0], 0.95)))
        if best <= gate.MAX_LATENCY_RATIO:
            break
    return best


def changes(
    before: FillModel, after: FillModel, chosen: RetrainingSet, *, most: int = 20
) -> list[dict[str, Any]]:
    """For some voted queries, the five best words before and after."""
    examples = chosen.train[:most]
    queries = [e.query for e in examples]
    changes = []
    for e, old, new in zip(examples, before.fill(queries, top=5), after.fill(queries, top=5), strict=True):
        words = [[c.word for c in side[e.mask_index]] for side in (old, new)]
        changes.append({"query": e.query, "mask_index": e.mask_index, "before": words[0], "after": words[1]})
    return changes


def _rounded(value: Any) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(value).items()}
