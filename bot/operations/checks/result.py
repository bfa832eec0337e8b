"""One finding of the check, and the table of all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bot.errors import EX_UNAVAILABLE
from storage.settings import EX_CONFIG

Mark = Literal["✓", "✗", "–"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with one sentence on how to fix it if it failed."""

    name: str
    mark: Mark
    detail: str
    fix: str = ""
    exit_code: int = EX_CONFIG  # if the check failed


def passed(name: str, detail: str) -> Finding:
    """Return the finding of a check that passed."""
    return Finding(name, "✓", detail)


def failed(name: str, detail: str, fix: str) -> Finding:
    """Return the finding of a check that failed because of a setting, here or on Discord."""
    return Finding(name, "✗", detail, fix)


def unavailable(name: str, detail: str, fix: str) -> Finding:
    """Return the finding of a check that failed because something is missing, full or damaged."""
    return Finding(name, "✗", detail, fix, EX_UNAVAILABLE)


def skipped(name: str, detail: str) -> Finding:
    """Return the finding of a check that does not apply."""
    return Finding(name, "–", detail)


def table(findings: Iterable[Finding]) -> str:
    """All findings, one per line, each fix below its finding."""
    rows = list(findings)
    width = max((len(row.name) for row in rows), default=0)
    lines = []
    for row in rows:
        lines.append(f"{row.mark} {row.name:<{width}}  {row.detail}".rstrip())
        if row.mark == "✗":
            lines.append(f"  {'':<{width}}  → {row.fix}")
    return "\n".join(lines)


def exit_code_of(findings: Iterable[Finding]) -> int:
    """0 if no check failed; otherwise 78 before 69, because waiting does not repair a setting."""
    codes = {row.exit_code for row in findings if row.mark == "✗"}
    return max(codes, default=0)
