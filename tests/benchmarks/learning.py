"""What votes teach: cells of one simulated night each, and the tables and the picture that come out of them.

    python tests/benchmarks/learning.py run [aims] [losses] [habits]   # the cells that the folder lacks
    python tests/benchmarks/learning.py aims                           # figures next to their aims
    python tests/benchmarks/learning.py losses                         # our loss against the alternatives
    python tests/benchmarks/learning.py curve learning.png             # gap closed by number of queries

from the repository root; `run` needs FILLBOT_BASE_MODEL. A cell is a file of one JSON line in the folder
(`--cells`, by default cells/ here). Cells that exist are passed over, so `run` can be stopped and started
again, and several machines can fill one folder. The quality is that of the version which the night made,
whether or not the gate let it serve; whether it did is a row of its own.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from training.evaluation.confidence_intervals import Draws, clustered_means, lower_bound
from training.evaluation.metrics import read_suite, suites_folder
from training.simulation.taste import KEPT_GROUPS

SENTENCES = Path(__file__).parent / "sentences"
QUERIES = (SENTENCES / "queries.jsonl", SENTENCES / "more_queries.jsonl")
TESTS = (SENTENCES / "test.jsonl", suites_folder() / "retention.jsonl")
LOSSES = ("ours", "ce", "unlikelihood", "dpo", "kto")
USUAL = "ce"
SEEDS = range(5)
CELL = ("loss", "people", "taste", "asked", "flips", "seed")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One simulated night.

    Attributes:
        taste: a random taste's seed; None: the lists' own taste.
    """

    loss: str = "ours"
    people: str = "menu:5"
    taste: int | None = None
    asked: int = 150
    flips: float = 0.1
    seed: int = 0

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""
        people = self.people.replace(":", "").replace(",", "+").replace("@", "_")
        taste = "lists" if self.taste is None else f"taste{self.taste}"
        return f"{self.loss}-{people}-{taste}-q{self.asked}-flips{self.flips:g}-seed{self.seed}"

    @property
    def arguments(self) -> list[str]:
        """Of `simulate`."""
        tastes = [] if self.taste is None else [f"--taste=random:{self.taste}"]
        cell = [f"--{name}={getattr(self, name)}" for name in ("loss", "people", "asked", "flips", "seed")]
        files = [*(f"--queries={path}" for path in QUERIES), *(f"--test={path}" for path in TESTS)]
        return [*files, *cell, *tastes, "--nights=1", "--json", "--cases"]


GRIDS: Mapping[str, tuple[Cell, ...]] = {
    "aims": (
        *(Cell(taste=seed, seed=seed, asked=n) for seed, n in itertools.product(SEEDS, (40, 150))),
        *(Cell(seed=seed, asked=n) for seed, n in itertools.product(SEEDS, (12, 40, 150, 600))),
        *(Cell(people="top1:5", seed=s, asked=n) for s, n in itertools.product(SEEDS, (40, 150, 600))),
    ),
    "losses": tuple(Cell(loss, asked=n) for loss, n in itertools.product(LOSSES[1:], (40, 150))),
    "habits": (
        Cell(people="menu:5", flips=1.0),
        Cell(people="menu:5,raid:10@1"),
        Cell(people="menu:2,flood:1"),
        Cell(people="glance:5"),
        Cell(people="rare:20,lazy:2"),
    ),
}


def run(cells: Iterable[Cell], folder: Path) -> None:
    """Run the cells that the folder lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = list(dict.fromkeys(cells))
    for number, cell in enumerate(cells, start=1):
        path = folder / f"{cell.name}.json"
        sys.stderr.write(f"{number} of {len(cells)}: {cell.name}{' is done' if path.exists() else ''}\n")
        if path.exists():
            continue
        command = [sys.executable, "-m", "training", "simulate", *cell.arguments]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        partial = path.with_suffix(".partial")
        partial.write_text(answer.stdout, encoding="utf-8")
        partial.replace(path)


def read(folder: Path) -> dict[Cell, Row]:
    """The cells of a folder."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return {cell_of(row["settings"]): row for row in rows}


