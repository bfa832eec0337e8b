"""A comparison as plain text for people. Pure."""

import textwrap
from collections.abc import Mapping, Sequence

from training.evaluation.confidence_intervals import DRAWS, Interval
from training.inference.fill_model import Candidate
from training.reports.comparison.figures import ALL, LESS_IS_BETTER, MIN_CASES, PERPLEXITY, Figure
from training.reports.comparison.measuring import METRICS, Comparison, Material
from training.tables import GAP, MAX_WIDTH, aligned

LEVEL = 1e-4  # figures closer than this are equal: some are rounded to four digits
MAX_NAMED = 8  # omitted words that are named
LEGEND = (
    f"[low, high] is the 95 % interval of {DRAWS:,} bootstrap resamples. A difference is marked if its "
    "interval\nexcludes zero. Without any real difference, one in twenty is marked by chance."
)


def table_of(comparison: Comparison) -> str:
    """Words, figures, what was left out, and the conclusion, in this order."""
    parts = [_words(text, answers, comparison.base) for text, answers in comparison.answers.items()]
    shown = [each for material in (*comparison.suites, *comparison.texts) for each in _shown(material)]
    for metric in (*METRICS, PERPLEXITY):
        of_metric = [each for each in shown if each.metric == metric]
        if of_metric:
            parts.append(_figures(metric, of_metric, comparison.base))
    parts += _own_words(comparison)
    left_out = [
        _left_out(suite, "cases") for suite in comparison.suites if suite.skipped or suite.dropped_words
    ]
    left_out += [_left_out(texts, "texts") for texts in comparison.texts if texts.skipped]
    conclusion = textwrap.fill(comparison.conclusion, MAX_WIDTH, break_on_hyphens=False)
    return "\n\n".join([*parts, "\n".join([*left_out, LEGEND]), conclusion]) + "\n"


def _words(text: str, answers: Mapping[str, Sequence[Candidate]], base: str | None) -> str:
    places = range(max(map(len, answers.values())))
    cells = [
        [f"{c.score:6.1%} {c.word}" for c in candidates] + [""] * (len(places) - len(candidates))
        for candidates in answers.values()
    ]
    rows = [[f"{place + 1:4}", *(of_model[place] for of_model in cells)] for place in places]
    return f"{text}\n{aligned(['', *_headings(answers, base)], rows)}"


def _shown(material: Material) -> list[Figure]:
    """Return the figures over all cases, and over proper groups that are large enough."""
    return [
        each for each in material.figures if each.group == ALL or MIN_CASES <= each.cases < material.cases
    ]


def _figures(metric: str, figures: Sequence[Figure], base: str | None) -> str:
    counted, digits = ("texts", 2) if metric == PERPLEXITY else ("cases", 3)
    direction = "less" if metric in LESS_IS_BETTER else "more"
    names = [each.material if each.group == ALL else f"  {each.group}" for each in figures]
    values = [
        [name, f"{each.cases:5}", *(_interval(of, digits) for of in each.intervals.values())]
        for name, each in zip(names, figures, strict=True)
    ]
    differences = [
        [name, *(f"{_interval(d.interval, digits, sign='+')} {_mark(d.finding)}" for d in each.differences)]
        for name, each in zip(names, figures, strict=True)
    ]
    pairs = [f"{d.model} − {d.against}" for d in figures[0].differences]
    return (
        f"{metric} ({direction} is better)\n"
        f"{aligned(['', counted, *_headings(figures[0].intervals, base)], values)}\n\n"
        f"{aligned(['', *pairs], differences)}"
    )


def _own_words(comparison: Comparison) -> list[str]:
    """Format the suites whose result changes with all of a model's words; unpaired, so without intervals."""
    suites = [suite for suite in comparison.suites if _has_other_words(suite)]
    if not suites:
        return []
    rows = [
        [f"{suite.name} {metric}", *(f"{of[metric]:.3f}" for of in suite.own_words.values())]
        for suite in suites
        for metric in METRICS
    ]
    table = aligned(["", *_headings(suites[0].own_words, comparison.base)], rows)
    return [f"the same over all words of each model, as it serves\n{table}"]


def _has_other_words(suite: Material) -> bool:
    return any(
        abs(of[each.metric] - each.intervals[model].value) > LEVEL
        for each in suite.figures
        if each.group == ALL
        for model, of in suite.own_words.items()
    )


def _headings(models: Mapping[str, object], base: str | None) -> list[str]:
    return [f"{model} (base)" if model == base else model for model in models]


def _interval(interval: Interval, digits: int, *, sign: str = "") -> str:
    figures = (interval.value, interval.low, interval.high)
    value, low, high = (f"{round(number, digits) + 0.0:{sign}.{digits}f}" for number in figures)  # no −0
    return f"{value} [{low}, {high}]"


def _mark(finding: str) -> str:
    return finding if finding in ("better", "worse") else ""


def _left_out(material: Material, what: str) -> str:
    line = f"Left out of {material.name}: {material.skipped} of {material.cases + material.skipped} {what}"
    if words := material.dropped_words:
        more = ", …" if len(words) > MAX_NAMED else ""
        line += f"; {len(words)} words that not all models have ({', '.join(words[:MAX_NAMED])}{more})"
    return textwrap.fill(f"{line}.", MAX_WIDTH, subsequent_indent=GAP, break_on_hyphens=False)
