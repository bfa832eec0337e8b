"""The training loop: bf16 where it is faster, fused AdamW, linear warm-up and decay, gradient clipping.

When memory runs out, the step is retried with twice as many micro-batches, down to one row each.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
import torch
from torch import Tensor, nn

from training.errors import OutOfMemoryError
from training.finetuning.data_parallelism import SINGLE_WORKER, DataParallelism
from training.models.out_of_memory import is_out_of_memory
from training.progress import Progress
from training.settings import OptimizerSettings

log = structlog.stdlib.get_logger(__name__)
REPORT_EVERY_STEPS = 10  # reading a loss waits for the GPU
BF16_PARAMETERS = 5_000_000  # on a CPU, a smaller model is as fast in fp32
CHECKPOINT_EVERY_STEPS = 10  # a multiple of the above: stopping elsewhere would add readings


@dataclass(frozen=True, slots=True)
class Step:
    """The batches of one step.

    Attributes:
        loss: number of micro-batches → a scalar with a graph. Every call uses the same batches, so that a
            step can be retried. Called inside autocast.
        rows: rows of the largest batch, which is the most micro-batches there can be.
    """

    loss: Callable[[int], Tensor]
    rows: int = 1


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The training loss at one step."""

    step: int
    loss: float


class Checkpointer(Protocol):
    """Stores the training state, so that a crashed run can resume."""

    def load(self) -> dict[str, Any] | None:
        """Return the last saved state, or None."""

    def save(self, state: dict[str, Any]) -> None:
        """Save the state, or skip it: called every `CHECKPOINT_EVERY_STEPS` steps."""


def _is_faster_in_bf16(model: nn.Module, device: torch.device) -> bool:
    """On GPUs, and for larger models on CPUs that multiply in bf16."""
    if device.type == "cuda":
        return True
    capabilities = torch.cpu.get_capabilities()
    is_large = sum(parameter.numel() for parameter in model.parameters()) >= BF16_PARAMETERS
    return is_large and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


class Trainer:
    """A model with its optimiser and schedule; can be stopped, saved and resumed between steps."""

    def __init__(
        self,
        model: nn.Module,
        *,
        steps: int,
        rates: OptimizerSettings,
        device: torch.device,
        data_parallelism: DataParallelism = SINGLE_WORKER,
    ) -> None:
        """Begin at step 0.

        Args:
            model: the model, on `device`.
            steps: length of the schedule.
            rates: hyper-parameters of the optimiser.
            device: the device that holds the model.
            data_parallelism: the group that shares each batch.
        """
        self._data_parallelism = data_parallelism
        self._bf16 = _is_faster_in_bf16(model, device)  # by autocast: the weights stay fp32
        self._model, self._device, self._clip = model, device, rates.max_gradient_norm
        self.steps, self.step, self._micro_batches = steps, 0, 1
        self._optimiser = _optimiser(model, rates, device)
        warmup = max(1, round(steps * rates.warmup_share))
        # Never below a twentieth of the peak: steps at a rate near 0 cost time and learn nothing.
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser,
            lambda step: min((step + 1) / warmup, max(0.05, (steps - step) / max(1, steps - warmup))),
        )

    def train(
        self, step_at: Callable[[int], Step], *, progress: Progress, until: int | None = None
    ) -> list[LossPoint]:
        """Train up to step `until`, or to the end, and leave the model in evaluation mode.

        Args:
            step_at: step number from 0 → its batches; called once per step.
            progress: advanced once per step.
            until: the number of steps after which to stop; None for all.

        Returns:
            The loss every `REPORT_EVERY_STEPS` steps and at the last one.

        Raises:
            OutOfMemoryError: memory does not suffice for a single row.
        """
        until = self.steps if until is None else min(until, self.steps)
        points: list[LossPoint] = []
        self._model.train()
        while self.step < until:
            loss = self._learn(step_at(self.step))
            nn.utils.clip_grad_norm_(self._model.parameters(), self._clip)
            self._optimiser.step()
            self._schedule.step()
            self.step += 1
            if self.step % REPORT_EVERY_STEPS and self.step < until:
                progress.advance()
                continue
            points.append(LossPoint(self.step, float(loss)))
            progress.advance(loss=points[-1].loss)
        self._model.eval()
        return points

    def _learn(self, step: Step) -> Tensor:
        """Compute the gradients, with more micro-batches when memory runs out, and return the loss."""
        while True:
            self._optimiser.zero_grad(set_to_none=True)
            try:
                with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bf16):
                    loss = step.loss(self._micro_batches)
                torch.autograd.backward(loss)
                self._data_parallelism.sum_gradients(self._model.parameters())
                return loss.detach()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._data_parallelism.report_out_of_memory(error)
                if self._micro_batches >= step.rows:
                    raise OutOfMemoryError from error
            # Only after the except clause: the error's traceback keeps the whole graph alive.
            self._micro_batches *= 2
            log.warning("training.out_of_memory", micro_batches=self._micro_batches, step=self.step)
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser state, step and random state, but not the schedule's settings."""
        state = {
            "step": self.step,
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a `state_dict`; the following steps are the same as without an interruption."""
        self.step = state["step"]
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.last_epoch = self.step  # the learning rate itself is in the optimiser's state
        torch.set_rng_state(state["random"].cpu())
        if "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self._device)


def train(
    model: nn.Module,
    step_at: Callable[[int], Step],
    *,
    steps: int,
    rates: OptimizerSettings,
    device: torch.device,
    progress: Progress,
    data_parallelism: DataParallelism = SINGLE_WORKER,
    checkpointer: Checkpointer | None = None,
) -> list[LossPoint]:
    """Take `steps` optimiser steps on `step_at(step)`, resuming from the last checkpoint; see `Trainer`."""
    trainer = Trainer(model, steps=steps, rates=rates, device=device, data_parallelism=data_parallelism)
    if checkpointer is None:
        return trainer.train(step_at, progress=progress)
    points: list[LossPoint] = []
    if state := checkpointer.load():
        for step in range(state["trainer"]["step"]):
            step_at(step)  # draw and discard, so that the next step gets the batches it would have had
        trainer.load_state_dict(state["trainer"])
        points = [LossPoint(step, loss) for step, loss in state["points"]]
        progress.advance(trainer.step)
    while trainer.step < steps:
        points += trainer.train(step_at, progress=progress, until=trainer.step + CHECKPOINT_EVERY_STEPS)
        if trainer.step < steps:
            checkpointer.save({"trainer": trainer.state_dict(), "points": [(p.step, p.loss) for p in points]})
    return points


def _optimiser(model: nn.Module, rates: OptimizerSettings, device: torch.device) -> torch.optim.Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    # Decay on matrices only: on biases and layer norms it shrinks scales and regularises nothing.
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": rates.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=rates.learning_rate, betas=(0.9, 0.98), fused=device.type in ("cuda", "cpu")
    )