def cell_of(settings: Row) -> Cell:
    """What was simulated."""
    tastes = settings["taste"]
    taste = int(tastes[0][0].removeprefix("random:")) if tastes else None
    return Cell(**{name: settings[name] for name in CELL if name != "taste"}, taste=taste)


@dataclass(frozen=True, slots=True)
class Sentences:
    """The test sentences in the order of their files: pattern (the text itself where none is said), group."""

    patterns: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, paths: Iterable[Path] = TESTS) -> "Sentences":
        """Read some test files, one after the other."""
        patterns, groups = [], []
        for path in paths:
            for line in filter(str.strip, path.read_text(encoding="utf-8").split("\n")):
                row = json.loads(line)
                patterns.append(row.get("pattern", row["text"]))
            groups += [case.group for case in read_suite(path)]
        return cls(tuple(patterns), tuple(groups))

    def places(self, group: str) -> list[int]:
        """Which sentences are of a group; "main" are all that are not kept."""
        return [
            place
            for place, of_sentence in enumerate(self.groups)
            if (of_sentence not in KEPT_GROUPS if group == "main" else of_sentence == group)
        ]


@dataclass(frozen=True)
class Quality:
    """What the nights of some cells did together, bootstrapped by the pattern of the test sentences.

    Cells may differ in seed and taste: each sentence counts once for every cell that it is scored in.
    """

    results: Sequence[Row]
    sentences: Sentences

    @cached_property
    def nights(self) -> list[Row]:
        """The last night of every cell."""
        return [result["nights"][-1] for result in self.results]

    @cached_property
    def before(self) -> list[Row]:
        """The figures before the first night."""
        return [result["nights"][0]["serving"] for result in self.results]

    @cached_property
    def after(self) -> list[Row]:
        """The figures of the versions that the nights made; of the champion where they made none."""
        return [night["challenger"] or night["serving"] for night in self.nights]

    def means(self, name: str, group: str) -> tuple[Draws, Draws]:
        """A figure of the sentences of a group before and after, drawn alike."""
        before, after, patterns = [], [], []
        for old, new in zip(self.before, self.after, strict=True):
            for place in self.sentences.places(group):
                scores = old["cases"][name][place], new["cases"][name][place]
                if scores[0] is not None and scores[1] is not None:
                    before.append(scores[0])
                    after.append(scores[1])
                    patterns.append(self.sentences.patterns[place])
        return clustered_means(before, patterns), clustered_means(after, patterns)

    def closed(self, name: str) -> Draws:
        """The share of the distance to 1 that was closed on main sentences."""
        before, after = self.means(name, "main")
        return (after - before) / np.maximum(1 - before, 1e-9)

    def change(self, name: str, group: str = "main") -> Draws:
        """The change of a figure."""
        before, after = self.means(name, group)
        return after - before

    def fall(self, name: str) -> Draws:
        """The share by which a figure fell on main sentences."""
        before, after = self.means(name, "main")
        return 1 - after / np.maximum(before, 1e-9)

    def mean(self, name: str) -> float:
        """The mean over the cells of a figure that has none by sentence."""
        return float(np.mean([figures[name] for figures in self.after]))

    @property
    def promoted(self) -> int:
        """The number of nights whose version was promoted."""
        return sum(night["status"] == "promoted" for night in self.nights)

    @property
    def rejected_shown(self) -> float:
        """The change of rejected words among those shown on the voted queries."""
        voted = [figures["voted"] for figures in self.after]
        before, after = (sum(v[f"rejected_{when}"] for v in voted) for when in ("before", "after"))
        return after / before - 1 if before else 0.0


