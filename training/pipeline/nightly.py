"""The steps of a nightly run, between opening and finishing its row in `runs`."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from storage import runs
from storage.sentences import Sentence
from storage.votes.consensus import store_reliabilities
from storage.votes.predictions import count_votes
from training.corpus.replay_sentences import ReplaySentences
from training.errors import RegistryError, RunCancelledError
from training.evaluation import gate
from training.evaluation.candidate import CandidateEvaluation, changes
from training.finetuning.fine_tune import fine_tune
from training.finetuning.objective import Objective
from training.finetuning.trainer import LossPoint
from training.inference.fill_model import FillModel
from training.inference.vocabulary import denied_words
from training.models import torch_model
from training.models.writing import make_card, write_files
from training.pipeline.outcome import Outcome
from training.pipeline.synchronous_database import SynchronousDatabase
from training.progress import Progress
from training.registry.versions import SERVED_FILES, Registry
from training.settings import NightSettings, Settings
from training.votes import retraining_set
from training.votes.checks.report import ChecksReport
from training.votes.checks.votes import run_checks
from training.votes.retraining_set import RetrainingSet


class NightlyRun:
    """A run on votes, step by step. Constructing it reads no votes."""

    def __init__(
        self,
        settings: Settings,
        night: NightSettings,
        registry: Registry,
        database: SynchronousDatabase,
        progress: Progress,
        *,
        run_id: int,
        objective: Objective,
    ) -> None:
        self._settings, self._night = settings, night
        self._registry, self._database, self._progress = registry, database, progress
        self._run_id, self._objective = run_id, objective
        self._previous_as_of = database.call(runs.latest_as_of)

    def learn(
        self, *, is_automatic: bool, as_of: datetime, act: Callable[[Callable[[], None]], None]
    ) -> Outcome:
        """Turn votes into an outcome. Promotes through `act`, which checks that the run was not cancelled.

        Raises:
            TrainingError: the run failed, or was cancelled.
        """
        # Fail early where the GPU is missing; on a cluster the workers pick their device.
        device = torch_model.pick_device("cpu" if self._settings.is_on_cluster else self._settings.device)
        checks = self._check(as_of)
        chosen = retraining_set.build(checks.judgements, held_out_share=self._night.held_out_share)
        report: dict[str, Any] = {**checks.to_json(), "retraining_set_hash": chosen.hash}
        if reason := self._reason_to_skip(chosen, checks, is_automatic=is_automatic):
            return Outcome("skipped", reason, verdict=runs.failure(reason), report=report)
        if not self._database.call(runs.note, self._run_id, retraining_set_hash=chosen.hash):
            raise RunCancelledError  # a request to be forgotten, for example: the set holds those votes
        retraining_set.write(chosen, self._folder)
        return self._train_and_judge(chosen, report, device=device, as_of=as_of, act=act)

    @property
    def _folder(self) -> Path:
        folder = self._settings.home / "runs" / f"{self._run_id:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check(self, as_of: datetime) -> ChecksReport:
        report = run_checks(
            self._settings.url,
            self._folder / "uptrain",
            as_of=as_of,
            min_voters=self._settings.needed_voters,
            denied=denied_words(),
            half_life_days=self._settings.vote_half_life_days,
            previous_as_of=self._previous_as_of,
            progress=self._progress,
        )
        self._database.call(store_reliabilities, report.reliability, as_of=as_of)
        return report

    def _reason_to_skip(
        self, chosen: RetrainingSet, checks: ChecksReport, *, is_automatic: bool
    ) -> Sentence | None:
        needed = self._settings.needed_judgements
        if chosen.judgements < needed:
            return Sentence(
                "There are {judged} judged words from {votes} votes; a run needs {needed} (a word is judged "
                "when {voters} or more people voted and agree).",
                judged=chosen.judgements,
                votes=checks.votes,
                needed=needed,
                voters=self._settings.needed_voters,
            )
        if not is_automatic:
            return None
        paused = self._database.call(runs.paused_since)
        if paused is None:
            return None
        fresh = self._database.call(count_votes, since=paused)
        if fresh >= needed:
            return None
        return Sentence(
            "Nightly promotion is paused since the rollback of {at} UTC: {fresh} of {needed} new votes "
            "since. An admin can end the pause with `!resume`.",
            at=f"{paused:%Y-%m-%d %H:%M}",
            fresh=fresh,
            needed=needed,
        )

    def _train_and_judge(
        self,
        chosen: RetrainingSet,
        report: dict[str, Any],
        *,
        device: torch.device,
        as_of: datetime,
        act: Callable[[Callable[[], None]], None],
    ) -> Outcome:
        registry = self._registry
        domain, champion = registry.domain(), registry.champion()
        assert domain is not None
        assert champion is not None
        left = champion
        if champion in registry.withdrawn():  # its deleted votes must not set the standard
            champion = domain
        self._progress.step("loading the domain model")
        registry.verify(domain)
        before = FillModel(registry.path(domain))
        serving = before if champion == domain else self._load_champion(champion, before)
        evaluation = CandidateEvaluation(
            chosen,
            domain=before,
            champion=serving,
            rolled_back=self._database.call(runs.rolled_back_hashes),
            shown_words=self._settings.shown_words,
            behaviour=self._settings.home / "behaviour.yaml",
        )
        challenger = torch_model.load(registry.path(domain), base=domain)
        start = {name: value.clone() for name, value in challenger.state_dict().items()}
        points = self._fine_tune(challenger, chosen, before, device)
        end = {name: value.clone() for name, value in challenger.state_dict().items()}
        self._progress.step("judging the new model", len(self._objective.step_shares))
        with registry.draft() as draft:
            for share in self._objective.step_shares:
                challenger.load_state_dict(torch_model.interpolate_weights(start, end, share))
                after = write_files(
                    challenger,
                    draft,
                    precision=self._settings.precision,
                    shown_words=self._settings.shown_words,
                )
                verdict, metrics = evaluation.verdict(after)
                self._progress.advance()
                if not verdict.is_helped_by_smaller_step:
                    break
            metrics["step_share"] = share
            # Not in the card, which must not change: forgetting a person deletes these words.
            moved_words = metrics.pop("moved_words")
            changed = {
                "changes": changes(serving, after, chosen, shown_words=self._settings.shown_words),
                "moved_words": moved_words,
            }
            report = {**report, "metrics": metrics, **changed}
            card = make_card(
                draft,
                kind="night",
                base=registry.card(domain).base,
                parent=domain,
                champion=champion,
                run_id=self._run_id,
                recipe=self._objective.name,
                precision=after.precision,
                retraining_set_hash=chosen.hash,
                as_of=as_of,
                settings=self._inputs(),
                metrics={**metrics, "loss": [[p.step, round(p.loss, 4)] for p in points]},
                verdict=verdict.to_json(),
            )
            registry.commit(draft, card)
        return self._settle(draft.version, verdict, report, act, left=left)

    def _inputs(self) -> dict[str, Any]:
        """For the card: everything but domain model, votes and `as_of` that determines the version."""
        previous = self._previous_as_of
        return {
            **self._night.model_dump(),
            "min_voters": self._settings.needed_voters,
            "vote_half_life_days": self._settings.vote_half_life_days,
            "shown_words": self._settings.shown_words,
            "previous_as_of": previous.isoformat() if previous else None,
            **({"workers": self._settings.ray_workers} if self._settings.is_on_cluster else {}),
        }

    def _load_champion(self, champion: str, domain: FillModel) -> FillModel:
        """The champion, or the domain model where it is damaged, so that a night can replace it."""
        try:
            self._registry.verify(champion, only=SERVED_FILES)
            return FillModel(self._registry.path(champion))
        except RegistryError:
            return domain

    def _fine_tune(
        self, challenger: torch_model.MaskedLm, chosen: RetrainingSet, before: FillModel, device: torch.device
    ) -> list[LossPoint]:
        tune: Callable[..., list[LossPoint]] = partial(fine_tune, device=device)
        if self._settings.is_on_cluster:
            from training.distributed.ray.fine_tuning import fine_tune_together
            from training.distributed.ray.group import WorkerGroup

            tune = partial(
                fine_tune_together, group=WorkerGroup.of(self._settings), name=f"{self._run_id:05d}"
            )
        return tune(
            challenger,
            chosen.train,
            token_of=before.token_of,
            offered=[int(token) for token in before.offered],
            replay_sentences=ReplaySentences.generate(
                seed=self._night.seed, sentences=self._night.sentences, replayed=self._night.replayed
            ),
            settings=self._night,
            shown_words=self._settings.shown_words,
            progress=self._progress,
            objective=self._objective,
        )

    def _settle(
        self,
        version: str,
        verdict: gate.Verdict,
        report: dict[str, Any],
        act: Callable[[Callable[[], None]], None],
        *,
        left: str,
    ) -> Outcome:
        """Promote a version that passed the gate, unless the run was cancelled meanwhile."""
        if not verdict.is_promotable:
            sentence = Sentence(
                "{version} was not promoted: {reasons:; }.", version=version, reasons=verdict.failures
            )
            return Outcome("rejected", sentence, version, verdict.to_json(), report)
        self._database.call(runs.note, self._run_id, challenger=version, verdict=verdict.to_json())
        act(lambda: self._registry.promote(version, instead_of=left))
        sentence = Sentence("{version} is the new champion.", version=version)
        return Outcome("promoted", sentence, version, verdict.to_json(), report)
