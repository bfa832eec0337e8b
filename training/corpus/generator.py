"""Generates labelled sentences from the patterns and word lists of the corpus's language.

A pattern file is a list of groups. Each has a `topic` (the subject of its sentences), a `sentiment`, an
optional `weight` that applies to each of its patterns, and its `patterns`, one per line, in the language of
`templates.py`.
"""

import functools
import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from training.corpus.language import language
from training.corpus.lexicon import CorpusError, load_lexicon
from training.corpus.templates import Template, TemplateCompiler
from training.corpus.yaml_files import read_yaml
from training.progress import NO_PROGRESS, Progress

MASK = "[MASK]"
TEST_ONE_IN = 10  # patterns; generated test sentences come from these alone
ADVANCE_EVERY = 500  # sentences
MAX_REWRITES = 25  # attempts to find a new sentence before a repetition is allowed

Sentiment = Literal["positive", "negative", "neutral"]
Split = Literal["train", "test"]


class UnknownTopicError(CorpusError):
    """No pattern has one of the requested topics."""

    def __init__(self, topics: Collection[str], *, known: Collection[str]) -> None:
        asked, choices = ", ".join(sorted(topics)), ", ".join(sorted(known))
        super().__init__(f"No pattern has the topic {asked}. Choose from: {choices}.")


@dataclass(frozen=True, slots=True)
class GeneratedSentence:
    """A generated sentence.

    Attributes:
        text: The sentence with its final punctuation.
        sentiment: The sentiment towards the product or the service.
        topic: The subject, such as "complaint_quality".
        pattern_id: The pattern of the sentence.
        focus: Character span of the word that a query would mask, or None.
    """

    text: str
    sentiment: Sentiment
    topic: str
    pattern_id: str
    focus: tuple[int, int] | None

    @property
    def query(self) -> str:
        """The text with its focus masked, if it has one."""
        if self.focus is None:
            return self.text
        return self.text[: self.focus[0]] + MASK + self.text[self.focus[1] :]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence pattern.

    Attributes:
        id: Topic and hash of the text, so that editing a pattern changes only its own id.
        text: The pattern with its slots and focus marks.
        sentiment: The sentiment of its sentences.
        topic: The subject of its sentences; related topics have a common prefix ("complaint_…").
        weight: How often it is used, relative to other patterns.
    """

    id: str
    text: str
    sentiment: Sentiment
    topic: str
    weight: float

    @property
    def split(self) -> Split:
        """The side of the split, by hash of the id."""
        digest = hashlib.sha256(self.id.encode()).hexdigest()
        return "test" if int(digest[:8], 16) % TEST_ONE_IN == 0 else "train"


def load_patterns(*, starter: bool = False) -> tuple[Pattern, ...]:
    """Read the patterns of the corpus's language. Cached; the first call takes about 20 ms.

    Args:
        starter: Read those that only the starter learns: a base model knows such sentences, and nights have
            nothing to teach it.
    """
    return _read_patterns(language().starter_patterns if starter else language().patterns)


@functools.cache
def _read_patterns(folder: Path) -> tuple[Pattern, ...]:
    patterns = []
    for path in sorted(folder.glob("*.yaml")):
        for group in read_yaml(path):
            for line in group["patterns"].splitlines():
                text, topic = line.strip(), group["topic"]
                digest = hashlib.sha256(text.encode()).hexdigest()[:8]
                weight = float(group.get("weight", 1))
                patterns.append(Pattern(f"{topic}.{digest}", text, group["sentiment"], topic, weight))
    return tuple(patterns)


@functools.cache
def _load_templates(patterns: tuple[Pattern, ...]) -> dict[str, Template]:
    compiler = TemplateCompiler(load_lexicon())
    return {pattern.id: compiler.compile(pattern.text) for pattern in patterns}


def select_patterns(
    *, topics: Collection[str] | None = None, split: Split | None = None, starter: bool = False
) -> list[Pattern]:
    """Return the patterns whose topic starts with one of `topics`, on one side of the split.

    Raises:
        UnknownTopicError: No pattern's topic starts with any of `topics`.
    """
    patterns = load_patterns(starter=starter)
    if topics is not None and patterns:
        known = {pattern.topic for pattern in patterns}
        patterns = tuple(pattern for pattern in patterns if pattern.topic.startswith(tuple(topics)))
        if not patterns:
            raise UnknownTopicError(topics, known=known)
    return [pattern for pattern in patterns if split in (None, pattern.split)]


def generate(
    count: int,
    *,
    seed: int,
    topics: Collection[str] | None = None,
    split: Split | None = None,
    starter: bool = False,
    progress: Progress = NO_PROGRESS,
) -> list[GeneratedSentence]:
    """Generate sentences; deterministic in the arguments.

    Args:
        count: Number of sentences.
        seed: Seed of the choice of patterns and words.
        topics: Prefixes of the topics to use ("complaint", "negation_never"); None for all.
        split: "train" leaves out the test patterns, "test" uses only them, None uses all.
        starter: Use the patterns that only the starter learns.
        progress: Advanced with the sentences.

    Returns:
        `count` sentences, without repetitions unless the patterns have too few variants; none in a language
        without patterns.

    Raises:
        UnknownTopicError: No pattern's topic starts with any of `topics`.
    """
    patterns = select_patterns(topics=topics, split=split, starter=starter)
    if not patterns:
        return []
    templates = _load_templates(load_patterns(starter=starter))
    cumulative = list(accumulate(pattern.weight for pattern in patterns))
    rng = random.Random(seed)  # noqa: S311 — for choosing words, not for secrets
    sentences: list[GeneratedSentence] = []
    seen: set[str] = set()
    for number in range(1, count + 1):
        for _ in range(MAX_REWRITES):
            pattern = rng.choices(patterns, cum_weights=cumulative)[0]
            text, focus = templates[pattern.id].write(rng)
            if text not in seen:
                break
        seen.add(text)
        sentences.append(GeneratedSentence(text, pattern.sentiment, pattern.topic, pattern.id, focus))
        if number % ADVANCE_EVERY == 0:
            progress.advance(ADVANCE_EVERY)
    progress.advance(count % ADVANCE_EVERY)
    return sentences
