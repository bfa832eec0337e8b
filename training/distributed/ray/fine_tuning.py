"""A night's fine-tuning on several workers of a Ray cluster; each computes its rows of every batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from training.corpus.language import language, reading
from training.corpus.lexicon import unwanted_words, wanted_words
from training.corpus.replay_sentences import ReplaySentences
from training.distributed.ray.group import WorkerContext, WorkerGroup, run_on_workers
from training.finetuning.fine_tune import fine_tune
from training.finetuning.objective import Objective
from training.finetuning.trainer import LossPoint
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import NightSettings
from training.votes.retraining_set import Example


@dataclass(frozen=True, slots=True)
class _Task:
    """Everything that a worker needs; it is pickled."""

    model: MaskedLm
    examples: Sequence[Example]
    tokens: dict[str, int]
    offered: list[int]
    replay_sentences: ReplaySentences
    settings: NightSettings
    shown_words: int
    objective: Objective
    language: str


def fine_tune_together(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    group: WorkerGroup,
    name: str,
    token_of: Callable[[str], int | None],
    offered: Sequence[int],
    replay_sentences: ReplaySentences,
    settings: NightSettings,
    shown_words: int,
    progress: Progress,
    objective: Objective,
) -> list[LossPoint]:
    """Like `fine_tune`, on the workers of a group; `name` is the folder of the checkpoints."""
    judged = {word for example in examples for word, _ in (*example.wanted, *example.unwanted)}
    words = judged | wanted_words() | unwanted_words()
    tokens = {word: token for word in words if (token := token_of(word)) is not None}
    task = _Task(
        model,
        examples,
        tokens,
        list(offered),
        replay_sentences,
        settings,
        shown_words,
        objective,
        language().code,
    )
    weights, points = run_on_workers(group, _work, task, name=name, progress=progress)
    model.load_state_dict({weight: torch.tensor(values) for weight, values in weights.items()})
    return points


def _work(context: WorkerContext, task: _Task) -> tuple[dict[str, npt.NDArray[Any]], list[LossPoint]]:
    with reading(task.language):
        points = fine_tune(
            task.model,
            task.examples,
            token_of=task.tokens.get,
            offered=task.offered,
            replay_sentences=task.replay_sentences,
            settings=task.settings,
            shown_words=task.shown_words,
            device=context.device,
            progress=context.progress,
            objective=task.objective,
            data_parallelism=context.workers,
            checkpointer=context.checkpointer,
        )
    # As NumPy arrays: Ray Train does not return tensors.
    return {name: weight.numpy() for name, weight in task.model.state_dict().items()}, points
