"""Measure the versions of a simulation against the one that served before the first night."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from training.corpus.lexicon import unwanted_words, wanted_words
from training.evaluation import metrics
from training.evaluation.drift import Reference, neutral_queries
from training.evaluation.metrics import Case, CaseScore
from training.evaluation.perplexity import pseudo_perplexity
from training.inference.fill_model import FillModel, Floats
from training.simulation.taste import KEPT_GROUPS

OF_A_SCORE = ("wanted_share", "unwanted_at_10", "precision_at_5", "unjudged_at_5", "hit_at_1")

LOG_ODDS = "log_odds"  # of the lists' wanted words against their unwanted ones: which side the model sees

Voted = Mapping[str, Collection[str]]  # query → words with votes


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
        self._first, self._texts, self._shown_words = first, texts, shown_words
        neutral = [case.text for case in metrics.shipped_suite("retention")]
        self._reference = Reference(first, [*neutral, *neutral_queries(texts)])
        self._perplexity = pseudo_perplexity(first, texts)
        self._fluency: dict[str, dict[str, Any]] = {}
        self.judge_by(queries, tests)

    def judge_by(self, queries: Sequence[Case], tests: Sequence[Case]) -> None:
        """Judge by other wanted and unwanted words from here on, also the first version."""
        self._queries, self._tests = queries, tests
        self._unseen: dict[str, dict[str, Any]] = {}
        self._shown = self._words(self._first)
        self._before = self._summaries(metrics.score_cases(self._first, tests))

    def figures(self, model: FillModel, voted: Voted, *, with_cases: bool = False) -> dict[str, Any]:
        """Return the figures of a version for a night's row; those without votes are measured once.

        Args:
            model: the version.
            voted: the words that people have voted on so far.
            with_cases: add `OF_A_SCORE` and `LOG_ODDS` of each test sentence, in the order of the files.
        """
        if model.version not in self._unseen:
            self._unseen[model.version] = self._of_tests(model, with_cases=with_cases)
        if model.version not in self._fluency:
            self._fluency[model.version] = self._of_texts(model)
        on_queries = self._of_queries(self._words(model), voted)
        of_tests, of_texts = self._unseen[model.version], self._fluency[model.version]
        return {"version": model.version, "voted": on_queries, **of_tests, **of_texts}

    def _of_texts(self, model: FillModel) -> dict[str, Any]:
        """Figures on texts and neutral queries."""
        perplexity = pseudo_perplexity(model, self._texts)
        drift = self._reference.drift_of(model)
        return {
            "pseudo_perplexity": round(perplexity, 4),
            "perplexity_ratio": round(perplexity / self._perplexity, 4),
            "top10_kept": round(drift.top10_kept, 4) if drift else None,
            "drift_nats": round(drift.nats, 4) if drift else None,
        }

    def _of_tests(self, model: FillModel, *, with_cases: bool) -> dict[str, Any]:
        """Figures on sentences without votes."""
        rows = model.log_probabilities([model.encoder.encode(case.text) for case in self._tests])
        scores = metrics.score_rows(model, self._tests, rows)
        log_odds = self._log_odds(model, rows)
        before, after = self._before, self._summaries(scores)
        main, new_main = before["main"], after["main"]
        control, new_control = (each["groups"].get("control", {}) for each in (before, after))
        figures = {
            **after,
            "gap_closed": gap_closed(main["wanted_share"], new_main["wanted_share"]),
            "precision_gap_closed": gap_closed(main["precision_at_5"], new_main["precision_at_5"]),
            "hit_at_1_change": _difference(main["hit_at_1"], new_main["hit_at_1"]),
            "unwanted_at_10_change": _relative(main["unwanted_at_10"], new_main["unwanted_at_10"]),
            "control_change": _difference(control.get("wanted_share"), new_control.get("wanted_share")),
            "side_auc": self._side_auc(log_odds),
        }
        if with_cases:
            figures["cases"] = {
                name: [None if score is None else round(float(getattr(score, name)), 5) for score in scores]
                for name in OF_A_SCORE
            } | {LOG_ODDS: [round(odds, 4) for odds in log_odds]}
        return figures

    def _words(self, model: FillModel) -> list[list[str]]:
        """Return the words shown for every query."""
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

    def _log_odds(self, model: FillModel, rows: Sequence[Floats]) -> list[float]:
        """Return the log-odds of praise against blame at each test sentence's first mask, by the lists."""
        praise, blame = (model.tokens_of(sorted(words)) for words in (wanted_words(), unwanted_words()))
        if not praise or not blame:
            return [0.0] * len(rows)
        return [
            float(np.logaddexp.reduce(row[0][praise]) - np.logaddexp.reduce(row[0][blame])) for row in rows
        ]

    def _side_auc(self, log_odds: Sequence[float]) -> float | None:
        """How well the log-odds tell main from control sentences."""
        groups = [case.group for case in self._tests]
        main = [odds for odds, group in zip(log_odds, groups, strict=True) if group not in KEPT_GROUPS]
        control = [odds for odds, group in zip(log_odds, groups, strict=True) if group == "control"]
        return round(area_under_curve(main, control), 4) if main and control else None

    def _of_queries(self, shown: Sequence[Sequence[str]], voted: Voted) -> dict[str, Any]:
        """Count the shown words of the queries that the suite wants or not, and those that people judged.

        `accepted_lost` are accepted words that were shown before and no longer are, although not every word
        shown in their place is wanted.
        """
        counts: dict[str, Any] = {"rejected": 0, "accepted": 0, "accepted_lost": 0}
        for case, best, old in zip(self._queries, shown, self._shown, strict=True):
            of_case, now = {*voted.get(case.text, ())}, {*best}
            counts["rejected"] += len(of_case & {*case.unwanted})
            accepted = of_case & {*case.wanted}
            counts["accepted"] += len(accepted)
            if not now <= {*case.wanted}:
                counts["accepted_lost"] += len(accepted & {*old} - now)
        for name, words in (("before", self._shown), ("after", shown)):
            rejected = unwanted = wanted = 0
            for case, best in zip(self._queries, words, strict=True):
                of_case = {*voted.get(case.text, ())} & {*case.unwanted}
                rejected += len({*best} & of_case)
                unwanted += len({*best} & {*case.unwanted})
                wanted += len({*best} & {*case.wanted})
            counts |= {f"rejected_{name}": rejected, f"unwanted_{name}": unwanted, f"wanted_{name}": wanted}
            counts[f"precision_{name}"] = round(wanted / max(sum(map(len, words)), 1), 4)
        return counts


def area_under_curve(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Return the probability that one of `higher` exceeds one of `lower`; level ones count half."""
    difference = np.asarray(higher)[:, None] - np.asarray(lower)[None, :]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def gap_closed(before: float | None, after: float | None) -> float | None:
    """Return the share of the distance to 1 that was closed; None if there was none."""
    if before is None or after is None or before >= 1:
        return None
    return round((after - before) / (1 - before), 4)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(after - before, 4)


def _relative(before: float | None, after: float | None) -> float | None:
    return None if not before or after is None else round(after / before - 1, 4)
