"""How a run ended."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the database is not loaded for a type: a picture is drawn sooner
    from storage.runs import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """Status, one sentence for people, and what the `runs` table keeps."""

    status: "Status"
    sentence: str
    version: str | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
