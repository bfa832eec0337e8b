"""Measure challenger, champion and domain model, and ask the gate."""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from training import evaluate, gate
from training.fill_model import FillModel
from training.retraining_set import Example, RetrainingSet
from training.versions import denied_words

LATENCY_ROUNDS, LATENCY_QUERIES = 8, 40


class Judge:
    """Judges challengers of one run; what they are measured against is measured once."""

    def __init__(
        self, chosen: RetrainingSet, *, domain: FillModel, champion: FillModel, rolled_back: Collection[str]
    ) -> None:
        """Measure the domain model and the champion.

        Args:
            chosen: the voted queries, held-out ones included.
            domain, champion: as they serve.
            rolled_back: hashes of retraining sets that are not promoted again.
        """
        self._chosen, self._domain, self._champion = chosen, domain, champion
        self._was_rolled_back = chosen.hash in rolled_back
        self._examples = (*chosen.train, *chosen.held_out)
        self._control = evaluate.read_suite(evaluate.SUITES / "control.jsonl")
        self._retention = evaluate.read_suite(evaluate.SUITES / "retention.jsonl")
        self._texts = evaluate.read_texts(evaluate.SUITES / "texts.jsonl")
        self._before = _voted(champion, self._examples)
        self._domain_harm = self._harm(domain, latency_ms=1.0)

    def verdict(self, challenger: FillModel) -> tuple[gate.Verdict, dict[str, Any]]:
        """The verdict on an exported challenger, and the figures behind it."""
        voted = _voted(challenger, self._examples)
        slower = _latency_ratio(self._domain, challenger, [case.text for case in self._control])
        harm = self._harm(challenger, latency_ms=slower)
        neutral = [case.text for case in self._retention]
        nats, kept = evaluate.drift(challenger, self._domain, neutral)
        verdict = gate.decide(
            champion=self._before,
            challenger=voted,
            domain_harm=self._domain_harm,
            challenger_harm=harm,
            drift_nats=nats,
            denied_offered=[word for word in denied_words() if challenger.token_of(word) is not None],
            hit_changes=_hit_changes(self._champion, challenger, self._chosen.held_out),
            was_rolled_back=self._was_rolled_back,
        )
        metrics: dict[str, Any] = {
            "voted": {"champion": _rounded(self._before), "challenger": _rounded(voted)},
            "domain": _rounded(self._domain_harm),
            "challenger": _rounded(harm),
            "drift_nats": round(nats, 4),
            "top10_kept": round(kept, 4),
        }
        return verdict, metrics

    def _harm(self, fill_model: FillModel, *, latency_ms: float) -> gate.Harm:
        return gate.Harm(
            control=evaluate.summary(evaluate.score_cases(fill_model, self._control))["wanted_share"],
            retention=evaluate.summary(evaluate.score_cases(fill_model, self._retention))["wanted_share"],
            pseudo_perplexity=evaluate.pseudo_perplexity(fill_model, self._texts),
            latency_ms=latency_ms,
        )


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


def _latency_ratio(before: FillModel, after: FillModel, queries: Sequence[str]) -> float:
    """p95 of one query, challenger over domain model, asked in turn.

    Processor time, so that whatever else the machine is doing does not count; the best of a few rounds.
    """
    best = float("inf")
    for _ in range(LATENCY_ROUNDS):
        times: dict[int, list[float]] = {0: [], 1: []}
        for query in queries[:LATENCY_QUERIES]:
            for side, fill_model in enumerate((before, after)):
                started = time.process_time()
                fill_model.fill([query], top=5)
                times[side].append(time.process_time() - started)
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
