"""Render the publishable figures of a card as Markdown. Pure.

A card holds free-form mappings, and a publication cannot be undone. So only values known to be harmless are
shown: no string that could be a query, no id of a person, no path.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_ROWS = 60
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}(?:@[0-9]{1,4})?")
_LONG_NUMBER = re.compile(r"[0-9]{5}")  # as in a person's id
_MAX_COUNT = 10**12  # above: an id, not a count
_CHOICE = re.compile(r"[a-z][a-z0-9 .-]{0,15}")  # "curated", "bf16": too short and plain for a secret
_PATH = re.compile(r"(?<!\w)(?:[A-Za-z]:)?[~.]*[/\\]\S+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")

Rows = list[tuple[str, str]]


def is_name(name: Any) -> bool:
    """Whether this is the name of a figure, and not a query, an id or a path."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not _LONG_NUMBER.search(name)


def plain(text: str) -> str:
    """Escape Markdown and HTML in a text, put it on one line and remove paths."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return _MARKDOWN.sub(r"\\\1", _PATH.sub("…", " ".join(printable.split())))


def rows(values: Any) -> Rows:
    """Return name and value of the figures and short choices, such as `curated`, in nested mappings."""
    return [(f"`{'/'.join(path)}`", value) for path, value in _leaves(values, with_choices=True)]


def counts(values: Any) -> Rows:
    """Return counts by name; those with unpublishable names are summed as `others`."""
    totals: dict[str, int] = {}
    for name, count in values.items() if isinstance(values, Mapping) else ():
        if isinstance(count, int) and not isinstance(count, bool):
            shown = f"`{name}`" if is_name(name) else "others"
            totals[shown] = totals.get(shown, 0) + count
    return [(name, figure(count)) for name, count in totals.items()]


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table of at most `MAX_ROWS` rows; empty without rows."""
    if not lines:
        return ""
    shown = [head, ["---"] * len(head), *lines[:MAX_ROWS]]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in shown)
    left_out = len(lines) - MAX_ROWS
    return f"{drawn}\n\n… and {left_out} more." if left_out > 0 else drawn


def tables(metrics: Mapping[str, Any]) -> list[str]:
    """Format one table per set of figure names: groups down, figures across."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for path, value in _leaves(metrics):
        groups.setdefault(path[:-1], {})[path[-1]] = value
    by_names: dict[tuple[str, ...], list[list[str]]] = {}
    for group, figures in groups.items():
        name = f"`{'/'.join(group)}`" if group else "this version"
        by_names.setdefault(tuple(figures), []).append([name, *figures.values()])
    return [table(["", *(f"`{name}`" for name in names)], lines) for names, lines in by_names.items()]


def figure(value: Any) -> str:
    """Format a number, a boolean or an interval of two numbers; empty for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < _MAX_COUNT else ""
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else ""
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = (figure(end) if isinstance(end, float) else "" for end in value)
        return f"{low} to {high}" if low and high else ""
    return ""


def _leaves(
    values: Any, path: tuple[str, ...] = (), *, with_choices: bool = False
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every publishable value in nested mappings, with its path of names."""
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if not is_name(name):
            continue
        if isinstance(value, Mapping) and len(path) < 4:
            yield from _leaves(value, (*path, name), with_choices=with_choices)
        elif shown := figure(value):
            yield (*path, name), shown
        elif with_choices and isinstance(value, str) and _CHOICE.fullmatch(value):
            yield (*path, name), value
