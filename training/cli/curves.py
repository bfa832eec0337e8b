"""`curve`: what a quarter, half and all of the team's votes would have taught."""

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from training.cli.output import SEED, Commands, print_json
from training.cli.plots import png_file
from training.progress import TerminalProgress
from training.settings import NightSettings, Settings
from training.tables import aligned

COLUMNS = {"accepted shown": "accepted_shown", "rejected shown": "rejected_shown", "precision": "precision"}
LEGEND = """
accepted, rejected shown   of the words that the team judged on held-out queries: the share among those shown
precision, unjudged        of the words shown there: the share that the team accepted, and did not judge
In brackets: 95 % intervals over the held-out queries. The champion and the votes are unchanged.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    curve = commands.add(
        "curve", _curve, "what a quarter, half and all of your team's votes would have taught"
    )
    curve.add_argument("--seed", type=SEED, default=0, help="of the trainings (default 0)")
    curve.add_argument("--out", type=png_file, metavar="FILE", help="also draw it, as PNG")


def _curve(options: argparse.Namespace, settings: Settings) -> int:
    from training.simulation.team_curve import team_curve

    with closing(TerminalProgress()) as progress:
        rows = list(team_curve(settings, progress, night=NightSettings(seed=options.seed)))
    if options.out:
        _draw(rows, options.out)
    if options.json:
        print_json({"curve": rows})
        return 0
    header = ("votes of", "queries", "votes", "judgements", "outcome", *COLUMNS, "unjudged")
    cells = [
        (
            f"{row['share']:.0%}",
            row["queries"],
            row.get("votes", 0),
            row.get("judgements", 0),
            row["status"],
            *(_written(row.get(name)) for name in (*COLUMNS.values(), "unjudged")),
        )
        for row in rows
    ]
    sys.stdout.write(aligned(header, cells, numbers=header[1:4]) + "\n" + LEGEND)
    return 0


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    from training.reports.plots.learning_curve import Line, Point, plot_learning_curve

    lines = [
        Line(name, tuple(Point(row["queries"], *row[key].values()) for row in rows if row.get(key)))
        for name, key in COLUMNS.items()
    ]
    plot_learning_curve(lines, path, across="voted queries", up="share, on held-out queries", is_log=False)


def _written(share: dict[str, float] | None) -> str:
    return "–" if share is None else f"{share['value']:.0%} ({share['low']:.0%} to {share['high']:.0%})"
