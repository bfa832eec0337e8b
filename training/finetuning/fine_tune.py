"""Fine-tuning: domain model + retraining set → challenger.

Each step adds the losses of up to five batches:

    votes     voted queries, moved to what the votes ask for
    praise    sentences that ask for praise: good words gain on bad ones
    blame     complaints and "never [MASK]": bad words gain on good ones
    anchors   all other queries, held to the domain model
    replay    corpus texts, held to the domain model, with a masked-LM loss that keeps the language fluent

What the votes say of words is carried to other sentences by the output shift (`models/output_shift.py`),
which is fixed before training. Praise and blame teach the model which side a sentence asks for, and so where
the shift applies. Only the votes are learnt with the shift in place: in other terms it would be unlearnt.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.batches import Batch, CorpusBatches, joined, query_batch, shuffled_batches
from training.finetuning.data_parallelism import SINGLE_WORKER, DataParallelism
from training.finetuning.folding import Folding
from training.finetuning.losses import (
    HIDDEN_FACTOR,
    BatchJudgements,
    kl_to_reference,
    masked_lm,
    polarity_loss,
    rank_hinge,
)
from training.finetuning.objective import DEFAULT_OBJECTIVE, Objective
from training.finetuning.reference_model import with_reference
from training.finetuning.trainer import Checkpointer, LossPoint, Step, train
from training.inference.encoder import Encoded
from training.inference.words import Slot
from training.models.output_shift import OutputShift
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import NightSettings
from training.votes.retraining_set import Example

SLOT_BATCH = 64  # queries
MAX_RATE_SCALE = math.sqrt(2)  # with an output shift: small models lose less by smaller steps

# (masks, vocabulary) logits of the model and of the reference model → a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]
LossTerm = Iterator[tuple[Batch, Loss]]
Fold = Callable[[Tensor], Tensor]  # (masks, vocabulary) logits → the same with one column a word


@dataclass(frozen=True, slots=True)
class _EncodedExample:
    """An example as token ids.

    Attributes:
        query: the query, with one mask.
        words: token id, sign (±1) and weight of each judged word.
        slot: how far the output shift applies at the mask, in [0, 1].
    """

    query: Encoded
    words: tuple[tuple[int, float, float], ...]
    slot: float = 0.0


def fine_tune(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    token_of: Callable[[str], int | None],
    offered: Sequence[int],
    replay_sentences: ReplaySentences,
    settings: NightSettings,
    shown_words: int,
    device: torch.device,
    progress: Progress,
    objective: Objective = DEFAULT_OBJECTIVE,
    data_parallelism: DataParallelism = SINGLE_WORKER,
    checkpointer: Checkpointer | None = None,
) -> list[LossPoint]:
    """Fine-tune the model in place and leave it on the CPU.

    Args:
        model: the domain model, with the output shift of these examples if it has one.
        examples: the retraining set's; words that are not a token of the model are ignored.
        token_of: word → token id, or None if the word is not a single token.
        offered: token ids that may be offered; ranks are counted among them.
        replay_sentences: sentences without votes.
        settings: hyper-parameters.
        shown_words: words that a reply shows for each mask.
        device: the device to train on.
        progress: advanced once per step.
        objective: the terms of the loss.
        data_parallelism: the group that shares each batch; every worker calls this with the same arguments.
        checkpointer: where to save the state between steps, if anywhere.

    Returns:
        The loss over the steps; empty if no example can be learnt.
    """
    torch.manual_seed(settings.seed)
    terms = _LossTerms(model, token_of, offered, settings, device, shown_words)
    judged = [example for example in map(terms.encode, examples) if example.words]
    if not judged:
        return []
    model.to(device)
    shift = model.shift
    if shift is not None:
        shift = model.shift = shift.to(device)
        judged = _with_slots(model, judged, shift, device)
    parts = [terms.votes(judged, objective, shift)]
    if objective.has_replay:
        lm_weight = 0.0 if shift is None else settings.replay_lm_weight
        parts.append(terms.replay(replay_sentences.texts, lm_weight=lm_weight))
    if objective.has_anchors and replay_sentences.others:
        parts.append(terms.anchors(replay_sentences.others))
    if shift is not None:
        parts.append(terms.praise(replay_sentences.praise, shift))
        if replay_sentences.blame:
            parts.append(terms.blame(replay_sentences.blame, shift))
    elif objective.has_anchors and replay_sentences.blame:
        parts.append(terms.anchors([query for query, _ in replay_sentences.blame]))
    per_epoch = math.ceil(len(judged) / settings.batch_examples)
    steps = min(max(per_epoch * settings.epochs, settings.min_steps), settings.max_steps)
    progress.step("fine-tuning on the votes", steps)
    max_scale = math.inf if shift is None else MAX_RATE_SCALE
    rates = settings.at_width(model.shape.hidden_size, max_scale=max_scale)
    paired = with_reference(model, frozen_share=objective.frozen_share)
    pad = model.encoder.pad

    def step_at(_step: int) -> Step:
        batches, losses_of = zip(*(next(part) for part in parts), strict=True)
        whole = joined(batches, pad)  # one pass for all terms
        masks = [len(batch.mask_at) for batch in batches]

        def loss(micro_batches: int) -> Tensor:
            logits, reference = data_parallelism.forward(
                whole, paired, device=device, micro_batches=micro_batches
            )
            rows = zip(losses_of, torch.split(logits, masks), torch.split(reference, masks), strict=True)
            return torch.stack([loss_of(*both) for loss_of, *both in rows]).sum()

        return Step(loss, rows=len(whole.input_ids))

    points = train(
        model,
        step_at,
        steps=steps,
        rates=rates,
        device=device,
        progress=progress,
        data_parallelism=data_parallelism,
        checkpointer=checkpointer,
    )
    model.requires_grad_(True).cpu()
    model.shift = None if shift is None else shift.to(torch.device("cpu"))
    return points


def _slots_of(queries: Iterable[Encoded]) -> list[Slot]:
    """What comes before each mask of a batch."""
    return [slot for query in queries for slot in query.slots]


@torch.no_grad()
def _with_slots(
    model: MaskedLm, judged: Sequence[_EncodedExample], shift: OutputShift, device: torch.device
) -> list[_EncodedExample]:
    """Look up once where the shift applies, with the model as it is before training."""
    slots: list[float] = []
    for start in range(0, len(judged), SLOT_BATCH):
        queries = [example.query for example in judged[start : start + SLOT_BATCH]]
        batch = query_batch(queries, model.encoder.pad).to(device)
        states = model.states(batch.input_ids, batch.attention_mask, batch.mask_at)  # (masks, hidden)
        slots += shift.slots(states)[:, 0].tolist()
    return [replace(example, slot=slot) for example, slot in zip(judged, slots, strict=True)]


class _LossTerms:
    """Makes the terms of a step: endless iterators over batches, each with its loss."""

    def __init__(
        self,
        model: MaskedLm,
        token_of: Callable[[str], int | None],
        offered: Sequence[int],
        settings: NightSettings,
        device: torch.device,
        shown_words: int,
    ) -> None:
        self._shown_words = shown_words
        self._encoder = model.encoder
        self._folding = Folding(self._encoder.words, device)
        self._token_of, self._settings, self._device = token_of, settings, device
        self._offered = torch.tensor(list(offered), device=device)

    def encode(self, example: Example) -> _EncodedExample:
        """Encode an example; it has no words if its query has no such mask."""
        query = self._encoder.encode(example.query)
        if example.mask_index >= len(query.masks):
            return _EncodedExample(query, ())
        words = tuple(
            (token, sign, weight)
            for side, sign in ((example.wanted, 1.0), (example.unwanted, -1.0))
            for word, weight in side
            if (token := self._token_of(word)) is not None
        )
        at = slice(example.mask_index, example.mask_index + 1)
        return _EncodedExample(Encoded(query.ids, query.masks[at], query.slots[at]), words)

    def votes(
        self, judged: Sequence[_EncodedExample], objective: Objective, shift: OutputShift | None
    ) -> LossTerm:
        weight = self._settings.votes_weight
        for group in shuffled_batches(judged, self._settings.batch_examples, self._settings.seed):
            judgements = self._flatten(group)
            slots = torch.tensor([[example.slot] for example in group], device=self._device)  # (masks, 1)
            fold = partial(self._folding.apply, slots=_slots_of(example.query for example in group))

            def loss(
                logits: Tensor,
                reference: Tensor,
                judgements: BatchJudgements = judgements,
                slots: Tensor = slots,
                fold: Fold = fold,
            ) -> Tensor:
                if shift is not None:
                    logits, reference = (shift.apply(each, slots) for each in (logits, reference))
                logits, reference = fold(logits), fold(reference)
                return weight * objective.votes_loss(logits, reference, judgements)

            yield query_batch([example.query for example in group], self._encoder.pad), loss

    def replay(self, texts: Sequence[str], *, lm_weight: float) -> LossTerm:
        settings = self._settings
        batches = CorpusBatches(
            texts,
            self._encoder,
            batch_examples=settings.replay_examples,
            mask_share=settings.mask_share,
            max_tokens=settings.max_tokens,
            seed=settings.seed + 1,
        )
        for batch in batches:

            def loss(logits: Tensor, reference: Tensor, targets: Tensor | None = batch.targets) -> Tensor:
                assert targets is not None
                lm_loss = masked_lm(logits, targets.to(logits.device))
                return settings.replay_weight * kl_to_reference(logits, reference) + lm_weight * lm_loss

            yield batch, loss

    def anchors(self, queries: Sequence[str]) -> LossTerm:
        def loss(logits: Tensor, reference: Tensor) -> Tensor:
            return self._settings.anchor_weight * kl_to_reference(logits, reference)

        # Encoded when drawn: a short run draws a tenth of the sentences.
        for group in shuffled_batches(queries, self._settings.anchor_examples, self._settings.seed + 2):
            yield query_batch([self._encoder.encode(query) for query in group], self._encoder.pad), loss

    def praise(self, queries: Sequence[str], shift: OutputShift) -> LossTerm:
        """Good words gain on bad ones, and bad words that the team does not want leave the best."""
        settings = self._settings
        hidden = shift.bad[shift.shifts[shift.bad] < 0]
        hidden = hidden[torch.isin(hidden, self._offered)]  # of each word the token that it folds into
        others = self._offered[~torch.isin(self._offered, hidden)]
        rank = HIDDEN_FACTOR * self._shown_words

        for group in shuffled_batches(queries, settings.anchor_examples, settings.seed + 3):
            encoded = [self._encoder.encode(query) for query in group]
            fold = partial(self._folding.apply, slots=_slots_of(encoded))

            def loss(logits: Tensor, reference: Tensor, fold: Fold = fold) -> Tensor:
                held = settings.side_anchor_weight * kl_to_reference(logits, reference)
                side = settings.praise_weight * polarity_loss(logits, shift.good, shift.bad)
                hinge = rank_hinge(fold(logits), hidden, allowed=others, rank=rank)
                return held + side + settings.praise_hinge_weight * hinge

            yield query_batch(encoded, self._encoder.pad), loss

    def blame(self, queries: Sequence[tuple[str, str]], shift: OutputShift) -> LossTerm:
        """Learn the hidden word as well: there are many ways to blame."""
        settings = self._settings
        vocabulary = self._encoder.words
        known = [(query, token) for query, word in queries if (token := vocabulary.token(word)) is not None]
        for group in shuffled_batches(known, settings.anchor_examples, settings.seed + 4):
            encoded = [self._encoder.encode(query) for query, _ in group]
            forms = [vocabulary.form(t, q.slots[0]) for q, (_, t) in zip(encoded, group, strict=True)]
            words = torch.tensor(forms, device=self._device)  # (masks,)

            def loss(logits: Tensor, reference: Tensor, words: Tensor = words) -> Tensor:
                held = settings.side_anchor_weight * kl_to_reference(logits, reference)
                side = settings.blame_weight * polarity_loss(logits, shift.bad, shift.good)
                return held + side + settings.blame_lm_weight * masked_lm(logits, words)

            yield query_batch(encoded, self._encoder.pad), loss

    def _flatten(self, examples: Sequence[_EncodedExample]) -> BatchJudgements:
        flat = [(row, *word) for row, example in enumerate(examples) for word in example.words]
        rows, words, signs, weights = (
            torch.tensor(column, device=self._device) for column in zip(*flat, strict=True)
        )  # (judgements,) each
        return BatchJudgements(rows, words, signs, weights, self._offered, self._shown_words)
