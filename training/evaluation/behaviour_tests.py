"""Behaviour tests in the style of CheckList (Ribeiro et al. 2005.04118), which the team can edit.

Three kinds, explained in behaviour.yaml: *minimum*, words that must or must not be among the best;
*invariance*, a brand, a person or a typo that must not change the answer; *direction*, a change of the
sentence that must move words up or down.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from storage.sentences import Sentence
from training.corpus.language import language
from training.corpus.yaml_files import read_yaml
from training.errors import BehaviourError, QueryTooLongError
from training.inference.encoder import MASK_PATTERN
from training.inference.fill_model import FillModel, Floats

TOP = 5  # best words that two answers are compared by
# A threshold missed by no more than this is borderline: noise of training, not a change of behaviour.
TOLERANCE_NATS = 0.25  # of a probability: a factor of 1.3
TOLERANCE_WORDS = 1  # of those that two answers share

Answers = Mapping[str, Floats]  # text → (vocabulary,) natural-log probabilities at its mask


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test; `text` is for people."""

    name: str
    outcome: Literal["passed", "borderline", "failed"]
    text: Sentence

    @property
    def passed(self) -> bool:
        """Whether the threshold was reached."""
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True)
class Opinions:
    """Words, in lower case, on which the team's judgements contradict what a test usually takes for granted.

    Attributes:
        rejected: good words that the team rejects.
        accepted: bad words that the team accepts.
        wanted: all words that the team accepts. They may push the words of a test down.
    """

    rejected: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()

    def left_of(self, words: Sequence[str] | None, contradicted: frozenset[str]) -> list[str] | None:
        """Return the words without the contradicted ones; None if none is left."""
        return [word for word in words or () if word.lower() not in contradicted] or None


def _one_mask(text: str) -> str:
    if len(MASK_PATTERN.findall(text)) != 1:
        raise ValueError("it needs exactly one [MASK]")
    return text


def _split(words: object) -> object:
    return [word.strip() for word in words.split(",")] if isinstance(words, str) else words


Text = Annotated[str, AfterValidator(_one_mask)]
Word = Annotated[str, Field(min_length=1)]
Words = Annotated[list[Word], BeforeValidator(_split), Field(min_length=1)]


class _Test(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)

    @property
    @abstractmethod
    def queries(self) -> tuple[str, ...]:
        """The texts that the model answers, each with one mask."""

    @abstractmethod
    def result(self, model: FillModel, answers: Answers) -> Result | None:
        """Return the result; None if the model can say none of the words."""

    @abstractmethod
    def without(self, opinions: "Opinions") -> "_Test | None":
        """Leave out the words that the team judged otherwise; return None if nothing is left to test."""

    def _result(self, margin: float, tolerance: float, text: Sentence) -> Result:
        """Return the result for a margin above the threshold (0: just reached)."""
        outcome: Literal["passed", "borderline", "failed"] = "passed"
        if margin < 0:
            outcome = "borderline" if margin >= -tolerance else "failed"
        return Result(self.name, outcome, text)


class Minimum(_Test):
    """At least one of some words, and none of others, among the best."""

    text: Text
    any_of: Words | None = None
    none_of: Words | None = None
    top: int = Field(default=10, ge=1, le=100)
    _passed_over: frozenset[str] = frozenset()  # words whose places do not count

    @model_validator(mode="after")
    def _needs_words(self) -> "Minimum":
        if self.any_of is None and self.none_of is None:
            raise ValueError("it needs any_of, none_of or both")
        return self

    @property
    def queries(self) -> tuple[str, ...]:
        """A single text."""
        return (self.text,)

    def without(self, opinions: Opinions) -> "Minimum | None":
        """Keep the words that are not contradicted; those that the team accepts may push them down."""
        any_of = opinions.left_of(self.any_of, opinions.rejected)
        none_of = opinions.left_of(self.none_of, opinions.accepted)
        if (any_of, none_of) == (None, None) or (self.any_of is not None and any_of is None):
            return None
        mine = {word.lower() for word in (*(any_of or ()), *(none_of or ()))}
        changed = self.model_copy(update={"any_of": any_of, "none_of": none_of})
        changed._passed_over = opinions.wanted - mine
        return changed

    def result(self, model: FillModel, answers: Answers) -> Result | None:
        """Return the margin, in nats, to the last of the best other words."""
        logs = self._passing_over(model, answers[self.text])
        margins, texts = [], []
        for words, sign, must in (
            (self.any_of, 1, Sentence("must")),
            (self.none_of, -1, Sentence("must not")),
        ):
            if not (tokens := model.tokens_of(words or ())):
                continue
            best = max(tokens, key=lambda token: logs[token])
            others = [token for token in model.best(logs, self.top + 1) if token != best]
            margins.append(sign * float(logs[best] - logs[others[: self.top][-1]]))
            place = 1 + int((logs[model.offered] > logs[best]).sum())
            texts.append(
                Sentence(
                    '"{word}" is number {place} and {must} be in the top {top}',
                    word=model.word_of(best),
                    place=place,
                    must=must,
                    top=self.top,
                )
            )
        text = Sentence("{texts:; }", texts=texts)
        return self._result(min(margins), TOLERANCE_NATS, text) if margins else None

    def _passing_over(self, model: FillModel, logs: Floats) -> Floats:
        """(vocabulary,) log-probabilities with the words that do not count below all others."""
        tokens = model.tokens_of(self._passed_over)
        if tokens:
            logs = logs.copy()
            logs[tokens] = -np.inf
        return logs


