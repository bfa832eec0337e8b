"""Writes labelled sentences from the patterns in `patterns/*.yaml` and the words in `words/`.

A pattern file is a list of groups; each has a `reason` (what its sentences are about), a `sentiment`,
an optional `weight` for each of its patterns, and its `patterns`, one a line, in the language that
templates.py describes.
"""

import functools
import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from training.corpus.lexicon import CorpusError, load_lexicon
from training.corpus.templates import Template, TemplateCompiler
from training.corpus.yaml_files import read_yaml

PATTERNS_DIR = Path(__file__).parent / "patterns"
MASK = "[MASK]"
TEST_SHARE = 10  # one pattern in ten is kept for tests
MAX_REWRITES = 25  # attempts to find a sentence that is not there yet, before a repetition is allowed

Sentiment = Literal["positive", "negative", "neutral"]
Split = Literal["train", "test"]


class UnknownReasonError(CorpusError):
    """No pattern has one of the reasons asked for."""

    def __init__(self, reasons: Collection[str], *, known: Collection[str]) -> None:
        asked, choices = ", ".join(sorted(reasons)), ", ".join(sorted(known))
        super().__init__(f"No pattern has the reason {asked}. Choose from: {choices}.")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A generated sentence.

    Attributes:
        text: The sentence, with its final punctuation.
        sentiment: What it says of the product or the service.
        reason: What it is about, such as "complaint_quality"; the same word as its pattern's.
        pattern_id: The pattern that it was written from.
        focus: Character span of the word that a query would mask, None if the pattern marks none.
    """

    text: str
    sentiment: Sentiment
    reason: str
    pattern_id: str
    focus: tuple[int, int] | None

    @property
    def query(self) -> str:
        """The text with its focus masked; the text itself where there is no focus."""
        if self.focus is None:
            return self.text
        return self.text[: self.focus[0]] + MASK + self.text[self.focus[1] :]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence pattern as it stands in its file.

    Attributes:
        id: Reason and hash of the text, so that an edited pattern is a new one and the others keep theirs.
        text: The pattern, slots and focus marks included.
        sentiment: What its sentences say of the product or the service.
        reason: What its sentences are about; reasons with a common start belong together ("complaint_…").
        weight: How often it is used, relative to the others.
    """

    id: str
    text: str
    sentiment: Sentiment
    reason: str
    weight: float

    @property
    def split(self) -> Split:
        """The side of the split that the pattern is on, by hash of its id."""
        return (
            "test" if int(hashlib.sha256(self.id.encode()).hexdigest()[:8], 16) % TEST_SHARE == 0 else "train"
        )


@functools.cache
def load_patterns() -> tuple[Pattern, ...]:
    """Read every pattern file; the answer is kept, so only the first call takes time (about 20 ms)."""
    patterns = []
    for path in sorted(PATTERNS_DIR.glob("*.yaml")):
        for group in read_yaml(path):
            for line in group["patterns"].splitlines():
                text, reason = line.strip(), group["reason"]
                digest = hashlib.sha256(text.encode()).hexdigest()[:8]
                weight = float(group.get("weight", 1))
                patterns.append(Pattern(f"{reason}.{digest}", text, group["sentiment"], reason, weight))
    return tuple(patterns)


@functools.cache
def _load_templates() -> dict[str, Template]:
    compiler = TemplateCompiler(load_lexicon())
    return {pattern.id: compiler.compile(pattern.text) for pattern in load_patterns()}


def select_patterns(*, reasons: Collection[str] | None = None, split: Split | None = None) -> list[Pattern]:
    """Return the patterns whose reason starts with one of `reasons`, on one side of the split.

    Raises:
        UnknownReasonError: No pattern's reason starts with any of `reasons`.
    """
    patterns = load_patterns()
    if reasons is not None:
        known = {pattern.reason for pattern in patterns}
        patterns = tuple(pattern for pattern in patterns if pattern.reason.startswith(tuple(reasons)))
        if not patterns:
            raise UnknownReasonError(reasons, known=known)
    return [pattern for pattern in patterns if split in (None, pattern.split)]


def generate(
    count: int, *, seed: int, reasons: Collection[str] | None = None, split: Split | None = None
) -> list[Sentence]:
    """Write sentences; the same arguments always give the same ones.

    Args:
        count: How many sentences.
        seed: Seeds the choice of patterns and words.
        reasons: Starts of the reasons to use ("complaint", "negation_never"); None for all.
        split: "train" leaves the test patterns out, "test" uses only them, None uses all.

    Returns:
        `count` sentences, without repetition as long as the chosen patterns have enough to say.

    Raises:
        UnknownReasonError: No pattern's reason starts with any of `reasons`.
    """
    patterns = select_patterns(reasons=reasons, split=split)
    templates = _load_templates()
    cumulative = list(accumulate(pattern.weight for pattern in patterns))
    rng = random.Random(seed)  # noqa: S311 — for choosing words, not for secrets
    sentences: list[Sentence] = []
    seen: set[str] = set()
    for _ in range(count):
        for _ in range(MAX_REWRITES):
            pattern = rng.choices(patterns, cum_weights=cumulative)[0]
            text, focus = templates[pattern.id].write(rng)
            if text not in seen:
                break
        seen.add(text)
        sentences.append(Sentence(text, pattern.sentiment, pattern.reason, pattern.id, focus))
    return sentences
