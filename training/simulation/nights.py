"""Simulated days: people ask and vote, a nightly run learns from the votes, and its model is measured."""

import contextlib
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storage.people import forgetting
from training.errors import HomeInUseError, NoChampionError
from training.evaluation.metrics import Case
from training.finetuning.objective import DEFAULT_OBJECTIVE, Objective
from training.inference.fill_model import FillModel
from training.pipeline import run
from training.pipeline.outcome import Outcome
from training.progress import Progress
from training.registry.versions import Registry
from training.settings import NightSettings, Settings
from training.simulation.figures import Measure
from training.simulation.people import AskedQuery, People, record
from training.simulation.taste import Taste
from training.synchronous_database import SynchronousDatabase

FIRST_NIGHT = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
DAY, ASKED_BEFORE = timedelta(days=1), timedelta(hours=12)
MIN_VOTERS = 2  # a word needs, also on a machine without a Discord token


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes:
        queries: the queries that people ask every day.
        tests: the test sentences that versions are judged on.
        texts: texts for the pseudo-perplexity.
        people: the voters and their habits.
        tastes: night → the team's taste from the day before that night on; none before the first.
        asked_a_day: number of queries drawn for each day; None: all, in their order.
        forgotten: night → voters who ask to be forgotten before it.
        nights: number of nights.
        night: hyper-parameters of each night; their seed also decides the wrong votes.
        objective: the training objective of each night.
        with_cases: whether the figures include those of every test sentence.
    """

    queries: tuple[Case, ...]
    tests: tuple[Case, ...]
    texts: tuple[str, ...]
    people: People
    nights: int
    night: NightSettings
    objective: Objective = DEFAULT_OBJECTIVE
    tastes: Mapping[int, Taste] = field(default_factory=dict)
    asked_a_day: int | None = None
    forgotten: Mapping[int, Sequence[int]] = field(default_factory=dict)
    with_cases: bool = False

    def taste(self, night: int) -> Taste:
        """Return the taste of the day before a night."""
        begun = [first for first in self.tastes if first <= night]
        return self.tastes[max(begun)] if begun else Taste()


@contextlib.contextmanager
def home_of(settings: Settings, folder: Path | None) -> Iterator[Settings]:
    """Yield settings with a home for the simulation alone: `folder`, or a temporary folder.

    Raises:
        HomeInUseError: the folder is not empty, so it may be the home of a bot.
    """
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HomeInUseError(folder)
    own: dict[str, Any] = {
        "database_url": None,
        "models_url": None,
        "min_voters": settings.min_voters or MIN_VOTERS,
    }
    if folder is not None:
        yield settings.model_copy(update={**own, "home": folder})
        return
    with tempfile.TemporaryDirectory(prefix="fillbot-") as temporary:
        yield settings.model_copy(update={**own, "home": Path(temporary), "keep_versions": 1})


class Simulation:
    """Nightly runs in a home of their own, with simulated votes and measurements."""

    def __init__(self, settings: Settings, plan: Plan, progress: Progress) -> None:
        """Make the first version, and measure it.

        Args:
            settings: settings with an empty home; the base model is the domain model and first champion.
            plan: what is simulated.
            progress: reports each step.

        Raises:
            TrainingError: the base cannot be loaded.
        """
        self._settings, self._plan, self._progress = settings, plan, progress
        run.run_init(settings, progress)
        self._registry = Registry(settings.models_dir)
        self._voted: dict[str, set[str]] = defaultdict(set)
        self._turn(1)
        progress.step("measuring the model before the first night")
        champion = self._champion()
        self._measure = Measure(
            champion,
            queries=self._queries,
            tests=self._tests,
            texts=plan.texts,
            shown_words=settings.shown_words,
        )
        self.before: dict[str, Any] = {"night": 0, "status": "before", "serving": self._figures(champion)}

    def nights(self) -> Iterator[dict[str, Any]]:
        """Run the nights, and yield one row after each. `before` is the row of night 0.

        Raises:
            TrainingError: a night failed.
            StorageError: the database cannot be used.
        """
        for number in range(1, self._plan.nights + 1):
            started = time.monotonic()
            as_of = FIRST_NIGHT + (number - 1) * DAY
            if number > 1 and number in self._plan.tastes:
                self._turn(number)
                self._measure.judge_by(self._queries, self._tests)
            self._progress.step(f"night {number} of {self._plan.nights}: asking and voting")
            self._ask_and_vote(number, at=as_of - ASKED_BEFORE)
            for voter in self._plan.forgotten.get(number, ()):
                self._forget(voter, at=as_of)
            outcome = run.run_night(
                self._settings,
                self._progress,
                trigger="simulation",
                night=self._plan.night,
                as_of=as_of,
                objective=self._plan.objective,
            )
            self._progress.step(f"night {number} of {self._plan.nights}: measuring")
            row = {"night": number, **_record_of(outcome), **self._measured(outcome)}
            yield {**row, "seconds": round(time.monotonic() - started, 1)}

    def _turn(self, night: int) -> None:
        """Turn the sentences to the taste of that night."""
        taste = self._plan.taste(night)
        self._queries = [taste.turned(case) for case in self._plan.queries]
        self._tests = [taste.turned(case) for case in self._plan.tests]

    def _ask_and_vote(self, night: int, *, at: datetime) -> None:
        """Answer one day's queries with the champion, and store the votes on the candidates."""
        champion, seed, count = self._champion(), self._plan.night.seed, self._plan.asked_a_day
        queries = self._queries
        if count is not None:
            queries = random.Random(f"{seed}, {night}, queries").sample(queries, min(count, len(queries)))  # noqa: S311
        filled = champion.fill([case.text for case in queries], top=self._settings.shown_words)
        asked = [AskedQuery(case, masks[0]) for case, masks in zip(queries, filled, strict=True)]
        random_of_night = random.Random(f"{seed}, {night}")  # noqa: S311 — no secrets
        with SynchronousDatabase.open(self._settings.url) as database:
            voted = database.call(
                record,
                asked,
                self._plan.people,
                version=champion.version,
                random=random_of_night,
                at=at,
                night=night,
            )
        for query, word in voted:
            self._voted[query].add(word)

    def _forget(self, voter: int, *, at: datetime) -> None:
        """Erase a person's votes, and withdraw every version that learnt from them, as the bot does."""
        with SynchronousDatabase.open(self._settings.url) as database:
            request = database.call(forgetting.request, voter, now=at)
            since = request.counted_since
            if since is not None:
                self._registry.withdraw(
                    version
                    for version in self._registry.versions()
                    if (card := self._registry.card(version)).kind == "night"
                    and (card.as_of or card.created_at) >= since
                )
            database.call(forgetting.erase_person, voter, since=since, now=at)
            database.call(forgetting.close_request, voter)

    def _measured(self, outcome: Outcome) -> dict[str, Any]:
        """Figures of the champion after the night, and of the challenger, promoted or not."""
        serving = self._figures(self._champion())
        challenger = None
        if outcome.version is not None:
            made = FillModel(self._registry.path(outcome.version))
            challenger = serving if made.version == serving["version"] else self._figures(made)
        return {"serving": serving, "challenger": challenger}

    def _figures(self, model: FillModel) -> dict[str, Any]:
        return self._measure.figures(model, self._voted, with_cases=self._plan.with_cases)

    def _champion(self) -> FillModel:
        champion = self._registry.champion()
        if champion is None:
            raise NoChampionError
        return FillModel(self._registry.path(champion))


def _record_of(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome of a nightly run as columns of its row."""
    reasons = outcome.verdict.get("reasons", [])
    return {
        "status": outcome.status,
        "version": outcome.version,
        "sentence": outcome.sentence,
        "failures": [r["text"] for r in reasons if isinstance(r, dict) and not r["passed"]],
        "votes": outcome.report.get("votes", 0),
        "voters": outcome.report.get("voters", 0),
        "judgements": outcome.report.get("judgements", 0),
        "latency_ratio": outcome.report.get("metrics", {}).get("challenger", {}).get("latency_ratio"),
    }
