"""The training loop: bf16 where it is faster, fused AdamW, linear warm-up and decay, clipping.

Where memory runs out, batches go through the model in twice as many micro-batches, down to a row at a time.
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

log = structlog.stdlib.get_logger(__name__)
REPORT_EVERY_STEPS = 10  # steps between figures: reading a loss waits for the GPU
CHECKPOINT_EVERY_STEPS = 10  # steps between two looks whether to keep the state; a multiple of the above


class OptimizerSettings(Protocol):
    """The optimiser's part of the hyper-parameters."""

    @property
    def learning_rate(self) -> float:
        """The peak."""

    @property
    def weight_decay(self) -> float:
        """On matrices only."""

    @property
    def warmup_share(self) -> float:
        """Of all steps."""

    @property
    def max_gradient_norm(self) -> float:
        """Gradients are clipped to it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step learns from.

    Attributes:
        loss: a scalar with a graph, of the same batches however often it is asked for; the argument says in
            how many pieces they go through the model. Called inside autocast.
        rows: of the largest batch: more pieces than that are none.
    """

    loss: Callable[[int], Tensor]
    rows: int = 1


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One reading of a training run."""

    step: int
    loss: float


class Checkpointer(Protocol):
    """Where the state of a training is kept in between, for who comes after a crash."""

    def load(self) -> dict[str, Any] | None:
        """What was kept last; None at the beginning."""

    def save(self, state: dict[str, Any]) -> None:
        """Called every `CHECKPOINT_EVERY_STEPS` steps; it may pass it over."""


def has_bf16(device: torch.device) -> bool:
    """Whether products in bf16 are faster there: on a GPU, and on processors with instructions for them."""
    known = torch.cpu.get_capabilities()
    return device.type == "cuda" or bool(known.get("avx512_bf16") or known.get("amx_bf16"))


class Trainer:
    """A model, its optimiser and how far they are; can be stopped, saved and resumed between steps."""

    def __init__(
        self,
        model: nn.Module,
        *,
        steps: int,
        rates: OptimizerSettings,
        device: torch.device,
        bf16: bool | None = None,
        data_parallelism: DataParallelism = SINGLE_WORKER,
    ) -> None:
        """Begin at step 0.

        Args:
            model: on `device`.
            steps: of the whole schedule.
            rates: learning rate (peak), weight decay, share of warm-up, clipping norm.
            device: where the model lies.
            bf16: whether products are taken in it (autocast; weights stay fp32); on a GPU when None.
            data_parallelism: who trains together.
        """
        self._data_parallelism = data_parallelism
        self._bf16 = device.type == "cuda" if bf16 is None else bf16
        self._model, self._device, self._clip = model, device, rates.max_gradient_norm
        self.steps, self.step, self._micro_batches = steps, 0, 1
        self._optimiser = _optimiser(model, rates, device)
        warmup = max(1, round(steps * rates.warmup_share))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser,
            lambda step: min((step + 1) / warmup, max(0.05, (steps - step) / max(1, steps - warmup))),
        )

    def train(
        self, step_at: Callable[[int], Step], *, progress: Progress, until: int | None = None
    ) -> list[LossPoint]:
        """Take steps up to `until`, or to the end; the model is left in evaluation mode.

        Args:
            step_at: step number from 0 → what it learns from; called once a step.
            progress: advanced once a step.
            until: the step to stop before; None for the last.

        Returns:
            The loss every `REPORT_EVERY_STEPS` steps.

        Raises:
            OutOfMemoryError: there is not enough memory for a row.
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
        """Fill the gradients, in more pieces where there is too little memory. Returns the loss."""
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
            # Only here, as the error holds on to everything that was computed.
            self._micro_batches *= 2
            log.warning("memory.short", micro_batches=self._micro_batches, step=self.step)
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the schedule's settings: weights, moments, step and random state."""
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
        """Go on where `state_dict` was taken: the steps after it are the same as without a stop."""
        self.step = state["step"]
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.last_epoch = self.step  # the rate itself is in the optimiser's state
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
            step_at(step)  # the batches of the steps that were taken before
        trainer.load_state_dict(state["trainer"])
        points = [LossPoint(step, loss) for step, loss in state["points"]]
        progress.advance(trainer.step)
    while trainer.step < steps:
        points += trainer.train(step_at, progress=progress, until=trainer.step + CHECKPOINT_EVERY_STEPS)
        if trainer.step < steps:
            checkpointer.save({"trainer": trainer.state_dict(), "points": [(p.step, p.loss) for p in points]})
    return points


def _optimiser(model: nn.Module, rates: OptimizerSettings, device: torch.device) -> torch.optim.Optimizer:
    """AdamW with decay on matrices only."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": rates.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=rates.learning_rate, betas=(0.9, 0.98), fused=device.type in ("cuda", "cpu")
    )
