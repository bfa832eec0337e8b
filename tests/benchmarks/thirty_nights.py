"""Thirty nights in a row: a taste that changes, a voter who leaves, and a person who is forgotten.

    python tests/benchmarks/thirty_nights.py run --out nights.jsonl       # a row per night, as each ends
    python tests/benchmarks/thirty_nights.py table nights.jsonl [--picture nights.png]

from the repository root; `run` needs FILLBOT_BASE_MODEL and takes a minute or two per night on two cores.
Each day forty of the 150 queries are asked. The team's taste is random:0, and random:1 from night 15 on.
Voter 4 leaves after night 19; voter 5 asks to be forgotten before night 22 and leaves.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from storage.settings import load
from training.evaluation.metrics import read_suite, read_texts, suites_folder
from training.progress import TerminalProgress
from training.settings import NightSettings, Settings

SENTENCES = Path(__file__).parent / "sentences"
PEOPLE, FORGOTTEN = "menu:3,menu:1@-19,menu:1@-21", {22: [5]}
TASTES = {1: "random:0", 15: "random:1"}
ASKED_A_DAY = 40
FOLLOWS_WITHIN = 3  # nights after a change of taste

Row = dict[str, Any]


def run(out: Path, nights: int, seed: int) -> None:
    """Run the nights, and append each row to a file as its night ends."""
    from training.simulation.nights import Plan, Simulation, home_of
    from training.simulation.people import People
    from training.simulation.taste import Taste

    queries = tuple(read_suite(SENTENCES / "queries.jsonl"))
    tests = (*read_suite(SENTENCES / "test.jsonl"), *read_suite(suites_folder() / "retention.jsonl"))
    plan = Plan(
        queries=queries,
        tests=tests,
        texts=tuple(read_texts(suites_folder() / "texts.jsonl")),
        people=People.of(PEOPLE, flips=0.1),
        nights=nights,
        night=NightSettings(seed=seed),
        tastes={night: Taste.of(taste, (*queries, *tests)) for night, taste in TASTES.items()},
        asked_a_day=ASKED_A_DAY,
        forgotten=FORGOTTEN,
    )
    with closing(TerminalProgress()) as progress, home_of(load(Settings), None) as own:
        simulation = Simulation(own, plan, progress)
        out.write_text(_line(simulation.before), encoding="utf-8")
        for row in simulation.nights():
            with out.open("a", encoding="utf-8") as file:
                file.write(_line(row))


def table(rows: Sequence[Row]) -> str:
    """Markdown: one row per night, as it serves; then how fast precision@5 follows a change of taste."""
    header = (
        "night", "outcome", "serves", "precision@5, voted", "precision@5, unseen", "… of the distance to 1",
        "gap closed", "control", "general English", "perplexity", "top 10 kept", "seconds",
    )  # fmt: skip
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for row in rows:
        figures, before = row["serving"], rows[0]["serving"]
        english, old_english = (each["groups"]["retention"]["wanted_share"] for each in (figures, before))
        cells = (
            str(row["night"]),
            row["status"],
            figures["version"],
            f"{figures['voted']['precision_after']:.3f}",
            f"{figures['main']['precision_at_5']:.3f}",
            _optional(figures["precision_gap_closed"], "{:.1%}"),
            _optional(figures["gap_closed"], "{:.1%}"),
            _optional(figures["control_change"], "{:+.3f}"),
            f"{english - old_english:+.3f}",
            f"× {figures['perplexity_ratio']:.3f}",
            _optional(figures["top10_kept"], "{:.3f}"),
            str(row.get("seconds", "")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *map(_follows, _changes(rows))]) + "\n"


def picture(rows: Sequence[Row], path: Path) -> None:
    """Draw precision@5 of the voted and the unseen sentences over the nights."""
    from training.reports.plots.learning_curve import Line, Point, plot_learning_curve

    lines = []
    for name, value_of in (
        ("voted queries", lambda figures: figures["voted"]["precision_after"]),
        ("unseen sentences", lambda figures: figures["main"]["precision_at_5"]),
    ):
        values = [(row["night"], value_of(row["serving"])) for row in rows]
        lines.append(Line(name, tuple(Point(night, value, value, value) for night, value in values)))
    plot_learning_curve(lines, path, across="night", up="precision@5", is_log=False)


def _changes(rows: Sequence[Row]) -> list[tuple[Row, Row, Row]]:
    """Of each change of taste: the night before it, the one by which it may follow, and the last one."""
    of_night = {row["night"]: row for row in rows}
    firsts = [night for night in sorted(TASTES) if night > 1]
    ends = [*(night - 1 for night in firsts[1:]), max(of_night)]
    return [
        (of_night[first - 1], of_night[first + FOLLOWS_WITHIN - 1], of_night[end])
        for first, end in zip(firsts, ends, strict=True)
        if first + FOLLOWS_WITHIN - 1 in of_night
    ]


def _follows(change: tuple[Row, Row, Row]) -> str:
    before, soon, late = (
        f"night {row['night']} {_optional(row['serving']['precision_gap_closed'], '{:.1%}')}"
        for row in change
    )
    return (
        "Precision@5 on unseen sentences, of the distance to 1 by the taste of that night: "
        f"before the change {before}, soon after it {soon}, at the end {late}."
    )


def _optional(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _line(row: Row) -> str:
    return json.dumps(row, default=str) + "\n"


def main() -> None:
    """Run the nights, or print their table."""
    parser = argparse.ArgumentParser(description="Thirty nights in a row.")
    commands = parser.add_subparsers(required=True, dest="command")
    running = commands.add_parser("run")
    running.add_argument("--out", type=Path, default=Path("nights.jsonl"))
    running.add_argument("--nights", type=int, default=30)
    running.add_argument("--seed", type=int, default=0)
    showing = commands.add_parser("table")
    showing.add_argument("rows", type=Path)
    showing.add_argument("--picture", type=Path, metavar="PNG")
    options = parser.parse_args()
    if options.command == "run":
        if not os.environ.get("FILLBOT_BASE_MODEL"):
            parser.error("set FILLBOT_BASE_MODEL: without a base, nights start from the small starter")
        run(options.out, options.nights, options.seed)
        return
    rows = [json.loads(line) for line in options.rows.read_text(encoding="utf-8").splitlines()]
    sys.stdout.write(table(rows))
    if options.picture:
        picture(rows, options.picture)


if __name__ == "__main__":
    main()
