"""Domain model + retraining set → challenger.

Each step mixes three batches: voted queries, drawn to what the votes ask for (`tilted_target`); replayed
corpus text held to the domain model by KL; and anchors, complaint and negation sentences, held likewise,
so that the model does not become blindly positive.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.batches import Batch, CorpusBatches, of_queries, shuffled
from training.encoder import Encoded, Encoder
from training.losses import kl_to_reference, tilted_target, votes_loss
from training.model import MaskedLm
from training.progress import Progress
from training.retraining_set import Example
from training.settings import NightSettings
from training.trainer import Point, train


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
    voted = shuffled(judged, settings.batch_examples, settings.seed)
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
    anchored = shuffled([encoder.encode(q) for q in anchors], settings.anchor_examples, settings.seed + 2)

    allowed = torch.tensor(list(offered), device=device)

    def before(batch: Batch) -> Tensor:
        with torch.no_grad():
            logits: Tensor = reference(batch.input_ids, batch.attention_mask, batch.mask_at)
        return logits

    def held(batch: Batch) -> Tensor:
        batch = batch.to(device)
        return kl_to_reference(model(batch.input_ids, batch.attention_mask, batch.mask_at), before(batch))

    def loss_at(_step: int) -> Tensor:
        part = next(voted)
        batch = of_queries([e.query for e in part], encoder.pad).to(device)
        rows, words, signs, weights = _flat(part, device)
        target = tilted_target(before(batch), rows, words, signs, allowed=allowed)
        logits = model(batch.input_ids, batch.attention_mask, batch.mask_at)  # (examples, vocabulary)
        loss = votes_loss(logits, target, rows, words, signs, weights)
        loss = loss + settings.replay_weight * held(next(replayed))
        return loss + settings.anchor_weight * held(of_queries(next(anchored), encoder.pad))

    per_epoch = math.ceil(len(judged) / settings.batch_examples)
    steps = min(max(per_epoch * settings.epochs, settings.min_steps), settings.max_steps)
    progress.step("fine-tuning on the votes", steps)
    scale = math.sqrt(768 / model.shape.hidden_size)  # narrower models need, and bear, larger steps
    rates = settings.model_copy(update={"learning_rate": settings.learning_rate * scale})
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # its noise alone moves answers nobody voted on, by more than the votes do
    points = train(model, loss_at, steps=steps, rates=rates, device=device, progress=progress)
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


def _flat(examples: Sequence[_Judged], device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All judgements of some examples: row, token, sign and weight, each (judgements,)."""
    flat = [
        (row, token, sign, weight)
        for row, example in enumerate(examples)
        for words, sign in ((example.wanted, 1.0), (example.unwanted, -1.0))
        for token, weight in words
    ]
    rows, tokens, signs, weights = zip(*flat, strict=True)
    return (
        torch.tensor(rows, device=device),
        torch.tensor(tokens, device=device),
        torch.tensor(signs, device=device),
        torch.tensor(weights, device=device),
    )
