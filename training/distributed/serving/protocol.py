"""The protocol between bot and service: JSON over HTTP, validated on both sides.

A request holds queries; the reply holds an answer for each, in the same order. Every answer names the one
version that produced it. Floats survive the round trip unchanged.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from training.inference.fill_model import Candidate
from training.inference.joint_filling import JointAnswer, JointFilling, Unsaid

PATH = "/fill"
MAX_QUERIES = 64  # per request
MAX_REQUEST_BYTES = 1 << 20
MAX_REPLY_BYTES = 4 << 20  # 64 queries of five masks are 0.4 MB

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Version = Annotated[str, StringConstraints(pattern=r"^v[0-9]{4,9}$")]
Share = Annotated[float, Field(ge=0, le=1.001, allow_inf_nan=False)]  # exp of a float32 may pass 1
Log = Annotated[float, Field(le=0.001, allow_inf_nan=False)]
Mask = Annotated[int, Field(ge=0, lt=64)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FillQuery(_Message):
    """One query, and the words that must not be offered in it."""

    text: Text
    unsaid: Annotated[tuple[tuple[Mask, Word], ...], Field(max_length=2000)] = ()

    @classmethod
    def of(cls, text: str, unsaid: Unsaid) -> "FillQuery":
        """Build it from the predictor's arguments."""
        return cls(text=text, unsaid=tuple(sorted(unsaid)))


class Request(_Message):
    """A batch of queries."""

    queries: Annotated[tuple[FillQuery, ...], Field(min_length=1, max_length=MAX_QUERIES)]


class FillAnswer(_Message):
    """An answer: (word, token, score) for each candidate of each mask, and (words, logs) of each filling."""

    kind: Literal["filled"] = "filled"
    version: Version
    masks: tuple[Annotated[tuple[tuple[Word, int, Share], ...], Field(min_length=1)], ...]
    fillings: tuple[tuple[tuple[Word, ...], tuple[Log, ...]], ...]

    @classmethod
    def of(cls, version: str, answer: JointAnswer) -> "FillAnswer":
        """Build it from a model's answer."""
        return cls(
            version=version,
            masks=tuple(tuple((c.word, c.token, c.score) for c in mask) for mask in answer.masks),
            fillings=tuple((one.words, one.log_probabilities) for one in answer.fillings),
        )

    def answer(self) -> JointAnswer:
        """Return the answer as a local model returns it."""
        masks = tuple(tuple(Candidate(*one) for one in mask) for mask in self.masks)
        return JointAnswer(masks, tuple(JointFilling(*one) for one in self.fillings))

    def fits(self, masks: int) -> bool:
        """Whether it can answer a query with this number of masks."""
        sizes = {len(part) for one in self.fillings for part in one}
        return len(self.masks) == masks and sizes == ({masks} if masks > 1 else set())


class TooLong(_Message):
    """The query has more word pieces than the version reads."""

    kind: Literal["too_long"] = "too_long"
    tokens: int
    max_tokens: int


class Reply(_Message):
    """An answer for each query, in their order."""

    answers: tuple[Annotated[FillAnswer | TooLong, Field(discriminator="kind")], ...]
