"""Our loss against the alternatives, through `simulate`: one night a cell, one JSON line a cell.

    python tests/benchmarks/learning.py --out cells.jsonl --test ../shared/data/suite_dev.jsonl
    python tests/benchmarks/learning.py --table cells.jsonl

from the repository root, with FILLBOT_BASE_MODEL set. Cells that the file has already are passed over, so it
can be stopped and started again, and files of several machines can be given to --table together. The quality
is that of the version which the night made, whether or not the gate let it serve: losses are compared here.
"""

import argparse
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from training.evaluation.confidence_intervals import Draws, means
from training.evaluation.metrics import read_suite
from training.simulation.figures import KEPT_GROUPS

SENTENCES = Path(__file__).parent / "sentences"
LOSSES = ("ours", "ce", "unlikelihood", "dpo", "kto")
USUAL = "ce"
VOTERS = 5
CELL = ("loss", "flips", "votes", "seed")
HEADINGS = (
    "loss",
    "rejected words in the top five",
    "main: gap closed (≥)",
    "unwanted@10",
    "control (≥)",
    "perplexity",
    "top 10 kept",
    "of ce's gain",
    "of ce's control loss",
    "promoted",
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sentences:
    """The test sentences in the order of their files: pattern (the text itself where none is said), group."""

    patterns: tuple[str, ...]
    groups: tuple[str, ...]

    def places(self, *, control: bool, scores: Sequence[float | None]) -> list[int]:
        """Which sentences are control, or which main; without those that the model cannot be scored on."""
        return [
            place
            for place, group in enumerate(self.groups)
            if scores[place] is not None and (group == "control" if control else group not in KEPT_GROUPS)
        ]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a loss did in the simulations of one kind: means over the seeds, bootstrapped by pattern."""

    rejected: float
    gap: Draws
    gain: Draws
    unwanted: float
    control: Draws
    perplexity: float
    kept: float
    promoted: str


def main() -> None:
    """Run the cells that are missing, or print the table."""
    options = _parser().parse_args()
    if options.table:
        sys.stdout.write(table([json.loads(line) for path in options.table for line in path.open()]))
        return
    done = {cell_of(json.loads(line)) for line in options.out.open()} if options.out.exists() else set()
    cells = [
        (loss, flips, votes, seed)
        for seed, votes, flips, loss in itertools.product(
            range(options.seeds), options.votes, options.flips, options.losses
        )
    ]
    for number, cell in enumerate(cells, start=1):
        sys.stderr.write(f"{number} of {len(cells)}: {cell}{' is done' if cell in done else ''}\n")
        if cell in done:
            continue
        names = [f"--{name}={value}" for name, value in zip(CELL, cell, strict=True)]
        tests = [f"--test={path}" for path in (SENTENCES / "test.jsonl", *options.test)]
        queries = f"--queries={SENTENCES / 'queries.jsonl'}"
        usual = ["--nights=1", f"--voters={VOTERS}", "--json", "--cases"]
        command = [sys.executable, "-m", "training", "simulate", queries, *tests, *names, *usual]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        with options.out.open("a") as out:
            out.write(answer.stdout)


def cell_of(result: Row) -> tuple[Any, ...]:
    """What was simulated."""
    return tuple(result["settings"][name] for name in CELL)


def table(results: Sequence[Row]) -> str:
    """Markdown: one table a share of wrong votes and way of voting, one row a loss."""
    kinds: dict[tuple[str, float], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        settings = result["settings"]
        kinds[settings["votes"], settings["flips"]][settings["loss"]].append(result)
    sentences = sentences_of(Path(path) for path in results[0]["settings"]["test"])
    parts = []
    for (votes, flips), of_loss in sorted(kinds.items()):
        qualities = {loss: quality(rows, sentences) for loss, rows in of_loss.items()}
        lines = [f"### {votes}, {flips:.0%} wrong votes", "", _line(HEADINGS), _line("---" for _ in HEADINGS)]
        lines += [_line(_cells(loss, each, qualities.get(USUAL))) for loss, each in qualities.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def sentences_of(paths: Iterable[Path]) -> Sentences:
    """The sentences of some test files, one file after the other."""
    patterns, groups = [], []
    for path in paths:
        for line in filter(str.strip, path.read_text(encoding="utf-8").split("\n")):
            row = json.loads(line)
            patterns.append(row.get("pattern", row["text"]))
        groups += [case.group for case in read_suite(path)]
    return Sentences(tuple(patterns), tuple(groups))


def quality(results: Sequence[Row], sentences: Sentences) -> Quality:
    """What the results of all seeds say together."""
    before = results[0]["nights"][0]["serving"]["cases"]
    nights = [result["nights"][-1] for result in results]
    made = [night["challenger"] or night["serving"] for night in nights]

    def compare(name: str, *, control: bool) -> tuple[Draws, Draws]:
        """A figure's mean before and after, drawn alike."""
        places = sentences.places(control=control, scores=before[name])
        groups = [sentences.patterns[place] for place in places]
        after = np.mean([[figures["cases"][name][place] for place in places] for figures in made], axis=0)
        old = clustered_means([before[name][place] for place in places], groups)
        return old, clustered_means(list(after), groups)

    main_before, main_after = compare("wanted_share", control=False)
    control_before, control_after = compare("wanted_share", control=True)
    unwanted_before, unwanted_after = compare("unwanted_at_10", control=False)
    voted = [figures["voted"] for figures in made]
    return Quality(
        rejected=_change(sum(v["rejected_before"] for v in voted), sum(v["rejected_after"] for v in voted)),
        gap=(main_after - main_before) / (1 - main_before),
        gain=main_after - main_before,
        unwanted=_change(float(unwanted_before[0]), float(unwanted_after[0])),
        control=control_after - control_before,
        perplexity=float(np.mean([figures["perplexity_ratio"] for figures in made])),
        kept=float(np.mean([figures["top10_kept"] for figures in made])),
        promoted=f"{sum(night['status'] == 'promoted' for night in nights)} of {len(nights)}",
    )


def clustered_means(values: Sequence[float], groups: Sequence[Hashable]) -> Draws:
    """Like `means`, but resample whole groups: sentences of one pattern are not independent.

    This is the cluster bootstrap (Field & Welsh 2007).
    """
    members = defaultdict(list)
    for group, value in zip(groups, values, strict=True):
        members[group].append(value)
    return means(
        [float(np.mean(each)) for each in members.values()], [len(each) for each in members.values()]
    )


def lower_bound(draws: Draws) -> float:
    """The one-sided lower 90 % bound."""
    return float(np.quantile(draws[1:], 0.1))


def _cells(loss: str, of_loss: Quality, usual: Quality | None) -> list[str]:
    gain = control = "–"
    if usual is not None:
        gain = f"{of_loss.gain[0] / usual.gain[0]:.0%}"
        control = f"{of_loss.control[0] / usual.control[0]:.0%}" if usual.control[0] < 0 else "–"
    return [
        loss,
        f"{of_loss.rejected:+.0%}",
        f"{of_loss.gap[0]:.1%} ({lower_bound(of_loss.gap):.1%})",
        f"{of_loss.unwanted:+.0%}",
        f"{of_loss.control[0]:+.3f} ({lower_bound(of_loss.control):+.3f})",
        f"× {of_loss.perplexity:.3f}",
        f"{of_loss.kept:.2f}",
        gain,
        control,
        of_loss.promoted,
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _change(before: float, after: float) -> float:
    return after / before - 1 if before else 0.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Our loss against the alternatives.")
    parser.add_argument("--losses", type=_several(str), default=LOSSES)
    parser.add_argument("--flips", type=_several(float), default=(0.0, 0.1, 0.3))
    parser.add_argument("--votes", type=_several(str), default=("menu", "top1"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--test", type=Path, action="append", default=[], help="further test sentences")
    parser.add_argument("--out", type=Path, default=Path("learning.jsonl"), help="where the cells are kept")
    parser.add_argument("--table", type=Path, nargs="+", metavar="FILE", help="print the table of such files")
    return parser


def _several(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(kind(part) for part in text.split(","))


if __name__ == "__main__":
    main()
