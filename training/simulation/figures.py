"""Measure the versions of a simulation against the one that served before the first night."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from training.evaluation import metrics
from training.evaluation.drift import Reference, neutral_queries
from training.evaluation.metrics import Case, CaseScore
from training.evaluation.perplexity import pseudo_perplexity
from training.inference.fill_model import FillModel

KEPT_GROUPS = ("control", "retention")  # must not get worse; all other groups are "main" and must get better
OF_A_CASE = ("wanted_share", "unwanted_at_10", "precision_at_5", "unjudged_at_5", "hit_at_1")

Rejected = Mapping[str, Collection[str]]  # query → shown words that the team rejects


class Measure:
    """Measures versions against a first one, which is measured once."""

    def __init__(
        self,
        first: FillModel,
        *,
        queries: Sequence[Case],
        tests: Sequence[Case],
        texts: Sequence[str],
        shown_words: int,
    ) -> None:
        """Measure the version that the first night starts from.

        Args:
            first: the version.
            queries: the queries that people ask.
            tests: test sentences, which people never ask.
            texts: texts for the pseudo-perplexity; each also gives a neutral query.
            shown_words: number of words that people see per mask.
        """
        self._queries, self._tests, self._texts = queries, tests, texts
        neutral = [case.text for case in metrics.read_suite(metrics.SUITES / "retention.jsonl")]
        self._reference = Reference(first, [*neutral, *neutral_queries(texts)])
        self._shown_words = shown_words
        self._shown = self._words(first)
        self._perplexity = pseudo_perplexity(first, texts)
        self._of_version: dict[str, dict[str, Any]] = {}
        self._before = self._summaries(metrics.score_cases(first, tests))

    def figures(self, model: FillModel, rejected: Rejected, *, with_cases: bool = False) -> dict[str, Any]:
        """Return the figures of a version for a night's row; those without votes are measured once.

        Args:
            model: the version.
            rejected: the words that people have rejected so far.
            with_cases: add the figures `OF_A_CASE` of each test sentence, in the order of the files.
        """
        if model.version not in self._of_version:
            self._of_version[model.version] = self._unvoted(model, with_cases=with_cases)
        voted = self._voted(self._words(model), rejected)
        return {"version": model.version, "voted": voted, **self._of_version[model.version]}

    def _unvoted(self, model: FillModel, *, with_cases: bool) -> dict[str, Any]:
        """Figures on material without votes: test sentences, texts and neutral queries."""
        scores = metrics.score_cases(model, self._tests)
        before, after = self._before, self._summaries(scores)
        main, new_main = before["main"], after["main"]
        control, new_control = (each["groups"].get("control", {}) for each in (before, after))
        perplexity = pseudo_perplexity(model, self._texts)
        drift = self._reference.drift_of(model)
        figures = {
            **after,
            "gap_closed": gap_closed(main["wanted_share"], new_main["wanted_share"]),
            "unwanted_at_10_change": _relative(main["unwanted_at_10"], new_main["unwanted_at_10"]),
            "control_change": _difference(control.get("wanted_share"), new_control.get("wanted_share")),
            "pseudo_perplexity": round(perplexity, 4),
            "perplexity_ratio": round(perplexity / self._perplexity, 4),
            "top10_kept": round(drift.top10_kept, 4) if drift else None,
            "drift_nats": round(drift.nats, 4) if drift else None,
        }
        if with_cases:
            figures["cases"] = {
                name: [None if score is None else round(float(getattr(score, name)), 5) for score in scores]
                for name in OF_A_CASE
            }
        return figures

    def _words(self, model: FillModel) -> list[list[str]]:
        """The words shown for every query."""
        filled = model.fill([query.text for query in self._queries], top=self._shown_words)
        return [[c.word for c in masks[0]] for masks in filled]

    def _summaries(self, scores: Sequence[CaseScore | None]) -> dict[str, Any]:
        of_case = list(zip(scores, self._tests, strict=True))
        return {
            "all": metrics.summary(scores),
            "main": metrics.summary(score for score, case in of_case if case.group not in KEPT_GROUPS),
            "groups": {
                group: metrics.summary(score for score, case in of_case if case.group == group)
                for group in sorted({case.group for case in self._tests})
            },
        }

    def _voted(self, shown: Sequence[Sequence[str]], rejected: Rejected) -> dict[str, int]:
        """Count the shown words that the suite wants, does not want, or that people rejected."""
        counts = {"rejected": sum(map(len, rejected.values()))}
        for name, words in (("before", self._shown), ("after", shown)):
            counts[f"rejected_{name}"] = counts[f"unwanted_{name}"] = counts[f"wanted_{name}"] = 0
            for case, best in zip(self._queries, words, strict=True):
                counts[f"rejected_{name}"] += len({*best} & {*rejected.get(case.text, ())})
                counts[f"unwanted_{name}"] += len({*best} & {*case.unwanted})
                counts[f"wanted_{name}"] += len({*best} & {*case.wanted})
        return counts


def gap_closed(before: float | None, after: float | None) -> float | None:
    """The share of the gap to a wanted_share of 1 that was closed; None if there was no gap."""
    if before is None or after is None or before >= 1:
        return None
    return round((after - before) / (1 - before), 4)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(after - before, 4)


def _relative(before: float | None, after: float | None) -> float | None:
    return None if not before or after is None else round(after / before - 1, 4)
