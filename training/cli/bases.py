"""`bases`: base models side by side, on the same work."""

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from training.cli.output import Commands, print_json
from training.cli.plots import png_file
from training.progress import TerminalProgress
from training.settings import Settings
from training.tables import aligned

if TYPE_CHECKING:
    from training.simulation.bases import BaseReport

HEADER = (
    "base", "kind", "licence", "MB", "known", "control", "wanted", "after a night", "gate", "ms", "memory MB",
    "serves in",
)  # fmt: skip
NUMBERS = ("MB", "known", "control", "wanted", "after a night", "ms", "memory MB")
LEGEND = """
known          easy blanks, of any text of the language, that it fills in
control        share of the words that fit complaints and negations, before the night
wanted         share of the wanted words among wanted and unwanted ones, on praise without votes: before, and
               after a night that learns from five people's votes on 40 other sentences, 10 % of them wrong
ms, memory MB  median of a query, and the most memory of a process that answers one
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add("bases", _bases, "compare base models: what they know, learn and cost")
    command.add_argument("names", nargs="+", metavar="FOLDER|NAME", help="base models")
    command.add_argument("--out", type=png_file, metavar="FILE", help="also draw it, as PNG")


def _bases(options: argparse.Namespace, settings: Settings) -> int:
    from training.simulation.bases import measure

    with closing(TerminalProgress()) as progress:
        reports = measure(options.names, settings, progress)
    usable = [report for report in reports if report.refused is None]
    if options.out:
        from training.reports.plots.bases import Bars, plot_bases

        bars = [
            Bars(each.name, each.wanted or 0.0, each.wanted_after or 0.0, each.milliseconds or 0.0)
            for each in usable
        ]
        plot_bases(bars, options.out)
    if options.json:
        print_json({"bases": [report.to_json() for report in reports]})
    else:
        if usable:
            rows = [_cells(report) for report in usable]
            sys.stdout.write(aligned(HEADER, rows, numbers=NUMBERS) + "\n" + LEGEND)
        for report in reports:
            if report.refused is not None:
                sys.stdout.write(f"\n{report.name}: {report.refused}\n")
    return 0 if usable else 1


def _cells(report: "BaseReport") -> tuple[Any, ...]:
    return (
        report.name,
        report.kind,
        report.licence or "not said",
        _written(report.megabytes, ".0f"),
        _written(report.known, ".0%"),
        _written(report.control, ".2f"),
        _written(report.wanted, ".2f"),
        _written(report.wanted_after, ".2f"),
        report.night,
        _written(report.milliseconds, ".1f"),
        _written(report.memory_mb, ".0f"),
        report.precision,
    )


def _written(value: float | None, spec: str) -> str:
    return "–" if value is None else format(value, spec)
