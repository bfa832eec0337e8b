"""A run: votes → judgements → retraining set → fine-tuning → evaluation → gate → registry.

    init     a first version: the base model, or the starter if no base is available
    domain   base → the team's domain model
    night    domain model + votes → challenger → promoted, rejected or skipped

A lock allows one run at a time. Every outcome is recorded in `runs`, and the champion only moves after
everything else is on the disk.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from storage import runs
from storage.backends.locks import RUN, Lock, holding, lock_for
from storage.errors import LockHeldError, StorageError
from storage.runs import Status
from storage.sentences import Sentence, TranslatableError
from storage.votes.predictions import newest_vote_at
from training.corpus.language import language
from training.errors import (
    DuplicateRunError,
    NoChampionError,
    RegistryError,
    RunCancelledError,
    RunInProgressError,
    TrainingError,
)
from training.models import out_of_memory
from training.pipeline.first_version import install_first
from training.pipeline.outcome import Outcome
from training.progress import Progress
from training.registry import promotion
from training.registry.factory import open_registry
from training.registry.repair import repair_domain, serve_first_version
from training.registry.sharing import pull
from training.registry.versions import Registry
from training.settings import DomainSettings, NightSettings, Settings, StarterSettings
from training.synchronous_database import SynchronousDatabase, now

if TYPE_CHECKING:
    from training.domain.training_run import DomainVersion
    from training.finetuning.objective import Objective

log = structlog.stdlib.get_logger(__name__)
AUTOMATIC = ("nightly", "forget")  # triggers without an admin; a rollback pauses them


def run_init(settings: Settings, progress: Progress, *, starter: StarterSettings | None = None) -> Outcome:
    """Write the first version unless there is a champion: the base model, or else the starter.

    Raises:
        TrainingError: the base cannot be loaded, the registry cannot be written, or a run is in progress.
    """
    registry = open_registry(settings, progress=progress)
    with run_lock(settings), out_of_memory.translate_errors():
        pull(registry)
        if (champion := registry.champion()) is not None and champion in registry.versions():
            return Outcome("done", Sentence("{version} serves already.", version=champion), champion)
        domain = registry.domain()
        if domain is not None and domain in registry.versions():
            version = domain  # a process wrote it and crashed before promoting it
        else:
            version = install_first(settings, registry, progress, starter or StarterSettings())
        version = serve_first_version(registry, version)
    return Outcome("done", Sentence("{version} serves.", version=version), version)


def run_domain(
    settings: Settings,
    progress: Progress,
    *,
    trigger: str,
    domain: DomainSettings | None = None,
    extra: Sequence[Path] = (),
    text_column: str | None = None,
) -> Outcome:
    """Train the team's domain model from the base, and start every night from it if it passes the gate.

    It also replaces a champion that has not learnt from votes; otherwise the next night applies the votes to
    it. A recipe that is only for comparison moves no pointer.
    """
    domain = domain or DomainSettings()
    registry = open_registry(settings, progress=progress)
    with run_lock(settings) as lock, SynchronousDatabase.open(settings.url) as database:
        pull(registry)
        with _recorded(database, registry, trigger, progress, lock) as run:
            from training.domain.recipes import RECIPES
            from training.domain.training_run import DomainTraining

            work = DomainTraining(
                settings,
                domain,
                progress,
                folder=settings.home / "runs" / f"{run.id:05d}",
                extra=extra,
                text_column=text_column,
            )
            made = work.make(registry, champion=registry.champion(), run_id=run.id)
            database.call(runs.note, run.id, challenger=made.version, verdict=made.verdict.to_json())
            can_serve = RECIPES[domain.recipe].can_serve
            if made.verdict.is_promotable and can_serve:
                run.act(lambda: promotion.adopt_domain_model(registry, made.version))
            run.outcome = _domain_outcome(made, can_serve=can_serve, serves=registry.champion())
            _prune(registry, settings, database)
        return run.outcome


def _prune(registry: Registry, settings: Settings, database: SynchronousDatabase) -> None:
    """Delete old versions, but none that may still be promoted instead of the champion.

    A version was compared with the champion of its run and can replace no other, except that the domain
    model takes the place of a withdrawn one. A failure does not fail the run: the next run prunes again.
    """
    try:
        replaceable = {registry.champion(), *registry.withdrawn()}
        undecided = [run for run in database.call(runs.undecided) if run.champion in replaceable]
        kept = {run.challenger for run in undecided if run.challenger is not None}
        registry.prune(settings.keep_versions, kept=kept)
    except (RegistryError, OSError) as error:
        log.warning("models.not_pruned", reason=str(error))


def _domain_outcome(made: "DomainVersion", *, can_serve: bool, serves: str | None) -> Outcome:
    """Say what came of a domain training; `serves` is the champion after it."""
    version, verdict = made.version, made.verdict
    status: Status = "promoted"
    sentence = Sentence(
        "Nights now start from {version}; {champion} serves until a night promotes a version.",
        version=version,
        champion=serves,
    )
    if serves == version:
        sentence = Sentence("{version} serves now, and every night starts from it.", version=version)
    if not can_serve:
        status = "done"
        sentence = Sentence(
            "{version} is made for comparison; nightly runs start from the same model as before.",
            version=version,
        )
    elif not verdict.is_promotable:
        status = "rejected"
        sentence = Sentence(
            "{version} did not become the domain model: {reasons:; }.",
            version=version,
            reasons=verdict.failures,
        )
    return Outcome(status, sentence, version, verdict.to_json(), made.report)


def run_night(
    settings: Settings,
    progress: Progress,
    *,
    trigger: str,
    night: NightSettings | None = None,
    as_of: datetime | None = None,
    objective: "Objective | None" = None,
    unless_since: datetime | None = None,
    again: bool = False,
) -> Outcome:
    """Learn from every standing vote up to `as_of`, and promote the version if it passes the gate.

    A run that would make the same model as the one before is skipped, unless it runs `again` or applies a
    request to be forgotten.

    Raises:
        DuplicateRunError: a run with this trigger started after `unless_since`.
        TrainingError: the run failed; its row says why, and the champion is unchanged.
        StorageError: the database cannot be used.
    """
    from training.finetuning.objective import DEFAULT_OBJECTIVE
    from training.pipeline.nightly import NightlyRun

    registry = open_registry(settings, progress=progress)
    pull(registry)
    if registry.champion() is None:
        raise NoChampionError
    with run_lock(settings) as lock, SynchronousDatabase.open(settings.url) as database:
        if unless_since is not None:
            last = database.call(runs.latest, trigger)
            if last is not None and last.started_at >= unless_since:
                raise DuplicateRunError(last.id)
        with _recorded(database, registry, trigger, progress, lock) as run:
            substitute = repair_domain(
                registry, make_first=lambda: install_first(settings, registry, progress, StarterSettings())
            )
            as_of = as_of or now()
            newest = database.call(newest_vote_at, until=as_of)
            # Of the runs that have not seen the newest vote: a query is as new to a second run on the same
            # votes as it was to the first.
            previous = database.call(runs.latest_judged, as_of_before=newest)
            work = NightlyRun(
                settings,
                night
                or NightSettings(has_word_lists=settings.word_lists == "prior" and language().has_words),
                objective or DEFAULT_OBJECTIVE,
                registry,
                database,
                progress,
                run_id=run.id,
                previous_as_of=previous.as_of if previous else None,
                as_of=as_of,
                newest_vote_at=newest,
                again=again or trigger == "forget",
                awaits_proof=(settings.promotion, settings.proof_on_new_run) == ("proof", "wait")
                and trigger != "forget",
                act=run.act,
            )
            database.call(runs.note, run.id, as_of=work.as_of)
            run.outcome = work.learn(is_automatic=trigger in AUTOMATIC)
        if substitute is not None:
            sentence = Sentence(
                "{outcome} The domain model is damaged; nightly runs start from {version} now.",
                outcome=run.outcome.sentence,
                version=substitute,
            )
            run.outcome = replace(run.outcome, sentence=sentence)
        outcome = _without_withdrawn(run.outcome, registry, database)
        _prune(registry, settings, database)
        return outcome


def _without_withdrawn(outcome: Outcome, registry: Registry, database: SynchronousDatabase) -> Outcome:
    """Replace a withdrawn champion by the domain model, unless the run promoted a version."""
    left = database.call(partial(promotion.replace_withdrawn_champion, registry), now=now())
    if left is None:
        return outcome
    sentence = Sentence(
        "{outcome} {version} learnt from votes that are forgotten, so the domain model {domain} serves now.",
        outcome=outcome.sentence,
        version=left,
        domain=registry.champion(),
    )
    return replace(outcome, sentence=sentence)


@contextlib.contextmanager
def run_lock(settings: Settings) -> Iterator[Lock]:
    """Hold the lock that allows one run at a time. It is released when the process ends, even by a crash.

    Raises:
        RunInProgressError: another run holds it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(holding(lock_for(settings, RUN)))
        except LockHeldError as error:
            raise RunInProgressError(error.holder) from error
        yield lock


