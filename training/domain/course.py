"""A long training with evaluations on held-out text, early stopping, and checkpoints in between."""

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from training.domain.checkpoints import Checkpoint
from training.domain.fixed_masks import Hidden, measure
from training.domain.step_log import StepLog
from training.finetuning.trainer import Step, Trainer, has_bf16
from training.inference.encoder import Encoder
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import DomainSettings

MIN_GAIN = 0.002  # nats a word; less is no improvement


class Course:
    """From the first step, or from the checkpoint of a run that was killed, to the best weights."""

    def __init__(
        self,
        learner: MaskedLm,
        hidden: Mapping[str, Sequence[Hidden]],
        domain: DomainSettings,
        *,
        texts: int,
        log: StepLog,
        checkpoint: Checkpoint,
        device: torch.device,
    ) -> None:
        """Load the checkpoint, where there is one.

        Args:
            learner: on `device`.
            hidden: held-out texts by where they are from; the mean of their losses decides.
            domain: hyper-parameters.
            texts: of an epoch, the same for every recipe, so that they are compared at the same cost.
            log: filled step by step.
            checkpoint: written after every evaluation.
            device: where to train.
        """
        self._learner, self._hidden, self._log = learner, hidden, log
        self._checkpoint, self._device, self._patience = checkpoint, device, domain.patience
        log.steps_per_epoch = math.ceil(texts / domain.batch_examples)
        self._every = max(1, log.steps_per_epoch // domain.evaluations)
        scale = math.sqrt(768 / learner.shape.hidden_size)  # narrower models need, and bear, larger steps
        self._trainer = Trainer(
            learner,
            steps=max(1, round(log.steps_per_epoch * domain.epochs)),
            rates=domain.model_copy(update={"learning_rate": domain.learning_rate * scale}),
            device=device,
            bf16=has_bf16(device),
        )
        self._encoder = Encoder(learner.tokenizer, max_tokens=learner.shape.max_tokens)
        self.best_step, self._best_loss, self._misses = 0, math.inf, 0
        self._best: dict[str, Tensor] = {}
        if state := checkpoint.load():
            self._load(state)

    @property
    def step(self) -> int:
        """Steps taken."""
        return self._trainer.step

    @property
    def steps(self) -> int:
        """Steps at most."""
        return self._trainer.steps

    def run(self, step_at: Callable[[int], Step], progress: Progress) -> None:
        """Train until held-out text says enough, and leave the best weights in the model."""
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
        fits = {
            name: measure(self._learner, part, self._encoder, device=self._device)
            for name, part in self._hidden.items()
        }
        loss = self._log.evaluated(self.step, fits)
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
