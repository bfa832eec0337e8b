"""A long training run with evaluations on held-out text, early stopping, and checkpoints."""

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from training.domain.checkpoints import Checkpoint
from training.domain.fixed_masks import MaskedText, score_held_out
from training.domain.step_log import StepLog
from training.finetuning.trainer import Step, Trainer
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import DomainSettings

MIN_GAIN = 0.002  # nats per word; a smaller gain counts as no improvement


class EarlyStoppingTraining:
    """Trains until the held-out loss stops improving, resuming from a checkpoint if there is one."""

    def __init__(
        self,
        learner: MaskedLm,
        held_out: Mapping[str, Sequence[MaskedText]],
        domain: DomainSettings,
        *,
        texts: int,
        log: StepLog,
        checkpoint: Checkpoint,
        device: torch.device,
    ) -> None:
        """Load the checkpoint if there is one.

        Args:
            learner: The model, on `device`.
            held_out: Held-out texts by origin; the mean of their losses decides.
            domain: Hyper-parameters.
            texts: Number of texts in an epoch, the same for every recipe, so that their costs are equal.
            log: Filled step by step.
            checkpoint: Written after every evaluation.
            device: The device to train on.
        """
        self._learner, self._held_out, self._log = learner, held_out, log
        self._checkpoint, self._device, self._patience = checkpoint, device, domain.patience
        log.steps_per_epoch = math.ceil(texts / domain.batch_examples)
        self._every = max(1, log.steps_per_epoch // domain.evaluations)
        self._trainer = Trainer(
            learner,
            steps=max(1, round(log.steps_per_epoch * domain.epochs)),
            rates=domain.at_width(learner.shape.hidden_size),
            device=device,
        )
        self._encoder = learner.encoder
        self.best_step, self._best_loss, self._misses = 0, math.inf, 0
        self._best: dict[str, Tensor] = {}
        if state := checkpoint.load():
            self._load(state)

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return self._trainer.step

    @property
    def steps(self) -> int:
        """Maximum number of steps."""
        return self._trainer.steps

    def run(self, step_at: Callable[[int], Step], progress: Progress) -> None:
        """Train, and leave the weights with the lowest held-out loss in the model."""
        if not self._best:
            self._evaluate()
        while self.step < self.steps and self._misses < self._patience:
            self._log.start_clock()
            self._trainer.train(step_at, progress=progress, until=self.step + self._every)
            self._log.flush()
            self._evaluate()
            self._checkpoint.save(self._state())
        self._learner.load_state_dict(self._best)

    def _evaluate(self) -> None:
        scores = {
            name: score_held_out(self._learner, part, self._encoder, device=self._device)
            for name, part in self._held_out.items()
        }
        loss = self._log.evaluated(self.step, scores)
        if loss < self._best_loss - MIN_GAIN:
            self._best_loss, self.best_step, self._misses = loss, self.step, 0
            self._best = {k: copy.deepcopy(v.cpu()) for k, v in self._learner.state_dict().items()}
        else:
            self._misses += 1

    def _state(self) -> dict[str, Any]:
        return {
            "trainer": self._trainer.state_dict(),
            "best": self._best,
            "best_step": self.best_step,
            "best_loss": self._best_loss,
            "misses": self._misses,
            "rows": json.dumps(self._log.rows),
            "seconds": self._log.seconds,
        }

    def _load(self, state: dict[str, Any]) -> None:
        self._trainer.load_state_dict(state["trainer"])
        self._best, self.best_step = state["best"], state["best_step"]
        self._best_loss, self._misses = state["best_loss"], state["misses"]
        self._log.rows, self._log.seconds = json.loads(state["rows"]), state["seconds"]