class Invariance(_Test):
    """Texts whose best words must largely be those of the first text."""

    texts: Annotated[list[Text], Field(min_length=2)]
    keep: int = Field(default=3, ge=1, le=TOP)

    @property
    def queries(self) -> tuple[str, ...]:
        """All texts, the first of which the others are compared with."""
        return tuple(self.texts)

    def without(self, opinions: Opinions) -> "Invariance":
        """Return the test itself: it names no words."""
        del opinions
        return self

    def result(self, model: FillModel, answers: Answers) -> Result:
        """Return the margin, in words, of the text that shares the fewest."""
        first, *others = (set(model.best(answers[text], TOP)) for text in self.texts)
        shared, text = min(
            (len(first & best), text) for best, text in zip(others, self.texts[1:], strict=True)
        )
        return self._result(
            shared - self.keep,
            TOLERANCE_WORDS,
            Sentence(
                '"{text}" has {shared} of the top {top} of "{first}" and must have {keep}',
                text=text,
                shared=shared,
                top=TOP,
                first=self.texts[0],
                keep=self.keep,
            ),
        )


class Direction(_Test):
    """A change of the text that must move some words' share of the probability up or down."""

    before: Text
    after: Text
    words: Words
    moves: Literal["up", "down"]
    times: float = Field(default=1.0, ge=1, le=1000)

    @property
    def queries(self) -> tuple[str, ...]:
        """The text without and with the change."""
        return (self.before, self.after)

    def without(self, opinions: Opinions) -> "Direction | None":
        """Keep the words without judgements: a rejected word is as rare before the change as after it."""
        words = opinions.left_of(self.words, opinions.rejected | opinions.accepted)
        return None if words is None else self.model_copy(update={"words": words})

    def result(self, model: FillModel, answers: Answers) -> Result | None:
        """Return the margin, in nats, between the actual and the required factor of the share."""
        tokens = model.tokens_of(self.words)
        if not tokens:
            return None
        before, after = (float(np.logaddexp.reduce(answers[text][tokens])) for text in self.queries)
        sign = 1 if self.moves == "up" else -1
        shown = ", ".join([*self.words[:3], *(["…"] if len(self.words) > 3 else [])])
        text = Sentence(
            "the share of {words} goes from {before:.3f} to {after:.3f} and must go {moves}",
            words=shown,
            before=float(np.exp(before)),
            after=float(np.exp(after)),
            moves=Sentence("up") if self.moves == "up" else Sentence("down"),
        )
        if self.times > 1:
            text = Sentence("{text} by a factor of {times:g}", text=text, times=self.times)
        return self._result(sign * (after - before) - np.log(self.times), TOLERANCE_NATS, text)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    minimum: list[Minimum] = []
    invariance: list[Invariance] = []
    direction: list[Direction] = []


Tests = Sequence[Minimum | Invariance | Direction]


def shipped() -> Path:
    """Return the file of the tests that ship, in the language of the corpus."""
    return language().suites / "behaviour.yaml"


def read_behaviour(path: Path) -> Tests:
    """Return the tests of a file.

    Raises:
        BehaviourError: the file or one of its entries cannot be read; says which.
    """
    try:
        content = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BehaviourError(
            path, Sentence("it cannot be read ({reason})", reason=" ".join(str(error).split()))
        ) from error
    if not isinstance(content, dict):
        raise BehaviourError(path, Sentence("it contains no tests"))
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise BehaviourError(path, _sentence(first["msg"]), where=_place(first["loc"], content)) from error
    return (*file.minimum, *file.invariance, *file.direction)


def run_behaviour(model: FillModel, tests: Tests, *, path: Path | None = None) -> list[Result | None]:
    """One result a test; None if the model can say none of its words.

    Raises:
        BehaviourError: a text is too long for the model; says in which test of the file at `path`, or of the
            shipped one.
    """
    encoded = {}
    for test in tests:
        for query in test.queries:
            try:
                encoded[query] = model.encoder.encode(query)
            except QueryTooLongError as error:
                reason = Sentence(
                    "it has {tokens} word pieces, and the model reads at most {max_tokens}",
                    tokens=error.tokens,
                    max_tokens=error.max_tokens,
                )
                raise BehaviourError(path or shipped(), reason, where=f'"{test.name}"') from error
    rows = model.log_probabilities(list(encoded.values()))
    answers = {query: row[0] for query, row in zip(encoded, rows, strict=True)}
    return [test.result(model, answers) for test in tests]


def new_failures(before: Iterable[Result | None], after: Iterable[Result | None]) -> list[Result]:
    """Return tests that the first model passes and the second fails by more than the tolerance."""
    return [
        new
        for old, new in zip(before, after, strict=True)
        if old is not None and new is not None and old.passed and new.outcome == "failed"
    ]


def _place(location: tuple[int | str, ...], content: object) -> str:
    """Return the position in the file, for people: kind, number and name of the entry, and field."""
    match location:
        case (str(kind), int(index), *rest):
            entry = content[kind][index] if isinstance(content, Mapping) else None
            name = entry.get("name") if isinstance(entry, Mapping) else None
            at = [f"{kind}, entry {index + 1}" + (f' ("{name}")' if name else "")]
            return ", ".join([*at, *(str(part) for part in rest if isinstance(part, str))])
        case _:
            return ", ".join(map(str, location))


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
