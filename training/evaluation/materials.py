"""Suites and texts that models are compared on: the shipped ones, or files."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.settings import DomainSettings, Settings

if TYPE_CHECKING:
    from training.evaluation.metrics import Case

POSITIVE, HELD_OUT = "positive", "held-out"  # generated from test patterns, and from the corpus
OWN_SUITES = ("main", "control", "retention", POSITIVE)
OWN_TEXTS = ("texts", HELD_OUT)


def suites_of(names: Sequence[str]) -> dict[str, list["Case"]]:
    """Name → cases, of files and of `OWN_SUITES`.

    Raises:
        SuiteError: a file is empty or cannot be read.
    """
    from training.evaluation.metrics import read_suite, shipped_suite

    suites: dict[str, list[Case]] = {}
    for name in names:
        if name == POSITIVE:
            from training.evaluation.generated_suite import positive_cases

            suites[name] = positive_cases()
        else:
            path = Path(name)
            is_own = name in OWN_SUITES
            suites[name if is_own else _name(path, suites)] = (
                shipped_suite(name) if is_own else read_suite(path)
            )
    return suites


def texts_of(names: Sequence[str], settings: Settings, *, most: int) -> dict[str, list[str]]:
    """Name → texts, of files and of `OWN_TEXTS`; at most `most` of each, sampled with a fixed seed.

    Raises:
        SuiteError: a file is empty or cannot be read.
        CsvError: one of the team's files cannot be read.
    """
    from training.evaluation.metrics import read_texts, shipped_texts

    sets: dict[str, list[str]] = {}
    for name in names:
        if name == HELD_OUT:
            sets |= _held_out(settings)
        else:
            is_own = name in OWN_TEXTS
            texts = shipped_texts() if is_own else read_texts(Path(name))
            if texts:
                sets[name if is_own else _name(Path(name), sets)] = texts
    return {name: _drawn(texts, most) for name, texts in sets.items()}


def _name(path: Path, taken: Mapping[str, object]) -> str:
    return str(path) if path.stem in taken else path.stem


def _held_out(settings: Settings) -> dict[str, list[str]]:
    """Texts that no domain model was trained on: generated ones, and the team's where there are any."""
    from training.corpus.domain_corpus import GENERATED, build_corpus

    # The held-out side is the same however many sentences there are to train on.
    corpus = build_corpus(settings, DomainSettings(sentences=100))
    sets: dict[str, list[str]] = {}
    for text in corpus.held_out:
        kind = "generated" if text.source == GENERATED else "team"
        sets.setdefault(f"{HELD_OUT} {kind}", []).append(text.text)
    return sets


def _drawn(texts: list[str], most: int) -> list[str]:
    return random.Random(0).sample(texts, most) if len(texts) > most else texts  # noqa: S311 — no secret
