"""A night's fine-tuning by workers of the cluster: the same in each, with its share of every batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from training.corpus.lexicon import unwanted_words, wanted_words
from training.corpus.replay_sentences import ReplaySentences
from training.distributed.ray.group import Gang, Place, share
from training.finetuning.fine_tune import fine_tune
from training.finetuning.objective import Objective
from training.finetuning.trainer import LossPoint
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import NightSettings
from training.votes.retraining_set import Example


@dataclass(frozen=True, slots=True)
class _Night:
    """What the workers need."""

    model: MaskedLm
    examples: Sequence[Example]
    tokens: dict[str, int]
    offered: list[int]
    replay_sentences: ReplaySentences
    settings: NightSettings
    shown_words: int
    objective: Objective


def fine_tune_together(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    gang: Gang,
    name: str,
    token_of: Callable[[str], int | None],
    offered: Sequence[int],
    replay_sentences: ReplaySentences,
    settings: NightSettings,
    shown_words: int,
    progress: Progress,
    objective: Objective,
) -> list[LossPoint]:
    """As `fine_tune`, by the workers of a gang; `name` is that of what it keeps in between."""
    judged = {word for example in examples for word, _ in (*example.wanted, *example.unwanted)}
    words = judged | wanted_words() | unwanted_words()
    tokens = {word: token for word in words if (token := token_of(word)) is not None}
    night = _Night(model, examples, tokens, list(offered), replay_sentences, settings, shown_words, objective)
    weights, points = share(gang, _work, night, name=name, progress=progress)
    model.load_state_dict({weight: torch.tensor(values) for weight, values in weights.items()})
    return points


def _work(place: Place, night: _Night) -> tuple[dict[str, npt.NDArray[Any]], list[LossPoint]]:
    points = fine_tune(
        night.model,
        night.examples,
        token_of=night.tokens.get,
        offered=night.offered,
        replay_sentences=night.replay_sentences,
        settings=night.settings,
        shown_words=night.shown_words,
        device=place.device,
        progress=place.progress,
        objective=night.objective,
        data_parallelism=place.spread,
        checkpointer=place.checkpointer,
    )
    # Ray hands no tensors on.
    return {name: weight.numpy() for name, weight in night.model.state_dict().items()}, points