def losses_table(cells: Mapping[Cell, Row], sentences: Sentences) -> str:
    """Markdown: one table per habit, number of queries and share of wrong votes, one row a loss."""
    kinds: dict[tuple[Any, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for cell, row in cells.items():
        if cell.taste is None:
            kinds[cell.people, cell.flips, cell.asked][cell.loss].append(row)
    header = (
        "loss", "rejected words in the top five", "main: gap closed (≥)", "precision@5 (≥)", "unwanted@10",
        "control (≥)", "perplexity", "top 10 kept", "of ce's gain", "of ce's control loss", "promoted",
    )  # fmt: skip
    parts = []
    for (people, flips, asked), of_loss in sorted(kinds.items()):
        qualities = {loss: Quality(of_loss[loss], sentences) for loss in sorted(of_loss, key=LOSSES.index)}
        lines = [f"### {people}, {asked} queries, {flips:.0%} wrong votes", "", *_head(header)]
        lines += [_line(_row(loss, each, qualities.get(USUAL))) for loss, each in qualities.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _row(loss: str, quality: Quality, usual: Quality | None) -> list[str]:
    gap, precision = quality.closed("wanted_share"), quality.closed("precision_at_5")
    control = quality.change("wanted_share", "control")
    of_gain = of_control = "–"
    if usual is not None:
        lost = usual.change("wanted_share", "control")[0]
        of_gain = f"{gap[0] / usual.closed('wanted_share')[0]:.0%}"
        of_control = f"{control[0] / lost:.0%}" if lost < 0 else "–"
    return [
        loss,
        f"{quality.rejected_shown:+.0%}",
        _share(gap),
        _share(precision),
        f"{-quality.fall('unwanted_at_10')[0]:+.0%}",
        _signed(control),
        f"× {quality.mean('perplexity_ratio'):.3f}",
        f"{quality.mean('top10_kept'):.2f}",
        of_gain,
        of_control,
        f"{quality.promoted} of {len(quality.nights)}",
    ]


# What the aims table says of a figure: how it was, in words with its lower bound, and whether it is reached.
Figure = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Aim:
    """One figure of the aims table.

    Attributes:
        of: what it is.
        aim: the least it should be, in words.
        cells: which cells it is computed from.
        figure: computes it.
    """

    of: str
    aim: str
    cells: Callable[[Cell], bool]
    figure: Callable[[Quality], Figure]


def _closed(name: str, least: float) -> Callable[[Quality], Figure]:
    def figure(quality: Quality) -> Figure:
        draws = quality.closed(name)
        return _share(draws), draws[0] >= least

    return figure


def _promoted(quality: Quality) -> Figure:
    return f"{quality.promoted} of {len(quality.nights)}", quality.promoted >= 0.9 * len(quality.nights)


def _auc(quality: Quality) -> Figure:
    before, after = (side_auc(figures, quality.sentences) for figures in (quality.before, quality.after))
    return f"{after[0]:.3f} ({lower_bound(after):.3f}); {before[0]:.3f} before", after[0] >= 0.86


def _change(name: str, group: str, least: float, *, by_bound: bool = False) -> Callable[[Quality], Figure]:
    def figure(quality: Quality) -> Figure:
        draws = quality.change(name, group)
        return _signed(draws), (lower_bound(draws) if by_bound else draws[0]) >= least

    return figure


def _unwanted(quality: Quality) -> Figure:
    fall = quality.fall("unwanted_at_10")
    return f"{-fall[0]:+.0%} ({-lower_bound(fall):+.0%})", fall[0] >= 0.7


def _perplexity(quality: Quality) -> Figure:
    value = quality.mean("perplexity_ratio")
    return f"× {value:.3f}", value <= 1.02


def _kept(quality: Quality) -> Figure:
    value = quality.mean("top10_kept")
    return f"{value:.3f}", value >= 0.88


def _attack(quality: Quality) -> Figure:
    (night,) = quality.nights
    gap = quality.closed("wanted_share")[0]
    reasons = "; ".join(night["failures"]) or night["sentence"]
    return f"{night['status']}, gap {gap:+.1%}: {reasons}", night["status"] != "promoted" or gap >= 0


def _lost(quality: Quality) -> Figure:
    promoted = [n["serving"]["voted"] for n in quality.nights if n["status"] == "promoted"]
    accepted, lost = (sum(voted[name] for voted in promoted) for name in ("accepted", "accepted_lost"))
    return f"{lost} of {accepted} ({lost / max(accepted, 1):.1%})", lost <= 0.02 * accepted


def _usual(asked: int, *, people: str = "menu:5", has_taste: bool = False) -> Callable[[Cell], bool]:
    """Cells of ours with ten percent wrong votes."""
    return lambda cell: (
        cell.loss == "ours" and cell.people == people and cell.flips == 0.1
        and cell.asked == asked and (cell.taste is not None) == has_taste
    )  # fmt: skip


def _one(people: str, flips: float = 0.1) -> Callable[[Cell], bool]:
    return lambda cell: cell == Cell(people=people, flips=flips)


def _tastes(asked: int, gap: float, precision: float) -> tuple[Aim, ...]:
    cells, of = _usual(asked, has_taste=True), f"five random tastes, menu, {asked} queries"
    return (
        Aim(f"{of}: gap closed", f"{gap:.0%}", cells, _closed("wanted_share", gap)),
        Aim(f"{of}: promoted", "9 of 10", cells, _promoted),
        Aim(f"{of}: precision@5", f"{precision:.0%}", cells, _closed("precision_at_5", precision)),
    )


def _gap(of: str, asked: int, least: float, *, people: str = "menu:5") -> Aim:
    cells = _usual(asked, people=people)
    return Aim(f"{of}, {asked} queries: gap closed", f"{least:.0%}", cells, _closed("wanted_share", least))


def _harm(of: str, group: str) -> Aim:
    figure = _change("wanted_share", group, -0.02, by_bound=True)
    return Aim(f"harm: {of} (by the bound)", "-.02", _usual(150), figure)


HARMLESS = "refused, or no effect"
AIMS: tuple[Aim, ...] = (
    *_tastes(40, 0.55, 0.30),
    *_tastes(150, 0.65, 0.50),
    *(_gap("lists' own taste, menu", *aim) for aim in ((12, 0.45), (40, 0.52), (150, 0.60), (600, 0.65))),
    Aim("AUC of main against control by log-odds", ".86; aim .90", _usual(150), _auc),
    *(_gap("thumbs alone", *aim, people="top1:5") for aim in ((40, 0.15), (150, 0.35), (600, 0.50))),
    Aim("unwanted@10 (150, menu)", "-70%", _usual(150), _unwanted),
    Aim("hit@1 (150, menu)", "+.05", _usual(150), _change("hit_at_1", "main", 0.05)),
    _harm("control", "control"),
    _harm("general English", "retention"),
    Aim("harm: perplexity", "≤ × 1.02", _usual(150), _perplexity),
    Aim("harm: top 10 kept", ".88", _usual(150), _kept),
    Aim("inverted votes", HARMLESS, _one("menu:5", 1.0), _attack),
    Aim("a raid of ten new accounts", HARMLESS, _one("menu:5,raid:10@1"), _attack),
    Aim("one of three people votes a thousand times", HARMLESS, _one("menu:2,flood:1"), _attack),
    Aim(
        "accepted words that fall out of the shown words, promoted versions",
        "≤ 2%",
        lambda cell: cell.loss == "ours" and cell.people in ("menu:5", "top1:5") and cell.flips == 0.1,
        _lost,
    ),
)


def aims_table(cells: Mapping[Cell, Row], sentences: Sentences) -> str:
    """Markdown: every aim with its figure, the one-sided lower 90 % bound in brackets."""
    lines = _head(("", "at least", "here (≥)", "reached", "cells"))
    for aim in AIMS:
        rows = [row for cell, row in cells.items() if aim.cells(cell)]
        figure, is_reached = aim.figure(Quality(rows, sentences)) if rows else ("not run", False)
        lines.append(_line((aim.of, aim.aim, figure, "yes" if is_reached else "no", str(len(rows)))))
    return "\n".join(lines) + "\n"


def side_auc(figures: Sequence[Row], sentences: Sentences, *, unknowable: Path | None = None) -> Draws:
    """How well the model's log-odds tell main from control sentences, whose side can be known.

    The bootstrap resamples whole patterns. Each figure is the mean over the cells.
    """
    path = unknowable or SENTENCES / "unknowable.jsonl"
    left_out = {json.loads(line)["pattern"] for line in path.read_text(encoding="utf-8").splitlines()}
    places = [
        [place for place in sentences.places(group) if sentences.patterns[place] not in left_out]
        for group in ("main", "control")
    ]
    patterns = [sorted({sentences.patterns[place] for place in of_side}) for of_side in places]
    wins = np.zeros((len(patterns[0]), len(patterns[1])))  # (main patterns, control patterns), of pairs
    pairs = np.zeros_like(wins)
    of_pattern = [{name: at for at, name in enumerate(names)} for names in patterns]
    for row in figures:
        odds = row["cases"]["log_odds"]
        for high, low in itertools.product(*places):
            at = of_pattern[0][sentences.patterns[high]], of_pattern[1][sentences.patterns[low]]
            wins[at] += (odds[high] > odds[low]) + (odds[high] == odds[low]) / 2
            pairs[at] += 1
    random = np.random.default_rng(0)
    draws = [wins.sum() / pairs.sum()]
    for _ in range(2000):
        counts = [np.bincount(random.integers(0, n, n), minlength=n) for n in wins.shape]
        draws.append((counts[0] @ wins @ counts[1]) / (counts[0] @ pairs @ counts[1]))
    return np.asarray(draws)


def curve(cells: Mapping[Cell, Row], sentences: Sentences, path: Path) -> str:
    """Draw the share of the gap that was closed by the number of queries; return the same as Markdown."""
    from training.reports.plots.learning_curve import Line, Point, plot_learning_curve

    series: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for cell, row in cells.items():
        if cell.flips == 0.1 and cell.people in ("menu:5", "top1:5"):
            series[_series(cell)][cell.asked].append(row)
    lines, header = [], ("", "queries", "gap closed (≥)", "precision@5 (≥)", "promoted")
    table = _head(header)
    for name, of_asked in sorted(series.items(), key=lambda item: -len(item[1])):
        points = []
        for asked, rows in sorted(of_asked.items()):
            quality = Quality(rows, sentences)
            gap, precision = quality.closed("wanted_share"), quality.closed("precision_at_5")
            low, high = np.quantile(gap[1:], (0.1, 0.9))
            points.append(Point(asked, float(gap[0]), float(low), float(high)))
            promoted = f"{quality.promoted} of {len(rows)}"
            table.append(_line((name, str(asked), _share(gap), _share(precision), promoted)))
        lines.append(Line(name, tuple(points)))
    plot_learning_curve(lines, path, across="queries", up="gap closed on unseen sentences")
    return "\n".join(table) + "\n"


def _series(cell: Cell) -> str:
    habit = {"menu:5": "menu", "top1:5": "thumbs"}[cell.people]
    return f"{cell.loss}, {habit}{'' if cell.taste is None else ', random tastes'}"


def _share(draws: Draws) -> str:
    return f"{draws[0]:.1%} ({lower_bound(draws):.1%})"


def _signed(draws: Draws) -> str:
    return f"{draws[0]:+.3f} ({lower_bound(draws):+.3f})"


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), _line("---" for _ in names)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the cells that are missing, or print a table."""
    parser = argparse.ArgumentParser(description="What votes teach.")
    parser.add_argument("--cells", type=Path, default=Path("cells"), help="the folder of the cells")
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("run").add_argument("grids", nargs="*", choices=[*GRIDS, []], help="default: all")
    commands.add_parser("aims")
    commands.add_parser("losses")
    commands.add_parser("curve").add_argument("picture", type=Path, help="a PNG file")
    options = parser.parse_args()
    if options.command == "run":
        if not os.environ.get("FILLBOT_BASE_MODEL"):
            parser.error("set FILLBOT_BASE_MODEL: without a base, nights start from the small starter")
        run(itertools.chain(*(GRIDS[name] for name in options.grids or GRIDS)), options.cells)
        return
    cells, sentences = read(options.cells), Sentences.of()
    sys.stderr.write(f"{len(cells)} cells: {dict(Counter(cell.loss for cell in cells))}\n")
    if options.command == "aims":
        sys.stdout.write(aims_table(cells, sentences))
    elif options.command == "losses":
        sys.stdout.write(losses_table(cells, sentences))
    else:
        sys.stdout.write(curve(cells, sentences, options.picture))


if __name__ == "__main__":
    main()
