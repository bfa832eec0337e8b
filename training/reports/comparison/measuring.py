"""Compare models: their best words for a text, and their figures on the same suites and texts.

Figures cover only the cases and texts that all models can handle (`training.evaluation.comparable`). Ranks
are among the words that all models can say, so that a word of only one model has no effect. `own_words` has
each model's figures with all of its words, as it serves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from training.evaluation.comparable import Models, cases_of, texts_of, tokens_of
from training.evaluation.confidence_intervals import Interval, means
from training.evaluation.metrics import Case, CaseScore, Tokens, score_cases, summary
from training.evaluation.perplexity import score_text
from training.inference.fill_model import Candidate, FillModel
from training.progress import Progress
from training.reports.comparison.figures import ALL, PERPLEXITY, Figure, Pair, conclude, figure

METRICS = ("wanted_share", "hit_at_1", "hit_at_5", "precision_at_5", "unwanted_at_10")  # of a suite
TOP = 10
CASES_AT_ONCE = 128  # bounds the memory to this many rows of the vocabulary


@dataclass(frozen=True, slots=True)
class Material:
    """The comparable part of a suite or a set of texts.

    Attributes:
        name: As it is shown.
        cases: Cases, or texts, that were compared.
        skipped: Those that were not.
        figures: By group and metric for a suite, the perplexity for texts; none without cases.
        dropped_words: Words of a suite that not every model can say as one token.
        own_words: Model → its summary over the whole suite; empty for texts.
    """

    name: str
    cases: int
    skipped: int
    figures: tuple[Figure, ...]
    dropped_words: tuple[str, ...] = ()
    own_words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return counts, and group → metric → model → interval."""
        groups: dict[str, dict[str, Any]] = {}
        for each in self.figures:
            group = groups.setdefault(each.group, {"cases": each.cases})
            group[each.metric] = {model: _rounded(of) for model, of in each.intervals.items()}
        return {"cases": self.cases, "skipped": self.skipped, "groups": groups}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that `compare` prints."""

    versions: tuple[str, ...]
    base: str | None  # one of the versions, or another model; None if no base is available
    answers: Mapping[str, Mapping[str, list[Candidate]]]  # text → model → its best words
    suites: tuple[Material, ...]
    texts: tuple[Material, ...]
    conclusion: str

    @property
    def figures(self) -> list[Figure]:
        """Figures of the suites, then of the texts."""
        return [each for material in (*self.suites, *self.texts) for each in material.figures]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `compare --json` prints."""
        return {
            "versions": list(self.versions),
            "base": self.base,
            "texts": {
                text: {
                    model: [{"word": c.word, "score": round(c.score, 6)} for c in candidates]
                    for model, candidates in answers.items()
                }
                for text, answers in self.answers.items()
            },
            "suites": {
                suite.name: {
                    **suite.to_json(),
                    "dropped_words": list(suite.dropped_words),
                    "own_words": suite.own_words,
                }
                for suite in self.suites
            },
            "perplexity": {texts.name: texts.to_json() for texts in self.texts},
            "differences": [
                {
                    "version": difference.model,
                    "against": difference.against,
                    "material": each.material,
                    "group": each.group,
                    "metric": each.metric,
                    **_rounded(difference.interval),
                    "finding": difference.finding,
                }
                for each in self.figures
                for difference in each.differences
            ],
            "conclusion": self.conclusion,
        }


