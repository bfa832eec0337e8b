"""The report of a domain run as tables."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from training.corpus.readers import SourceReport
from training.tables import aligned

FIGURES, MODELS = ("wanted_share", "unwanted_at_10"), ("base", "after")


def source_to_json(source: SourceReport) -> dict[str, Any]:
    """Convert a source report to JSON, without the file's path."""
    return {name: value for name, value in asdict(source).items() if name != "path"}


def format_report(report: Mapping[str, Any]) -> str:
    """Format the report: files, edge cases, held-out text, suites."""
    parts = [_files(report["sources"])] if report["sources"] else []
    if report["edge_cases"]:
        parts.append(f"UpTrain's edge cases\n{report['edge_cases']}")
    parts += [_held_out(report["held_out"]), _suites(report["suites"])]
    parts.append(
        f"{report['steps']} steps in {report['seconds']:.0f} s on {report['device']}, "
        f"{report['tokens_per_s']:,.0f} tokens a second; step {report['best_step']} was the best; "
        f"{report['added_words']} words were added to the vocabulary."
    )
    return "\n\n".join(parts)


def _files(sources: list[dict[str, Any]]) -> str:
    rows = []
    for source in sources:
        dropped = [f"{count:,} {reason}" for reason, count in source["dropped"].items()]
        notes = "; ".join([*dropped, *source["notes"]])
        rows.append((source["source"], source["rows"], source["kept_rows"], source["sentences"], notes))
    header = ("file", "rows", "rows used", "sentences", "left out")
    return aligned(header, rows, numbers=header[1:4])


def _held_out(held_out: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    rows = []
    for part, base in held_out["base"].items():
        sides = (base, held_out["after"][part])
        perplexities = [f"{side['perplexity']:.2f}" for side in sides]
        accuracies = [f"{side['accuracy']:.3f}" for side in sides]
        rows.append((part, int(base["words"]), *perplexities, *accuracies))
    header = ("held-out text", "masked words", *_before_and_after("perplexity", "accuracy"))
    return aligned(header, rows, numbers=header[1:])


def _suites(suites: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    rows = [
        (name, figures["after"]["cases"], *(_figure(figures[model][f]) for f in FIGURES for model in MODELS))
        for name, figures in suites.items()
    ]
    header = ("suite", "cases", *_before_and_after("wanted share", "unwanted@10"))
    return aligned(header, rows, numbers=header[1:])


def _before_and_after(*names: str) -> list[str]:
    return [f"{name}, {when}" for name in names for when in MODELS]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
