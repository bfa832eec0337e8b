"""What a part of a team's votes would have taught: nights on a quarter, half and all of its voted queries.

Some queries are held out by their hash, and no night sees them. Each night runs through the real pipeline in
a temporary home, on a copy of the votes on its part of the other queries; the team's own home is only read.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.database import Database
from storage.votes.copies import copy_votes, voted_hashes
from training.errors import NoChampionError, TooFewJudgementsError
from training.evaluation.confidence_intervals import interval, means
from training.inference.fill_model import FillModel
from training.inference.loading import served_folder
from training.inference.vocabulary import denied_words
from training.pipeline import run
from training.progress import Progress
from training.registry.factory import current_registry
from training.registry.versions import Registry
from training.settings import NightSettings, Settings
from training.synchronous_database import SynchronousDatabase, now
from training.votes import retraining_set
from training.votes.checks.votes import run_checks
from training.votes.retraining_set import Example

SHARES = (0.25, 0.5, 1.0)
HELD_OUT_SHARE = 0.2
MIN_JUDGED = 10  # held-out words; with fewer, one word is a step of more than ten points


@dataclass(frozen=True, slots=True)
class Parts:
    """Hashes of voted queries: those that nights learn from, in the order they join, and the others."""

    learnt: tuple[str, ...]
    held_out: tuple[str, ...]

    @classmethod
    def of(cls, hashes: Collection[str]) -> "Parts":
        """Split by the hash of the hash: a query never changes sides when others join."""
        ordered = sorted(hashes, key=_position)
        held_out = tuple(each for each in ordered if _position(each) >= 1 - HELD_OUT_SHARE)
        return cls(tuple(each for each in ordered if each not in {*held_out}), held_out)

    def first(self, share: float) -> tuple[str, ...]:
        """Return the part that a night learns from; smaller parts are contained in larger ones."""
        return self.learnt[: round(share * len(self.learnt))]


def team_curve(
    settings: Settings, progress: Progress, *, night: NightSettings, shares: Sequence[float] = SHARES
) -> Iterator[dict[str, Any]]:
    """Yield one row for the domain model, and one for the version that each part would have made.

    Raises:
        NoChampionError: the team has no model yet.
        TooFewJudgementsError: too few words are judged on held-out queries.
        TrainingError: a night failed.
        StorageError: the database cannot be used.
    """
    registry = current_registry(settings)
    domain = registry.domain() or registry.champion()
    if domain is None:
        raise NoChampionError
    folder = served_folder(registry, domain)
    with SynchronousDatabase.open(settings.url) as database:
        parts = Parts.of(database.call(voted_hashes))
    with tempfile.TemporaryDirectory(prefix="fillbot-curve-") as temporary:
        progress.step("aggregating the votes on held-out queries")
        judged = _judged(settings, parts.held_out, Path(temporary) / "held_out", progress)
        before = FillModel(folder)
        yield {
            "share": 0.0,
            "queries": 0,
            "status": "before",
            **figures(before, judged, settings.shown_words),
        }
        for number, share in enumerate(shares):
            home = Path(temporary) / f"part{number}"
            progress.step(f"a night on {share:.0%} of the queries")
            part = parts.first(share)
            row = _night(settings, progress, night, part, home=home, base=folder, judged=judged)
            yield {"share": share, **row}


def figures(model: FillModel, judged: Sequence[Example], shown_words: int) -> dict[str, Any]:
    """Shares of accepted and rejected words that a model shows, and what it shows; with 95 % intervals."""
    filled = model.fill([example.query for example in judged], top=shown_words)
    accepted, rejected, wanted, unjudged = [], [], [], []
    for example, masks in zip(judged, filled, strict=True):
        words = {candidate.word.lower() for candidate in masks[example.mask_index]}
        ups, downs = ({word.lower() for word, _ in side} for side in (example.wanted, example.unwanted))
        accepted.append((len(ups & words), len(ups)))
        rejected.append((len(downs & words), len(downs)))
        wanted.append((len(ups & words), len(words)))
        unjudged.append((len(words - ups - downs), len(words)))
    return {
        "accepted_shown": _share(accepted),
        "rejected_shown": _share(rejected),
        "precision": _share(wanted),
        "unjudged": _share(unjudged),
    }


def _night(
    settings: Settings,
    progress: Progress,
    night: NightSettings,
    hashes: Sequence[str],
    *,
    home: Path,
    base: Path,
    judged: Sequence[Example],
) -> dict[str, Any]:
    """Run a night on the votes on some queries, and measure its version whether or not it is promoted."""
    own = _own_settings(settings, home, base=base)
    home.mkdir()
    if (behaviour := settings.home / "behaviour.yaml").exists():
        shutil.copy(behaviour, home)
    _copy(settings, own, hashes)
    run.run_init(own, progress)
    outcome = run.run_night(own, progress, trigger="curve", night=night)
    row: dict[str, Any] = {
        "queries": len(hashes),
        "votes": outcome.report.get("votes", 0),
        "judgements": outcome.report.get("judgements", 0),
        "status": outcome.status,
        "sentence": str(outcome.sentence),
    }
    if outcome.version is None:
        return row
    made = FillModel(Registry(own.models_dir).path(outcome.version))
    return row | figures(made, judged, settings.shown_words)


def _judged(settings: Settings, hashes: Sequence[str], home: Path, progress: Progress) -> tuple[Example, ...]:
    """Return the judgements on held-out queries."""
    own = _own_settings(settings, home, base=home)
    home.mkdir()
    _copy(settings, own, hashes)
    report = run_checks(
        own.url,
        home / "uptrain",
        as_of=now(),
        min_voters=settings.needed_voters,
        denied=sorted(denied_words()),
        half_life_days=settings.vote_half_life_days,
        progress=progress,
    )
    chosen = retraining_set.build(report.judgements, held_out_share=0)
    if chosen.judgements < MIN_JUDGED:
        raise TooFewJudgementsError(chosen.judgements, MIN_JUDGED)
    return chosen.train


def _own_settings(settings: Settings, home: Path, *, base: Path) -> Settings:
    """Return settings that keep everything of a night in a home of its own."""
    own = {"home": home, "database_url": None, "models_url": None, "ray_address": None, "keep_versions": 1}
    return settings.model_copy(update={**own, "base_model": str(base)})


def _copy(settings: Settings, own: Settings, hashes: Sequence[str]) -> None:
    async def copy(source: Database) -> None:
        target = await Database.open(own.url)
        try:
            await copy_votes(source, target, hashes)
        finally:
            await target.close()

    with SynchronousDatabase.open(settings.url) as database:
        database.call(copy)


def _share(counts: Sequence[tuple[int, int]]) -> dict[str, float] | None:
    """Return the share of parts in wholes over the queries, with its interval; None if all are empty."""
    there = [(part, whole) for part, whole in counts if whole]
    if not there:
        return None
    found = interval(means([part / whole for part, whole in there], [whole for _, whole in there]))
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def _position(query_hash: str) -> float:
    """Map the query to a position in [0, 1), independent of the one by which a night holds queries out."""
    return int(hashlib.sha256(f"curve {query_hash}".encode()).hexdigest()[:8], 16) / 0x1_0000_0000
