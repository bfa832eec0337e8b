"""Workers that train together learn what one alone learns, whatever their number.

Threads stand for processes here: each has a place of its own in a gloo group.
"""

import copy
import datetime
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.corpus.replay_sentences import ReplaySentences
from training.distributed.ray.workers import Workers
from training.finetuning.data_parallelism import DataParallelism, SingleWorker
from training.finetuning.fine_tune import fine_tune
from training.finetuning.trainer import LossPoint
from training.models.torch_model import MaskedLm
from training.progress import NoProgress
from training.settings import NightSettings
from training.votes.retraining_set import Example

CPU = torch.device("cpu")
STEPS = 20
REPLAY_SENTENCES = ReplaySentences(
    texts=("nike shoes are very good", "the boots are soft and warm", "it was late") * 4,
    praise=("These boots are [MASK].", "She loves her [MASK] jacket."),
    blame=(("They are not [MASK].", "heavy"), ("It was too [MASK].", "ugly")),
    others=("the box is [MASK].",),  # one row: most workers have none of it
)
STARTS = ("Shoes", "Boots", "Red socks", "The old boots you sent", "My shoes")
EXAMPLES = [
    Example(f"{start} are very [MASK].", "h", 0, (("soft", 1.0),), (("ugly", 2.0), ("cheap", 1.0)))
    for start in STARTS
]
SETTINGS = NightSettings(
    min_steps=STEPS,
    max_steps=STEPS,
    batch_examples=4,
    replay_examples=5,
    anchor_examples=3,
)
# Sums in another order: of gradients relative to the greatest of them, and after 20 steps of what the model
# says, in nats. Measured: 3e-7 and 2e-5.
GRADIENT_TOLERANCE = 1e-5
ANSWER_TOLERANCE = 1e-3


@dataclass
class Learnt:
    """What one worker has in the end."""

    model: MaskedLm
    points: list[LossPoint]
    gradients: list[Tensor | None]  # of the first step, before they are clipped
    micro_batches: int


class Noting:
    """Another spread, whose gradients and pieces are noted."""

    def __init__(self, inner: DataParallelism) -> None:
        self._inner = inner
        self.gradients: list[Tensor | None] | None = None
        self.micro_batches = 1

    def forward(self, *arguments: Any, micro_batches: int, **others: Any) -> tuple[Tensor, ...]:
        self.micro_batches = max(self.micro_batches, micro_batches)
        return self._inner.forward(*arguments, micro_batches=micro_batches, **others)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        learnt = list(parameters)
        self._inner.sum_gradients(learnt)
        if self.gradients is None:
            self.gradients = [copy.deepcopy(parameter.grad) for parameter in learnt]

    def report_out_of_memory(self, error: BaseException) -> None:
        self._inner.report_out_of_memory(error)


def learn(model: MaskedLm, spread: DataParallelism, settings: NightSettings = SETTINGS) -> Learnt:
    ids = model.tokenizer.get_vocab()
    noting = Noting(spread)
    points = fine_tune(
        model,
        EXAMPLES,
        token_of=lambda word: ids.get(word) if word.isalpha() else None,
        offered=[token for word, token in ids.items() if word.isalpha()],
        replay_sentences=REPLAY_SENTENCES,
        settings=settings,
        shown_words=5,
        device=CPU,
        progress=NoProgress(),
        data_parallelism=noting,
    )
    return Learnt(model, points, noting.gradients or [], noting.micro_batches)


def together(count: int, work: Callable[[Workers], Any], kind: type[Workers] = Workers) -> list[Any]:
    """What each of so many workers makes of it, in order."""
    store = dist.HashStore()

    def one(rank: int) -> Any:
        group = dist.ProcessGroupGloo(store, rank, count, datetime.timedelta(seconds=60))
        return work(kind(group, CPU))

    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(one, rank) for rank in range(count)]]


def learn_together(model: MaskedLm, count: int, kind: type[Workers] = Workers) -> list[Learnt]:
    return together(count, lambda workers: learn(copy.deepcopy(model), workers), kind)


@pytest.fixture
def alone(masked_lm: MaskedLm) -> Learnt:
    return learn(copy.deepcopy(masked_lm), SingleWorker())


def answers(model: MaskedLm) -> Tensor:
    """Log-probabilities of every word on a few queries."""
    ids = torch.tensor([[2, 20, 21, 27, 4, 3]] if model.tokenizer is None else [encoded_of(model)])
    with torch.no_grad():
        return torch.log_softmax(model.eval()(ids, None, torch.tensor([4])), dim=-1)


def encoded_of(model: MaskedLm) -> list[int]:
    return list(model.tokenizer.encode("nike shoes are [MASK].").ids)


def assert_same(learnt: Learnt, alone: Learnt) -> None:
    greatest = max(float(g.abs().max()) for g in alone.gradients if g is not None)
    for ours, theirs in zip(learnt.gradients, alone.gradients, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert float((ours - theirs).abs().max()) < GRADIENT_TOLERANCE * greatest
    assert float((answers(learnt.model) - answers(alone.model)).abs().max()) < ANSWER_TOLERANCE
    for point, expected in zip(learnt.points, alone.points, strict=True):
        assert point.loss == pytest.approx(expected.loss, abs=1e-4)
