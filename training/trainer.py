"""The training loop: bf16 on a GPU, fused AdamW, linear warm-up and decay, clipping; never waits for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from training.progress import Progress

REPORT_EVERY = 10  # steps between figures: reading a loss waits for the GPU


class Rates(Protocol):
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
class Point:
    """One reading of a training run."""

    step: int
    loss: float


def train(
    model: nn.Module,
    loss_at: Callable[[int], Tensor],
    *,
    steps: int,
    rates: Rates,
    device: torch.device,
    progress: Progress,
    is_enough: Callable[[int], bool] | None = None,
) -> list[Point]:
    """Take `steps` optimiser steps on `loss_at(step)`, or fewer when `is_enough(step)` says so.

    Args:
        model: on `device`; left in evaluation mode.
        loss_at: step number from 0 → a scalar loss with a graph; called inside autocast.
        steps: at most so many.
        rates: learning rate (peak), weight decay, share of warm-up, clipping norm.
        device: where the model lies.
        progress: advanced once a step.
        is_enough: asked every `REPORT_EVERY` steps with the model in evaluation mode.

    Returns:
        The loss every `REPORT_EVERY` steps.
    """
    optimiser = _optimiser(model, rates, device)
    warmup = max(1, round(steps * rates.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warmup, max(0.05, (steps - step) / max(1, steps - warmup)))
    )
    points: list[Point] = []
    model.train()
    for step in range(steps):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_at(step)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), rates.max_gradient_norm)
        optimiser.step()
        schedule.step()
        if (step + 1) % REPORT_EVERY and step + 1 < steps:
            progress.advance()
            continue
        points.append(Point(step + 1, float(loss.detach())))
        progress.advance(loss=points[-1].loss)
        if is_enough is not None:
            model.eval()
            enough = is_enough(step + 1)
            model.train()
            if enough:
                break
    model.eval()
    return points


def _optimiser(model: nn.Module, rates: Rates, device: torch.device) -> torch.optim.Optimizer:
    """AdamW with decay on matrices only."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": rates.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=rates.learning_rate, betas=(0.9, 0.98), fused=device.type in ("cuda", "cpu")
    )