class _Run:
    """The open row of a run."""

    def __init__(self, database: SynchronousDatabase, run_id: int, lock: Lock) -> None:
        self.id, self._lock = run_id, lock
        self.outcome = Outcome("failed", Sentence("The run did not come to an end."))
        self._database = database

    def act(self, action: Callable[[], None]) -> None:
        """Run an action that cannot be undone, unless the run was cancelled.

        Raises:
            RunCancelledError: the run was cancelled.
            LockLostError: another run may be in progress.
        """

        def act() -> None:
            self._lock.require()
            action()

        self._lock.require()  # before the row is locked, since this may take seconds
        if not self._database.call(runs.run_if_open, self.id, act):
            raise RunCancelledError


@contextlib.contextmanager
def _recorded(
    database: SynchronousDatabase, registry: Registry, trigger: str, progress: Progress, lock: Lock
) -> Iterator[_Run]:
    """Open a row in `runs`, and finish it whether the run succeeds or fails."""
    for stale in database.call(partial(promotion.repair, registry), now=now()):
        log.warning("run.repaired", run_id=stale.id, trigger=stale.trigger)
    run_id = database.call(runs.open_run, trigger, started_at=now(), champion=registry.champion())
    run = _Run(database, run_id, lock)
    progress.event("opened", run_id=run_id)
    try:
        with out_of_memory.translate_errors():
            yield run
    except BaseException as error:
        reason: TranslatableError | str = f"{type(error).__name__}: {error}"
        if isinstance(error, TrainingError | StorageError):
            reason = error
        elif not isinstance(error, Exception):
            reason = Sentence("it was stopped")
        run.outcome = Outcome("failed", str(reason), verdict=runs.failure(reason))
        raise
    finally:
        outcome = run.outcome
        columns = {"verdict": outcome.verdict, "report": outcome.report or None}
        database.call(runs.finish_run, run_id, outcome.status, finished_at=now(), **columns)
