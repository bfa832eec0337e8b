"""The steps of a nightly run in the training process, between opening and finishing its row in `runs`.

`bot/runs/nightly.py` is what the bot does around it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from storage import runs
from storage.sentences import Sentence
from storage.team_words import read_words
from storage.votes.consensus import store_reliabilities
from storage.votes.predictions import count_votes
from training.corpus.replay_sentences import ReplaySentences
from training.errors import RegistryError, RunCancelledError
from training.evaluation import gate
from training.evaluation.candidate import CandidateEvaluation, changes
from training.evaluation.drift import neutral_queries
from training.finetuning.fine_tune import fine_tune
from training.finetuning.objective import Objective
from training.finetuning.output_shift import shift_of_votes
from training.finetuning.trainer import LossPoint
from training.inference.encoder import completed
from training.inference.fill_model import FillModel
from training.inference.vocabulary import denied_words
from training.models import torch_model
from training.models.writing import exported_like, installed_libraries, make_card, write_files
from training.pipeline.outcome import Outcome
from training.pipeline.repetition import inputs_of, repeated_run
from training.progress import Progress
from training.registry.versions import SERVED_FILES, Registry
from training.settings import NightSettings, Settings
from training.synchronous_database import SynchronousDatabase
from training.votes import retraining_set
from training.votes.checks.report import ChecksReport
from training.votes.checks.votes import run_checks
from training.votes.retraining_set import RetrainingSet


@dataclass(frozen=True)
class NightlyRun:
    """A run on votes, step by step.

    Attributes:
        previous_as_of: the time up to which the run before learnt from votes.
        as_of: the same for this run; later votes do not count.
        newest_vote_at: when the newest of the votes was cast. Their age is taken at this time: the same votes
            weigh the same whenever a run learns from them.
        again: train even if the run would make the same model as the one before.
        awaits_proof: skip the run while an earlier version is being proved.
        act: calls its argument unless the run was cancelled, in which case it raises `RunCancelledError`.
    """

    settings: Settings
    night: NightSettings
    objective: Objective
    registry: Registry
    database: SynchronousDatabase
    progress: Progress
    run_id: int
    previous_as_of: datetime | None
    as_of: datetime
    newest_vote_at: datetime | None
    again: bool
    awaits_proof: bool
    act: Callable[[Callable[[], None]], None]

    def learn(self, *, is_automatic: bool) -> Outcome:
        """Turn votes into an outcome, and promote the new version if it passes the gate.

        Raises:
            TrainingError: the run failed, or was cancelled.
        """
        # Fail early where the GPU is missing; on a cluster the workers pick their device.
        device = torch_model.pick_device("cpu" if self.settings.is_on_cluster else self.settings.device)
        checks = self._check()
        chosen = retraining_set.build(checks.judgements, held_out_share=self.night.held_out_share)
        inputs = self._inputs_of(chosen, checks)
        report: dict[str, Any] = {**checks.to_json(), "retraining_set_hash": chosen.hash, **inputs}
        reason = self._reason_to_skip(chosen, checks, is_automatic=is_automatic)
        if reason is None and not self.again:
            repeated = repeated_run(self.database, self.registry, inputs)
            if repeated is not None:
                report[runs.REPEATS] = repeated
                reason = Sentence(
                    "No new judgements since run {run}; it would make the same model again.", run=repeated
                )
        if reason is not None:
            return Outcome("skipped", reason, verdict=runs.failure(reason), report=report)
        if not self.database.call(runs.note, self.run_id, retraining_set_hash=chosen.hash):
            raise RunCancelledError  # a request to be forgotten, for example: the set holds those votes
        retraining_set.write(chosen, self._folder)
        return self._train_and_judge(chosen, report, device)

    @property
    def _folder(self) -> Path:
        folder = self.settings.home / "runs" / f"{self.run_id:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check(self) -> ChecksReport:
        report = run_checks(
            self.settings.url,
            self._folder / "uptrain",
            as_of=self.as_of,
            aged_at=self.newest_vote_at,
            min_voters=self.settings.needed_voters,
            denied=self._denied,
            half_life_days=self.settings.vote_half_life_days,
            previous_as_of=self.previous_as_of,
            progress=self.progress,
        )
        self.database.call(store_reliabilities, report.reliability, as_of=self.as_of)
        return report

    def _inputs_of(self, chosen: RetrainingSet, checks: ChecksReport) -> dict[str, Any]:
        settings = self._inputs()
        del settings["previous_as_of"]  # it moves with every run on new votes, whatever they say
        domain = self.registry.domain()
        return inputs_of(
            chosen,
            checks.judgements,
            domain_files=self.registry.card(domain).files if domain else {},
            settings={
                **settings,
                "objective": self.objective.name,
                "precision": self.settings.precision,
                "libraries": installed_libraries(),
            },
            behaviour=self._behaviour,
        )

    @functools.cached_property
    def _team_denied(self) -> list[str]:
        """The words that the team denied from chat, as they are when the run reads them."""
        return [one.word for one in self.database.call(read_words, "denied")]

    @property
    def _denied(self) -> list[str]:
        """All denied words: those of the shipped list and the team's."""
        return sorted(denied_words().union(self._team_denied))

    @functools.cached_property
    def _team_preferred(self) -> list[str]:
        """The words that the team prefers, as they are when the run reads them."""
        return [one.word for one in self.database.call(read_words, "preferred")]

    @property
    def _behaviour(self) -> Path:
        return self.settings.home / "behaviour.yaml"

    def _reason_to_skip(
        self, chosen: RetrainingSet, checks: ChecksReport, *, is_automatic: bool
    ) -> Sentence | None:
        proof = self.database.call(runs.open_proof) if self.awaits_proof else None
        if proof is not None:
            return Sentence(
                "{version} and {champion} answer together until people's votes decide; runs wait until then.",
                version=proof.challenger,
                champion=proof.champion,
            )
        needed = self.settings.needed_judgements
        if not checks.votes:
            return Sentence(
                "There are no votes yet. Rate the words of a reply, and the next run learns from them."
            )
        if chosen.judgements < needed:
            return Sentence(
                "There are {judged} judged words from {votes} votes; a run needs {needed} (a word is judged "
                "when {voters} or more people voted and agree).",
                judged=chosen.judgements,
                votes=checks.votes,
                needed=needed,
                voters=self.settings.needed_voters,
            )
        paused = self.database.call(runs.paused_since) if is_automatic else None
        if paused is None:
            return None
        fresh = self.database.call(count_votes, since=paused)
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
        self, chosen: RetrainingSet, report: dict[str, Any], device: torch.device
    ) -> Outcome:
        registry, settings = self.registry, self.settings
        domain, champion = registry.domain(), registry.champion()
        assert domain is not None
        assert champion is not None
        # The deleted votes of a withdrawn champion must not set the standard.
        standard = domain if champion in registry.withdrawn() else champion
        self.progress.step("loading the domain model")
        registry.verify(domain)
        before = FillModel(registry.path(domain))
        before.deny(self._team_denied)
        serving = before if standard == domain else self._load_champion(standard, before)
        serving.deny(self._team_denied)
        evaluation = CandidateEvaluation(
            chosen,
            domain=before,
            champion=serving,
            rolled_back=self.database.call(runs.rolled_back_hashes),
            shown_words=settings.shown_words,
            behaviour=self._behaviour,
            denied=self._denied,
        )
        challenger = torch_model.load(registry.path(domain), base=domain)
        start = {name: value.clone() for name, value in challenger.state_dict().items()}
        replay = ReplaySentences.generate(
            seed=self.night.seed, sentences=self.night.sentences, replayed=self.night.replayed
        )
        if not replay.texts:  # a language without patterns
            replay = _replay_of_answers(before, chosen)
        if self.objective.has_shift:
            self.progress.step("weighing the judged words")
            challenger.shift = shift_of_votes(
                challenger,
                chosen.train,
                exported=before,
                replay_sentences=replay,
                preferred=self._team_preferred,
                settings=self.night,
            )
        shift = challenger.shift
        points = self._fine_tune(challenger, chosen, before, replay, device)
        end = {name: value.clone() for name, value in challenger.state_dict().items()}
        with registry.draft() as draft:
            for share, shift_share in self.objective.step_shares:
                challenger.load_state_dict(torch_model.interpolate_weights(start, end, share))
                challenger.shift = None if shift is None else shift.scaled(shift_share)
                self.progress.step("writing the new model")
                after = write_files(
                    challenger,
                    draft,
                    precision=settings.precision,
                    shown_words=settings.shown_words,
                    queries=[example.query for example in chosen.train],
                    denied=self._team_denied,
                    least_outliers=before.outlier_share,
                    progress=self.progress,
                )
                self.progress.step("judging the new model")
                with self._at_the_precision_of(after, before) as alike:
                    verdict, metrics = evaluation.verdict(after, domain_alike=alike)
                if not verdict.is_helped_by_smaller_step:
                    break
            metrics["step_share"], metrics["shift_share"] = share, shift_share
            # Not in the card, which must not change: forgetting a person deletes these words.
            report["moved_words"] = metrics.pop("moved_words")
            report["wrong_way"] = metrics.pop("wrong_way")
            report["changes"] = changes(serving, after, chosen, shown_words=settings.shown_words)
            report["metrics"] = metrics
            card = make_card(
                draft,
                kind="night",
                base=registry.card(domain).base,
                parent=domain,
                champion=standard,
                run_id=self.run_id,
                recipe=self.objective.name,
                precision=after.precision,
                quantization=after.quantization,
                retraining_set_hash=chosen.hash,
                as_of=self.as_of,
                settings=self._inputs(),
                metrics={**metrics, "loss": [[p.step, round(p.loss, 4)] for p in points]},
                verdict=verdict.to_json(),
            )
            registry.commit(draft, card)
        return self._settle(draft.version, verdict, report, instead_of=champion, standard=standard)

    def _inputs(self) -> dict[str, Any]:
        """For the card: everything but domain model, votes and `as_of` that determines the version."""
        previous = self.previous_as_of
        return {
            **self.night.model_dump(),
            "min_voters": self.settings.needed_voters,
            "vote_half_life_days": self.settings.vote_half_life_days,
            "shown_words": self.settings.shown_words,
            "previous_as_of": previous.isoformat() if previous else None,
            **({"denied": self._team_denied} if self._team_denied else {}),
            **({"preferred": self._team_preferred} if self._team_preferred else {}),
            **({"workers": self.settings.ray_workers} if self.settings.is_on_cluster else {}),
        }

    @contextlib.contextmanager
    def _at_the_precision_of(self, challenger: FillModel, domain: FillModel) -> Iterator[FillModel]:
        """Yield the domain model at the challenger's precision, so that their speeds can be compared."""
        if challenger.outlier_share == domain.outlier_share:
            yield domain
            return
        model = torch_model.load(self.registry.path(domain.version), base=domain.version)
        with exported_like(challenger, model) as alike:
            yield alike

    def _load_champion(self, champion: str, domain: FillModel) -> FillModel:
        """Return the champion, or the domain model if it is damaged, so that a night can replace it."""
        try:
            self.registry.verify(champion, only=SERVED_FILES)
            return FillModel(self.registry.path(champion))
        except RegistryError:
            return domain

    def _fine_tune(
        self,
        challenger: torch_model.MaskedLm,
        chosen: RetrainingSet,
        before: FillModel,
        replay: ReplaySentences,
        device: torch.device,
    ) -> list[LossPoint]:
        tune: Callable[..., list[LossPoint]] = partial(fine_tune, device=device)
        if self.settings.is_on_cluster:
            from training.distributed.ray.fine_tuning import fine_tune_together
            from training.distributed.ray.group import WorkerGroup

            group = WorkerGroup.of(self.settings)
            tune = partial(fine_tune_together, group=group, name=f"{self.run_id:05d}")
        return tune(
            challenger,
            chosen.train,
            token_of=before.token_of,
            offered=[int(token) for token in before.offered],
            replay_sentences=replay,
            settings=self.night,
            shown_words=self.settings.shown_words,
            progress=self.progress,
            objective=self.objective,
        )

    def _settle(
        self, version: str, verdict: gate.Verdict, report: dict[str, Any], *, instead_of: str, standard: str
    ) -> Outcome:
        """Promote a version that passed the gate, or leave that to an admin or to a proof.

        Args:
            version: the new version.
            verdict: the gate's.
            report: the run's.
            instead_of: the champion.
            standard: the version that the gate compared with: the champion unless that one is withdrawn.

        Raises:
            RunCancelledError: the run was cancelled meanwhile.
        """
        if not verdict.is_promotable:
            sentence = Sentence(
                "{version} was not promoted: {reasons:; }.", version=version, reasons=verdict.failures
            )
            return Outcome("rejected", sentence, version, verdict.to_json(), report)
        self.database.call(runs.note, self.run_id, challenger=version, verdict=verdict.to_json())
        needs_person = self.settings.promotion == "ask" or not self.night.has_word_lists
        if self.settings.promotion == "proof" and denied_words():
            sentence = Sentence(
                "{version} passed every test. It answers together with {champion} until people's votes "
                "decide.",
                version=version,
                champion=standard,
            )
            return Outcome("proving", sentence, version, verdict.to_json(), report)
        if needs_person or not denied_words():  # nothing else keeps insults out in a language without a list
            sentence = Sentence(
                "{version} passed every test. An admin decides whether it replaces {champion}.",
                version=version,
                champion=standard,
            )
            return Outcome("waiting", sentence, version, verdict.to_json(), report)
        self.act(lambda: self.registry.promote(version, instead_of=instead_of))
        sentence = Sentence("{version} is the new champion.", version=version)
        return Outcome("promoted", sentence, version, verdict.to_json(), report)


def _replay_of_answers(domain: FillModel, chosen: RetrainingSet) -> ReplaySentences:
    """Replay what the domain model makes of the voted queries, which alone ask for judgements."""
    queries = list(dict.fromkeys(example.query for example in chosen.train))
    filled = domain.fill(queries, top=1)
    texts = tuple(
        completed(query, [candidates[0].word for candidates in masks])
        for query, masks in zip(queries, filled, strict=True)
    )
    return ReplaySentences(texts, praise=tuple(queries), blame=(), others=tuple(neutral_queries(texts)))
