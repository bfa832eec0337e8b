"""Metrics of a model version on suites and texts; judged on the exported model.

`wanted_share` is P(wanted) / (P(wanted) + P(unwanted)); ranks are among the words that may be offered.
`precision_at_5` is the share of the best five words that are wanted, `unjudged_at_5` the number of them that
are neither wanted nor unwanted. Words that the model cannot say as one token are left out; cases left without
wanted or without unwanted words are counted as skipped.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from storage.files.text import read_text
from training.corpus.language import language
from training.errors import SuiteError
from training.evaluation.perplexity import pseudo_perplexity
from training.inference.encoder import MASK_PATTERN
from training.inference.fill_model import FillModel, Floats

MEANS = {  # metric → the attribute of `CaseScore` that it is the mean of
    "wanted_share": "wanted_share",
    "hit_at_1": "hit_at_1",
    "hit_at_5": "hit_at_5",
    "hit_at_10": "hit_at_10",
    "precision_at_5": "precision_at_5",
    "unjudged_at_5": "unjudged_at_5",
    "mrr": "reciprocal_rank",
    "unwanted_at_10": "unwanted_at_10",
}

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a suite."""

    text: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    category: str

    @property
    def group(self) -> str:
        """The category up to the first underscore."""
        return self.category.split("_", 1)[0]

    def without(self, words: Collection[str]) -> Self:
        """Return the case without some words, given in lower case."""
        left = (tuple(w for w in side if w.lower() not in words) for side in (self.wanted, self.unwanted))
        wanted, unwanted = left
        return replace(self, wanted=wanted, unwanted=unwanted)


@dataclass(frozen=True, slots=True)
class CaseScore:
    """Scores of a model on one mask. Counts are of words; the reciprocal rank is the best wanted word's."""

    group: str
    wanted_share: float
    hit_at_1: bool
    hit_at_5: bool
    hit_at_10: bool
    precision_at_5: float
    unjudged_at_5: int
    reciprocal_rank: float
    unwanted_at_10: int


def suites_folder() -> Path:
    """Return the folder of the suites and texts that ship, in the language of the corpus."""
    return language().suites


def shipped_suite(name: str) -> list[Case]:
    """Read a suite that ships; empty if the language of the corpus has none."""
    path = suites_folder() / f"{name}.jsonl"
    return read_suite(path) if path.exists() else []


def shipped_texts() -> list[str]:
    """Read the ordinary texts that ship; empty if the language of the corpus has none."""
    path = suites_folder() / "texts.jsonl"
    return read_texts(path) if path.exists() else []


def read_suite(path: Path) -> list[Case]:
    """Read the cases of a suite file.

    Raises:
        SuiteError: the file is empty, or a line cannot be read; says which line.
    """
    cases = []
    for number, row in _lines(path):
        text, wanted, unwanted = row.get("text"), row.get("wanted", []), row.get("unwanted", [])
        if not isinstance(text, str) or not MASK_PATTERN.search(text):
            raise SuiteError(path, "there is no text with a [MASK]", line=number)
        if not _are_words(wanted) or not _are_words(unwanted):
            raise SuiteError(path, "wanted and unwanted must be lists of words", line=number)
        cases.append(Case(text, tuple(wanted), tuple(unwanted), str(row.get("category") or "all")))
    return cases


def read_texts(path: Path) -> list[str]:
    """Read the texts of a file of {"text"} lines.

    Raises:
        SuiteError: the file is empty, or a line cannot be read; says which line.
    """
    texts = []
    for number, row in _lines(path):
        if not isinstance(row.get("text"), str) or not row["text"].strip():
            raise SuiteError(path, "there is no text", line=number)
        texts.append(row["text"])
    return texts


def score_cases(
    model: FillModel, cases: Sequence[Case], *, among: Tokens | None = None
) -> list[CaseScore | None]:
    """One score per case, at its first mask; None if the model can say no wanted or no unwanted word.

    Ranks are among the tokens `among`, those that may be offered when None.
    """
    rows = model.log_probabilities([model.encoder.encode(case.text) for case in cases])
    return score_rows(model, cases, rows, among=among)


