"""Extracts from a run and a model card what reports show: moved words, gate tests, figures. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.texts import say, translated
from storage.runs import JUDGED, Run
from storage.sentences import from_json
from training.evaluation.guarded_suites import GUARDED_SUITES
from training.registry.card import Card

BEFORE_THE_SETTING = 5  # words shown, in runs from before it could be set
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """Words by the number of sentences whose best words they entered or left, most first."""

    came: Mapping[str, int]
    went: Mapping[str, int]


def moved_words(run: Run | None) -> Moved:
    """Count over all judged queries; for older runs, over the changes that they stored."""
    report = (run.report if run else None) or {}
    if counted := report.get("moved_words"):
        return Moved(counted["came"], counted["went"])
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    for change in report.get("changes", ()):
        came.update(set(change["after"]) - set(change["before"]))
        went.update(set(change["before"]) - set(change["after"]))
    return Moved(_most_first(came), _most_first(went))


def reasons_of(run: Run | None, card: Card | None) -> list[dict[str, Any]]:
    """Return the results of the gate's tests; empty for a skipped or failed run."""
    verdict = (run.verdict if run else None) or (card.verdict if card else {})
    return [reason for reason in verdict.get("reasons", ()) if isinstance(reason, dict)]


def origin(card: Card) -> str:
    """Say how a version was made. A base model in a folder is called by its name, without its path."""
    base = Path(card.base).name if Path(card.base).is_absolute() else card.base
    return say(f"model.kinds.{card.kind}", base=base, parent=card.parent)


def run_title(card: Card | None, run: Run | None) -> str:
    """Return the version and how its run ended, in one line."""
    version = card.version if card else (run.challenger if run else None)
    if run is None or run.status not in (*JUDGED, "skipped", "failed"):
        return say("run.titles.made", version=version or "")
    if version is None and run.status in JUDGED:
        return say("run.titles.nameless")
    about = "domain_" if run.trigger == "domain" and run.status in ("promoted", "rejected") else ""
    return say(f"run.titles.{about}{run.status}", version=version or "")


def plain_reason(reason: Mapping[str, Any], *, is_domain: bool = False) -> str:
    """Put a criterion's outcome in plain words; the gate's own sentence where the texts have none for it."""
    name = str(reason.get("name"))
    outcome = "passed" if reason["passed"] else "failed"
    if reason["passed"] and not reason.get("has_data", True):
        outcome = "unknown"
    elif reason["passed"] and reason.get("is_partial"):
        outcome = "partly"
    of_test = "domain" if is_domain and name == "learnt" else name
    try:
        return say(f"gate.tests.{of_test}.{outcome}")
    except KeyError:
        return translated(from_json(reason))


def figures_of(card: Card | None, run: Run | None, *, title: str) -> Figures | None:
    """Return what `training draw` needs for the run's picture; None if there is nothing to draw."""
    of_run = ((run.report if run else None) or {}).get("metrics") or {}
    metrics: Mapping[str, Any] = of_run | (card.metrics if card else {})
    figures: Figures = {"version": card.version if card else "", "title": title}
    loss = metrics.get("loss") or []
    if voted := metrics.get("voted"):
        moved = moved_words(run)
        figures |= {
            "shown_words": metrics.get("shown_words", BEFORE_THE_SETTING),
            "asked": {side: _asked(voted, side) for side in ("wanted", "unwanted")},
            "came": dict(moved.came),
            "went": dict(moved.went),
            "kept": _kept_of_night(metrics),
            "perplexity": [metrics[who]["pseudo_perplexity"] for who in ("domain", "challenger")],
        }
    elif suites := metrics.get("suites"):
        figures["kept"] = _kept_of_domain(suites)
    elif not loss:
        return None
    return figures | {"loss": loss}


def _asked(voted: Mapping[str, Mapping[str, int]], side: str) -> list[int]:
    """Return how many words were judged so, and how many of them were shown before and after."""
    before, after = voted["champion"], voted["challenger"]
    name = f"{side}_shown" if f"{side}_shown" in before else f"{side}_at_5"  # as older runs wrote it
    return [max(before[side], after[side]), before[name], after[name]]


def _kept_of_night(metrics: Mapping[str, Any]) -> list[Figures]:
    before, after = metrics["domain"], metrics["challenger"]
    changes = metrics.get("wanted_share_change", {})
    kept = []
    for suite in GUARDED_SUITES:
        if before.get(suite) is not None and after.get(suite) is not None:
            low, high = changes.get(suite, (None, None))
            ends = {"before": before[suite], "after": after[suite], "low": low, "high": high}
            kept.append({"suite": suite, **ends, "is_limited": True})
    return kept


def _kept_of_domain(suites: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Figures]:
    kept = []
    for suite, of_suite in GUARDED_SUITES.items():
        before, after = (
            suites.get(of_suite.file, {}).get(who, {}).get("wanted_share") for who in ("base", "after")
        )
        if before is not None and after is not None:
            kept.append({"suite": suite, "before": before, "after": after, "is_limited": suite == "control"})
    return kept


def _most_first(words: Counter[str]) -> dict[str, int]:
    return dict(sorted(words.items(), key=lambda item: (-item[1], item[0])))