def compare(
    models: Models,
    *,
    base: str | None,
    versions: Sequence[str],
    queries: Sequence[str],
    suites: Mapping[str, Sequence[Case]],
    texts: Mapping[str, Sequence[str]],
    progress: Progress,
) -> Comparison:
    """Evaluate every model, and compare each version with the earlier ones and the base.

    Args:
        models: The versions, and the base where there is one.
        base: Which of them is the base.
        versions: Two or more of them.
        queries: Texts with [MASK] to show the best words for.
        suites: Cases by the suite's name.
        texts: Unmasked texts by the name of their set, for the perplexity.
        progress: Advanced once per case and text of each model.

    Raises:
        QueryTooLongError: A query or a case has more word pieces than a model reads.
    """
    between = [(after, before) for before, after in combinations(versions, 2)]
    pairs = [*between, *((v, base) for v in versions if base is not None and base not in versions)]
    answers = _answers(models, queries)
    among = tokens_of(models)
    progress.step("measuring the suites", 2 * sum(map(len, suites.values())) * len(models))
    of_suites = [
        _measure_suite(models, name, cases, among, pairs, progress) for name, cases in suites.items()
    ]
    progress.step("measuring the texts", sum(map(len, texts.values())) * len(models))
    of_texts = [_measure_texts(models, name, of_set, pairs, progress) for name, of_set in texts.items()]
    figures = [each for material in (*of_suites, *of_texts) for each in material.figures]
    return Comparison(
        versions=tuple(versions),
        base=base,
        answers=answers,
        suites=tuple(of_suites),
        texts=tuple(of_texts),
        conclusion=" ".join(conclude(figures, pair) for pair in between),
    )


def _answers(models: Models, queries: Sequence[str]) -> dict[str, dict[str, list[Candidate]]]:
    """Return text → model → its best words, with one entry per mask of a text."""
    answers: dict[str, dict[str, list[Candidate]]] = {}
    for name, model in models.items():
        for query, masks in zip(queries, model.fill(queries, top=TOP), strict=True):
            for number, candidates in enumerate(masks, start=1):
                text = f"{query} (mask {number})" if len(masks) > 1 else query
                answers.setdefault(text, {})[name] = candidates
    return answers


def _measure_suite(
    models: Models,
    name: str,
    cases: Sequence[Case],
    among: Mapping[str, Tokens],
    pairs: Sequence[Pair],
    progress: Progress,
) -> Material:
    comparable = cases_of(models, cases)
    progress.advance(comparable.skipped * len(models))
    kept = comparable.cases
    own_words = {label: summary(_scores(model, cases, None, progress)) for label, model in models.items()}
    columns = {}  # model → (cases, metrics)
    for label, model in models.items():
        scores = _scores(model, kept, among[label], progress)
        columns[label] = np.asarray([[float(getattr(score, m)) for m in METRICS] for score in scores])
    figures = []
    for group in (ALL, *sorted({case.group for case in kept} - {ALL})) if kept else ():
        of_group = np.asarray([group in (ALL, case.group) for case in kept])
        for column, metric in enumerate(METRICS):
            draws = {label: means(values[of_group, column]) for label, values in columns.items()}
            figures.append(figure(name, group, metric, int(of_group.sum()), draws=draws, pairs=pairs))
    return Material(
        name,
        cases=len(kept),
        skipped=comparable.skipped,
        figures=tuple(figures),
        dropped_words=comparable.dropped_words,
        own_words=own_words,
    )


def _scores(
    model: FillModel, cases: Sequence[Case], among: Tokens | None, progress: Progress
) -> list[CaseScore | None]:
    scores = []
    for start in range(0, len(cases), CASES_AT_ONCE):
        part = cases[start : start + CASES_AT_ONCE]
        scores += score_cases(model, part, among=among)
        progress.advance(len(part))
    return scores


def _measure_texts(
    models: Models, name: str, texts: Sequence[str], pairs: Sequence[Pair], progress: Progress
) -> Material:
    kept = texts_of(models, texts)
    skipped = len(texts) - len(kept)
    progress.advance(skipped * len(models))
    draws = {}
    for label, model in models.items():
        values, words = [], []
        for text in kept:
            score = score_text(model, text)
            values.append(score.log_probability / score.words)
            words.append(score.words)
            progress.advance()
        if kept:
            draws[label] = np.exp(-means(values, words))
    figures = (figure(name, ALL, PERPLEXITY, len(kept), draws=draws, pairs=pairs),) if kept else ()
    return Material(name, len(kept), skipped, figures)


def _rounded(of: Interval) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(of).items()}