def score_rows(
    model: FillModel, cases: Sequence[Case], rows: Sequence[Floats], *, among: Tokens | None = None
) -> list[CaseScore | None]:
    """Like `score_cases`, from answers that exist already: one (masks, vocabulary) array per case."""
    among = model.offered if among is None else among
    return [_score(model, case, logs[0], among) for case, logs in zip(cases, rows, strict=True)]


def summary(scores: Iterable[CaseScore | None]) -> dict[str, Any]:
    """Means over the cases that were scored, in the shape that `evaluate --json` prints."""
    all_scores = list(scores)
    scored = [score for score in all_scores if score is not None]
    mean: dict[str, Any] = {"cases": len(scored), "skipped": len(all_scores) - len(scored)}
    for name, of_case in MEANS.items():
        mean[name] = round(float(np.mean([getattr(s, of_case) for s in scored])), 4) if scored else None
    return mean


def evaluate(model: FillModel, cases: Sequence[Case], texts: Sequence[str] = ()) -> dict[str, Any]:
    """Return the object that `evaluate --json` prints: all cases, each group, and the pseudo-perplexity."""
    scores = score_cases(model, cases)
    groups = sorted({case.group for case in cases})
    return {
        "version": model.version,
        "all": summary(scores),
        "groups": {
            group: summary(s for s, case in zip(scores, cases, strict=True) if case.group == group)
            for group in groups
        },
        "pseudo_perplexity": round(pseudo_perplexity(model, texts), 4) if texts else None,
    }


def _score(model: FillModel, case: Case, logs: Floats, among: Tokens) -> CaseScore | None:
    wanted, unwanted = _tokens(model, case.wanted), _tokens(model, case.unwanted)
    if not len(wanted) or not len(unwanted):
        return None
    p_wanted, p_unwanted = float(np.exp(logs[wanted]).sum()), float(np.exp(logs[unwanted]).sum())
    rank_wanted, rank_unwanted = _ranks(logs, wanted, among), _ranks(logs, unwanted, among)
    shown = min(5, len(among))
    best = among[np.argpartition(-logs[among], shown - 1)[:shown]]
    wanted_of_best = int(np.isin(best, wanted).sum())
    return CaseScore(
        group=case.group,
        wanted_share=p_wanted / max(p_wanted + p_unwanted, 1e-30),
        hit_at_1=bool((rank_wanted < 1).any()),
        hit_at_5=bool((rank_wanted < 5).any()),
        hit_at_10=bool((rank_wanted < 10).any()),
        precision_at_5=wanted_of_best / 5,
        unjudged_at_5=int((~np.isin(best, [*wanted, *unwanted])).sum()),
        reciprocal_rank=1 / (1 + int(rank_wanted.min())),
        unwanted_at_10=int((rank_unwanted < 10).sum()),
    )


def _ranks(logs: Floats, tokens: Tokens, among: Tokens) -> Tokens:
    """Ranks of `tokens` in `among`, from 0. logs (vocabulary,), tokens (n,) → (n,)."""
    better: Tokens = (logs[among][None, :] > logs[tokens][:, None]).sum(axis=1)
    return better


def _tokens(model: FillModel, words: Sequence[str]) -> Tokens:
    return np.unique(np.asarray(model.tokens_of(words), dtype=np.int64))


def _lines(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    try:
        content = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(path, f"it cannot be read ({error})") from error
    if not content.strip():
        raise SuiteError(path, "it is empty")
    # Not splitlines(): a text may contain U+2028.
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_once)
            json.dumps(row, ensure_ascii=False).encode()  # "\\ud800", a lone surrogate, is not valid text
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise SuiteError(path, f"this is not JSON ({reason})", line=number) from error
        if not isinstance(row, dict):
            raise SuiteError(path, "this is not a JSON object", line=number)
        yield number, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject an object with a duplicate key, of which json would drop one silently."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
