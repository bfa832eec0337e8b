"""Base model → the team's domain model, by masked-LM training on generated sentences and the team's texts.

The corpus is split first. Then the team's words become whole tokens, and the model is trained on the recipe's
texts with early stopping. The gate decides whether nightly runs may start from the result. A run that was
killed resumes when it is started again with the same inputs.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from storage.files.durable import sha256
from training.corpus.domain_corpus import GENERATED, CorpusText, DomainCorpus, build_corpus
from training.corpus.health import measure_health, read_raw_cells
from training.corpus.language import examples
from training.corpus.lexicon import unwanted_words, wanted_words
from training.domain.checkpoints import Checkpoint
from training.domain.early_stopping import EarlyStoppingTraining
from training.domain.fixed_masks import HeldOutScore, MaskedText, mask_words, score_held_out
from training.domain.losses import MaskedTextSteps
from training.domain.recipes import RECIPES
from training.domain.step_log import StepLog
from training.domain.summary import source_to_json
from training.errors import BaseModelError, EmptyRecipeError, RegistryError
from training.evaluation import gate
from training.evaluation.comparable import cases_of, tokens_of
from training.evaluation.materials import OWN_SUITES, POSITIVE, suites_of
from training.evaluation.metrics import score_cases, summary
from training.inference import vocabulary
from training.inference.fill_model import FillModel
from training.models import torch_model
from training.models.base_check import require_usable
from training.models.base_model import UNREACHABLE, find_base
from training.models.writing import export_base, make_card, write_files
from training.progress import Progress
from training.registry.versions import TRAINING_LOG, Registry
from training.reports.plots.corpus_health import plot_corpus_health
from training.reports.plots.training_log import plot_training, read_log
from training.reports.plots.words import plot_words
from training.settings import DomainSettings, Settings
from training.votes.checks.corpus import select_edge_cases
from training.votes.checks.corpus_report import EdgeCaseReport


@dataclass(frozen=True, slots=True)
class DomainVersion:
    """A new version, the gate's verdict on it, and the report that `summary.format_report` shows."""

    version: str
    verdict: gate.Verdict
    report: dict[str, Any]


