"""How a run ended."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # drawing a plot starts faster without SQLAlchemy
    from storage.runs import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status and sentence that people read, and what the `runs` table stores.

    The sentence is a `Sentence` wherever the bot may have to translate it.
    """

    status: "Status"
    sentence: str
    version: str | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
