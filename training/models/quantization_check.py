"""The quantization check: an int8 model serves only if it answers like the fp32 model it was made from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.confidence_intervals import interval, means
from training.evaluation.metrics import CaseScore
from training.inference.fill_model import FillModel, Floats

MIN_BEST = MIN_SHOWN = 0.95
SUITES = ("main", "control", "retention")
FIGURES = ("wanted_share", "unwanted_at_10")

Scores = Sequence[CaseScore | None]


@dataclass(frozen=True, slots=True)
class QuantizationCheck:
    """Agreement of an int8 model with the fp32 model, over the suites that ship.

    Attributes:
        masks: number of masks compared.
        top1: share of them with the same best word.
        shown: share of the words shown in a reply that are the same.
        moved: figures of suites that lie outside the 95 % interval of the fp32 model.
    """

    masks: int
    top1: float
    shown: float
    moved: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether the int8 model may serve."""
        return self.top1 >= MIN_BEST and self.shown >= MIN_SHOWN and not self.moved

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON for `vocabulary.json`."""
        return asdict(self)


def has_suites() -> bool:
    """Whether the language of the corpus has sentences to compare answers on."""
    return any(metrics.shipped_suite(suite) for suite in SUITES)


def check_quantization(exact: FillModel, quick: FillModel, *, shown_words: int) -> QuantizationCheck:
    """Compare a model in fp32 with itself in int8, on the suites that ship.

    Args:
        exact: the model in fp32.
        quick: the model in int8.
        shown_words: words per mask in a reply.

    Raises:
        SuiteError: a suite cannot be read.
        QueryTooLongError: a sentence has more word pieces than the model reads.
    """
    same_best, kept, moved = [], [], []
    for suite in SUITES:
        cases = metrics.shipped_suite(suite)
        queries = [exact.encoder.encode(case.text) for case in cases]
        rows, quick_rows = exact.log_probabilities(queries), quick.log_probabilities(queries)
        best, quick_best = _best(exact, rows, shown_words), _best(quick, quick_rows, shown_words)
        for theirs, ours in zip(best, quick_best, strict=True):
            same_best.append(theirs[0] == ours[0])
            kept.append(len({*theirs} & {*ours}) / len(theirs))
        before, after = (metrics.score_rows(exact, cases, each) for each in (rows, quick_rows))
        moved += [f"{figure} of {suite}" for figure in FIGURES if _is_moved(figure, before, after)]
    return QuantizationCheck(
        masks=len(kept),
        top1=round(float(np.mean(same_best)), 4),
        shown=round(float(np.mean(kept)), 4),
        moved=tuple(moved),
    )


def _best(model: FillModel, rows: Sequence[Floats], shown_words: int) -> list[list[int]]:
    """Best token ids of every mask, from (masks, vocabulary) arrays."""
    return [model.best(row, shown_words) for masks in rows for row in masks]


def _is_moved(figure: str, before: Scores, after: Scores) -> bool:
    """Whether the mean of a figure lies outside the 95 % interval from before."""
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old and new]
    if not pairs:
        return False
    usual = interval(means([float(getattr(old, figure)) for old, _ in pairs]))
    now = float(np.mean([getattr(new, figure) for _, new in pairs]))
    return not usual.low <= now <= usual.high