class DomainTraining:
    """The steps from the base model to a version."""

    def __init__(
        self,
        settings: Settings,
        domain: DomainSettings,
        progress: Progress,
        *,
        folder: Path,
        extra: Sequence[Path] = (),
        text_column: str | None = None,
    ) -> None:
        """Find the base model and split the corpus.

        Args:
            settings: Base model, files, device.
            domain: The recipe and its hyper-parameters.
            progress: Advanced once per training step.
            folder: The folder of the run.
            extra, text_column: Further CSV files, and the column to read from them.

        Raises:
            BaseModelError: No base model is available; the starter cannot replace it, as it learnt this
                corpus.
            CsvError: A file cannot be read.
        """
        base = find_base(settings.base_model)
        if base is None:
            raise BaseModelError(settings.base_model, UNREACHABLE)
        self._settings, self._domain, self._progress = settings, domain, progress
        self._base, self._folder = base, folder
        self._extra, self._text_column = extra, text_column
        self._recipe = RECIPES[domain.recipe]
        self._device = torch_model.pick_device(settings.device)
        self._log = StepLog()
        progress.step("reading the corpus")
        self._corpus = build_corpus(settings, domain, extra=extra, text_column=text_column)
        self._checkpoint = Checkpoint(
            settings.home / "runs" / f"domain-{domain.recipe}.checkpoint",
            _checkpoint_key(base, self._corpus, domain),
        )

    def make(self, registry: Registry, **columns: Any) -> DomainVersion:
        """Train, judge and write the version, without moving a pointer.

        Args:
            registry: Where to write the version.
            columns: Further fields of its card.

        Raises:
            BaseModelError: The base model cannot be loaded.
            EmptyRecipeError: The recipe has no text to learn from.
        """
        edge_cases = self._edge_cases("train") if self._recipe.edge_copies else None
        learner, metrics = self._train(edge_cases)
        self._progress.step("writing the new model")
        with registry.draft() as draft:
            after = write_files(
                learner,
                draft,
                precision=self._settings.precision,
                shown_words=self._settings.shown_words,
                progress=self._progress,
            )
            self._progress.step("judging the domain model")
            self._log.write(draft.folder / TRAINING_LOG)
            if edge_cases:
                for name in ("edge_cases.json", "edge_cases.txt"):
                    shutil.copy(self._folder / "edge_cases_train" / name, draft.folder)
            base = export_base(self._base)
            verdict, suites = judge_domain_model(base, after, metrics["held_out"])
            self._draw(draft.folder, registry, {"base": base, f"{draft.version} {self._recipe.name}": after})
            card = make_card(
                draft,
                kind="domain",
                base=self._settings.base_model,
                settings=self._domain.model_dump(),
                recipe=self._recipe.name,
                precision=after.precision,
                quantization=after.quantization,
                metrics={**metrics, "suites": suites},
                verdict=verdict.to_json(),
                **columns,
            )
            registry.commit(draft, card)
        self._checkpoint.clear()
        report = {
            **metrics,
            "added_words": len(metrics["added_words"]),
            "sources": [source_to_json(source) for source in self._corpus.sources],
            "edge_cases": edge_cases.table() if edge_cases else None,
            "suites": suites,
        }
        return DomainVersion(draft.version, verdict, report)

    def _draw(self, folder: Path, registry: Registry, models: dict[str, FillModel]) -> None:
        """Draw the plots that are stored with the version."""
        logs = {self._recipe.name: self._log.rows}
        for version in reversed(registry.versions()):  # the newest of each other recipe, for comparison
            with contextlib.suppress(RegistryError):
                card = registry.card(version)
                path = registry.path(version) / TRAINING_LOG
                if card.kind == "domain" and card.recipe not in logs and path.exists():
                    logs[card.recipe] = read_log(path)
        plot_training(logs, folder / "loss_perplexity.png")
        plot_words(examples().example, models, folder / "words.png")
        sentences = [t.text for t in self._corpus.texts if t.source != GENERATED]
        if cells := read_raw_cells(self._settings.data_dir, extra=self._extra, text_column=self._text_column):
            plot_corpus_health(measure_health(cells), measure_health(sentences), folder / "corpus_health.png")

    def _edge_cases(self, side: Literal["train", "held_out"]) -> EdgeCaseReport:
        self._progress.step("looking for edge cases")
        texts = self._corpus.train if side == "train" else self._corpus.held_out
        folder = self._folder / f"edge_cases_{side}"
        return select_edge_cases([t.text for t in texts], [t.source for t in texts], folder)

    def _stopping_texts(self) -> Sequence[CorpusText]:
        """Held-out texts for early stopping: only edge cases if the recipe learns only those."""
        texts = self._corpus.held_out
        if self._recipe.has_corpus:
            return texts
        return [texts[i] for i in self._edge_cases("held_out").kept] or texts

    def _train(self, edge_cases: EdgeCaseReport | None) -> tuple[torch_model.MaskedLm, dict[str, Any]]:
        domain, device, progress, train = self._domain, self._device, self._progress, self._corpus.train
        kept = edge_cases.kept if edge_cases else ()
        texts = self._recipe.texts(train, kept)
        if not texts:
            raise EmptyRecipeError(self._recipe.name)
        progress.step("loading the base model")
        learner = torch_model.load(self._base, base=self._settings.base_model)
        require_usable(learner, self._settings)
        learner.to(device)
        torch.manual_seed(domain.seed)
        progress.step("measuring the base model")
        scores = {"base": self._scores(learner)}
        words = vocabulary.new_words(
            learner.encoder,
            [text.text for text in train],
            wanted_words() | unwanted_words(),
            min_count=domain.new_word_count,
        )
        learner.add_words(words)
        masked = MaskedTextSteps(learner, texts, domain, self._log)
        trainer = EarlyStoppingTraining(
            learner,
            self._mask_held_out(learner, self._stopping_texts()),
            domain,
            texts=len(train),
            log=self._log,
            checkpoint=self._checkpoint,
            device=device,
        )
        masked.skip(trainer.step)
        progress.step("training the domain model", trainer.steps)
        progress.advance(trainer.step)
        trainer.run(masked.step, progress)
        scores["after"] = self._scores(learner)
        metrics = {
            "steps": trainer.step,
            "best_step": trainer.best_step,
            "epochs": round(trainer.step / self._log.steps_per_epoch, 2),
            "seconds": round(self._log.seconds, 1),
            "tokens_per_s": round(self._log.tokens_per_s, 1),
            "device": device.type,
            "held_out": {
                name: {part: f.to_json() for part, f in each.items()} for name, each in scores.items()
            },
            "corpus": {
                GENERATED: sum(text.source == GENERATED for text in train),
                **{s.source: s.sentences for s in self._corpus.sources if s.is_read},
                "held_out": len(self._corpus.held_out),
                "edge_cases": len(kept),
            },
            "added_words": words,
        }
        return learner.cpu(), metrics

    def _mask_held_out(
        self, learner: torch_model.MaskedLm, held_out: Sequence[CorpusText]
    ) -> dict[str, list[MaskedText]]:
        """Mask the held-out texts, by origin; the masked words are the same for every model."""
        encoder = learner.encoder
        parts: dict[str, list[str]] = {}
        for text in held_out:
            parts.setdefault(GENERATED if text.source == GENERATED else "own", []).append(text.text)
        share, seed = self._domain.mask_share, self._domain.seed
        return {
            name: hidden
            for name, texts in parts.items()
            if (hidden := mask_words(texts, encoder, share=share, seed=seed))
        }

    def _scores(self, learner: torch_model.MaskedLm) -> dict[str, HeldOutScore]:
        encoder = learner.encoder
        return {
            name: score_held_out(learner, hidden, encoder, device=self._device)
            for name, hidden in self._mask_held_out(learner, self._corpus.held_out).items()
        }


def judge_domain_model(
    base: FillModel, after: FillModel, held_out: Mapping[str, Any]
) -> tuple[gate.Verdict, dict[str, Any]]:
    """Return the gate's verdict, and suite → `base` and `after` → figures.

    Both models are scored over the words that are tokens of both.
    """
    models = {"base": base, "after": after}
    shared = tokens_of(models)
    figures: dict[str, Any] = {}
    for name, cases in suites_of(OWN_SUITES).items():
        comparable = cases_of(models, cases)
        figures[name] = {
            label: {
                **summary(score_cases(model, comparable.cases, among=shared[label])),
                "skipped": comparable.skipped,
            }
            for label, model in models.items()
        }
    measured = gate.DomainMeasurements(held_out, control=figures["control"], praise=figures[POSITIVE])
    return gate.decide_domain(measured), figures


def _checkpoint_key(base: Path, corpus: DomainCorpus, domain: DomainSettings) -> str:
    """Hash everything that the weights depend on."""
    digest = hashlib.sha256(domain.model_dump_json().encode() + corpus.hash.encode())
    for path in sorted(base.iterdir()):
        if path.suffix in (".safetensors", ".json") and path.is_file():
            digest.update(sha256(path).encode())
    return digest.hexdigest()
