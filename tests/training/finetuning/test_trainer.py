"""The training loop learns, resumes deterministically, and decays matrices only."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from training.finetuning.trainer import LossPoint, Step, Trainer, train
from training.progress import NoProgress

CPU = torch.device("cpu")


@dataclass(frozen=True)
class OptimizerSettings:
    learning_rate: float = 0.05
    weight_decay: float = 0.0
    warmup_share: float = 0.1
    max_gradient_norm: float = 1.0


class Counted(NoProgress):
    """Counts units."""

    def __init__(self) -> None:
        self.units = 0
        self.figures: list[dict[str, float]] = []

    def advance(self, units: int = 1, **figures: float) -> None:
        self.units += units
        if figures:
            self.figures.append(figures)


def toy(seed: int = 0) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A layer, and inputs and outputs of another one that it can learn to be."""
    torch.manual_seed(seed)
    model, inputs = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 2)), torch.randn(32, 4)
    return model, inputs, inputs @ torch.randn(4, 2)


def learn(steps: int = 200, **changed: object) -> tuple[list[LossPoint], nn.Module]:
    model, inputs, targets = toy()
    points = train(
        model,
        lambda _step: Step(lambda _micro_batches: nn.functional.mse_loss(model(inputs), targets)),
        steps=steps,
        rates=OptimizerSettings(),
        device=CPU,
        **{"progress": NoProgress(), **changed},  # type: ignore[arg-type]
    )
    return points, model


def test_it_learns() -> None:
    points, model = learn()
    assert points[-1].loss < points[0].loss / 4
    assert not model.training


def test_the_loss_is_read_every_ten_steps_and_at_the_end() -> None:
    points, _ = learn(25)
    assert [point.step for point in points] == [10, 20, 25]


def test_every_step_advances_the_progress() -> None:
    progress = Counted()
    points, _ = learn(25, progress=progress)
    assert progress.units == 25
    assert progress.figures == [{"loss": point.loss} for point in points]


def test_resuming_gives_the_same_result_as_no_interruption() -> None:
    """Dropout, the moments of AdamW and the schedule included."""

    def begin() -> tuple[Trainer, Callable[[int], Step], nn.Module]:
        model, inputs, targets = toy()
        trainer = Trainer(model, steps=30, rates=OptimizerSettings(), device=CPU)
        step = Step(lambda _micro_batches: nn.functional.mse_loss(model(inputs), targets))
        return trainer, lambda _step: step, model

    whole, step_at, expected = begin()
    whole.train(step_at, progress=NoProgress())
    first, step_at, model = begin()
    first.train(step_at, progress=NoProgress(), until=13)
    assert not model.training
    saved = copy.deepcopy(first.state_dict())
    second, step_at, model = begin()
    torch.manual_seed(99)
    second.load_state_dict(saved)
    assert second.step == 13
    points = second.train(step_at, progress=NoProgress())
    assert [point.step for point in points] == [20, 30]
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_the_same_seed_gives_the_same_weights() -> None:
    (first, one), (second, two) = learn(30), learn(30)
    assert first == second
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name])


def test_steps_come_in_order() -> None:
    seen: list[int] = []
    model, inputs, targets = toy()

    def step_at(step: int) -> Step:
        seen.append(step)
        return Step(lambda _micro_batches: nn.functional.mse_loss(model(inputs), targets))

    train(model, step_at, steps=12, rates=OptimizerSettings(), device=CPU, progress=NoProgress())
    assert seen == list(range(12))


def test_only_matrices_decay() -> None:
    model = nn.Linear(3, 3)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    before = copy.deepcopy(model.state_dict())
    # A loss without a gradient: what moves, moves by decay alone.
    train(
        model,
        lambda _step: Step(lambda _micro_batches: 0.0 * (model.weight.sum() + model.bias.sum())),
        steps=1,
        rates=OptimizerSettings(learning_rate=0.1, weight_decay=0.5, warmup_share=0.0),
        device=CPU,
        progress=NoProgress(),
    )
    # One step at the full rate: w · (1 − 0.1 · 0.5).
    assert model.weight.detach() == pytest.approx(before["weight"] * 0.95)
    assert torch.equal(model.bias.detach(), before["bias"])


def test_frozen_weights_stay() -> None:
    model, inputs, targets = toy()
    assert isinstance(model, nn.Sequential)
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    train(
        model,
        lambda _step: Step(lambda _micro_batches: nn.functional.mse_loss(model(inputs), targets)),
        steps=5,
        rates=OptimizerSettings(weight_decay=0.5),
        device=CPU,
        progress=NoProgress(),
    )
    assert torch.equal(model[0].weight, before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_it_learns_in_bf16_on_a_gpu() -> None:
    device = torch.device("cuda")
    model, inputs, targets = toy()
    model, inputs, targets = model.to(device), inputs.to(device), targets.to(device)
    points = train(
        model,
        lambda _step: Step(lambda _micro_batches: nn.functional.mse_loss(model(inputs).float(), targets)),
        steps=200,
        rates=OptimizerSettings(),
        device=device,
        progress=NoProgress(),
    )
    assert points[-1].loss < points[0].loss / 4
