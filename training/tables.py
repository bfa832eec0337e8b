"""Plain-text tables for people."""

from collections.abc import Collection, Sequence
from typing import Any

MAX_WIDTH = 120
GAP = "  "


def aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    numbers: Collection[str] = (),
    max_width: int = MAX_WIDTH,
) -> str:
    """Align columns. Those beyond the width continue in further blocks, which repeat the first column.

    Args:
        header: one name per column.
        rows: cells; whole numbers are written with commas.
        numbers: names of the right-aligned columns.
        max_width: characters per line. A wider cell is not cut.
    """
    cells = [header, *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [">" if name in numbers else "<" for name in header]
    blocks: list[list[int]] = [[]]
    width = widths[0]
    for column in range(1, len(header)):
        width += len(GAP) + widths[column]
        if blocks[-1] and width > max_width:
            blocks.append([])
            width = widths[0] + len(GAP) + widths[column]
        blocks[-1].append(column)
    return "\n\n".join(
        "\n".join(GAP.join(f"{row[i]:{sides[i]}{widths[i]}}" for i in (0, *block)).rstrip() for row in cells)
        for block in blocks
    )
