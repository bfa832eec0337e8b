"""Plain-text tables for people."""

from collections.abc import Collection, Sequence
from typing import Any


def aligned(header: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Collection[str] = ()) -> str:
    """Columns side by side: those whose header is in `numbers` to the right, all others to the left."""
    cells = [header, *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [">" if name in numbers else "<" for name in header]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)
