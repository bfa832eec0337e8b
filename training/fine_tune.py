"""Domain model + retraining set → challenger.

Each step mixes three batches: voted queries under likelihood (wanted words) and unlikelihood (unwanted words);
replayed corpus text held to the domain model by KL; and anchors, complaint and negation sentences, held likewise,
so that the model does not become blindly positive. It stops when the votes are met.
"""

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from training.batches import Batch, CorpusBatches, of_queries
from training.encoder import Encoded, Encoder
from training.losses import kl_to_reference, likelihood, unlikelihood
from training.model import MaskedLm
from training.progress import Progress
from training.retraining_set import Example
from training.settings import NightSettings
from training.trainer import Point, train

T = TypeVar("T")

UNWANTED_RANK = 10  # an unwanted word is met when it left the top ten: twice what is shown
WANTED_RANK = 5
CHECKED_EXAMPLES = 256  # voted queries looked at to see whether the votes are met


@dataclass(frozen=True, slots=True)
class _Judged:
    """An example as numbers: its query, the mask's place among the query's, tokens and weights."""

    query: Encoded
    wanted: tuple[tuple[int, float], ...]
    unwanted: tuple[tuple[int, float], ...]


def fine_tune(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    token_of: Callable[[str], int | None],
    offered: Sequence[int],
    replay: Sequence[str],
    anchors: Sequence[str],
    settings: NightSettings,
    device: torch.device,
    progress: Progress,
) -> list[Point]:
    """Fine-tune in place, and leave the model on the CPU.

    Args:
        model: the domain model.
        examples: what to learn; words that are no token of the model are passed over.
        token_of: word → token id, None when it cannot be said as one.
        offered: ids of the tokens that may be offered; ranks are among them.
        replay: unmasked corpus texts.
        anchors: queries whose answers must stay.
        settings: hyper-parameters.
        device: where to train.
        progress: told once a step.
    """
    torch.manual_seed(settings.seed)
    encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
    judged = [j for j in (_judged(e, encoder, token_of) for e in examples) if j.wanted or j.unwanted]
    if not judged:
        return []
    reference = copy.deepcopy(model).to(device).eval().requires_grad_(False)
    model.to(device)
    wanted_batches = _shuffled(judged, settings.batch_examples, settings.seed)
    replayed = iter(
        CorpusBatches(
            replay,
            encoder,
            batch_examples=settings.replay_examples,
            mask_share=settings.mask_share,
            max_tokens=settings.max_tokens,
            seed=settings.seed + 1,
        )
    )
    anchored = _shuffled([encoder.encode(q) for q in anchors], settings.anchor_examples, settings.seed + 2)

    def held(batch: Batch) -> Tensor:
        batch = batch.to(device)
        with torch.no_grad():
            before = reference(batch.input_ids, batch.attention_mask, batch.mask_at)
        return kl_to_reference(model(batch.input_ids, batch.attention_mask, batch.mask_at), before)

    def loss_at(_step: int) -> Tensor:
        loss = _votes_loss(model, next(wanted_batches), encoder.pad, device, settings.unwanted_weight)
        loss = loss + settings.replay_weight * held(next(replayed))
        return loss + settings.anchor_weight * held(of_queries(next(anchored), encoder.pad))

    allowed = torch.tensor(list(offered), device=device)
    checked = judged[:CHECKED_EXAMPLES]
    per_epoch = math.ceil(len(judged) / settings.batch_examples)
    steps = min(max(per_epoch * settings.epochs, settings.min_steps * 4), settings.max_steps)
    progress.step("fine-tuning on the votes", steps)
    scale = 768 / model.shape.hidden_size  # narrower models need, and bear, larger steps
    rates = settings.model_copy(update={"learning_rate": settings.learning_rate * scale})
    points = train(
        model,
        loss_at,
        steps=steps,
        rates=rates,
        device=device,
        progress=progress,
        is_enough=lambda step: (
            step >= settings.min_steps and _are_met(model, checked, encoder.pad, allowed, device)
        ),
    )
    model.cpu()
    return points


def _judged(example: Example, encoder: Encoder, token_of: Callable[[str], int | None]) -> _Judged:
    query = encoder.encode(example.query)
    if example.mask_index >= len(query.masks):
        return _Judged(query, (), ())

    def tokens(words: tuple[tuple[str, float], ...]) -> tuple[tuple[int, float], ...]:
        return tuple((token, weight) for word, weight in words if (token := token_of(word)) is not None)

    one_mask = Encoded(query.ids, (query.masks[example.mask_index],))
    return _Judged(one_mask, tokens(example.wanted), tokens(example.unwanted))


def _votes_loss(
    model: MaskedLm, examples: Sequence[_Judged], pad: int, device: torch.device, unwanted_weight: float
) -> Tensor:
    batch = of_queries([e.query for e in examples], pad).to(device)
    logits = model(batch.input_ids, batch.attention_mask, batch.mask_at)  # (examples, vocabulary)
    loss = logits.new_zeros((), dtype=torch.float32)
    for side, loss_of, factor in (("wanted", likelihood, 1.0), ("unwanted", unlikelihood, unwanted_weight)):
        flat = [(row, token, weight) for row, e in enumerate(examples) for token, weight in getattr(e, side)]
        if flat:
            rows, tokens, weights = zip(*flat, strict=True)
            loss = loss + factor * loss_of(
                logits,
                torch.tensor(rows, device=device),
                torch.tensor(tokens, device=device),
                torch.tensor(weights, device=device, dtype=torch.float32),
            )
    return loss


@torch.no_grad()
def _are_met(
    model: MaskedLm, examples: Sequence[_Judged], pad: int, allowed: Tensor, device: torch.device
) -> bool:
    """Whether every unwanted word left the top ten and every wanted one is in the top five."""
    for start in range(0, len(examples), 64):
        part = examples[start : start + 64]
        batch = of_queries([e.query for e in part], pad).to(device)
        logits = model(batch.input_ids, batch.attention_mask, batch.mask_at)
        shown = logits[:, allowed].topk(UNWANTED_RANK, dim=-1).values.float()  # (examples, 10)
        for row, e in enumerate(part):
            if any(logits[row, token] >= shown[row, UNWANTED_RANK - 1] for token, _ in e.unwanted):
                return False
            if any(logits[row, token] < shown[row, WANTED_RANK - 1] for token, _ in e.wanted[:WANTED_RANK]):
                return False
    return True


def _shuffled(items: Sequence[T], size: int, seed: int) -> Iterator[list[T]]:
    """Batches of at most `size` items for ever, reshuffled each pass."""
    order = list(items)
    shuffle = random.Random(seed).shuffle
    while True:
        shuffle(order)
        for start in range(0, len(order), size):
            yield order[start : start + size]
