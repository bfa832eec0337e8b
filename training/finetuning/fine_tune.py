"""Fine-tuning: domain model + retraining set → challenger.

Each step adds the losses of up to five batches:

    votes     voted queries, moved to what the votes ask for
    praise    praise without votes, to which the judgements generalise
    blame     complaints and "never [MASK]", where judged words move the other way: without it the model would
              praise everything
    anchors   all other queries, held to the domain model
    replay    corpus texts, held to the domain model. If judgements generalise, a masked-LM loss is added to
              restore the fluency that generalization costs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.corpus.replay_sentences import ReplaySentences
from training.finetuning.batches import Batch, CorpusBatches, query_batch, shuffled_batches
from training.finetuning.data_parallelism import SINGLE_WORKER, DataParallelism
from training.finetuning.generalization import word_tilts
from training.finetuning.losses import BatchJudgements, GeneralizationLoss, kl_to_reference, masked_lm
from training.finetuning.objective import DEFAULT_OBJECTIVE, Objective
from training.finetuning.reference_model import ModelWithReference
from training.finetuning.trainer import Checkpointer, LossPoint, Step, train
from training.inference.encoder import Encoded
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import NightSettings
from training.votes.retraining_set import Example

MAX_RATE_SCALE = math.sqrt(2)  # with generalization there are more steps, and smaller ones do less harm

# (masks, vocabulary) logits of the model and of the reference model → a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]
LossTerm = Iterator[tuple[Batch, Loss]]


@dataclass(frozen=True, slots=True)
class _EncodedExample:
    """An example as token ids: a query with one mask, and its words with sign (±1) and weight."""

    query: Encoded
    words: tuple[tuple[int, float, float], ...]


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
        model: the domain model.
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
    tilts = terms.tilts(examples) if objective.has_generalization else {}
    parts = [terms.votes(judged, objective)]
    if objective.has_replay:
        lm_weight = settings.replay_lm_weight if tilts else 0.0
        parts.append(terms.replay(replay_sentences.texts, lm_weight=lm_weight))
    if objective.has_anchors:
        parts.append(terms.anchors(replay_sentences.others))
    if tilts:
        generalized = terms.generalization(tilts)
        parts.append(terms.praise(replay_sentences.praise, generalized))
        parts.append(terms.blame(replay_sentences.blame, generalized))
    elif objective.has_anchors:
        parts.append(terms.anchors([query for query, _ in replay_sentences.blame]))
    per_epoch = math.ceil(len(judged) / settings.batch_examples)
    least = settings.generalization_steps if tilts else settings.min_steps
    steps = min(max(per_epoch * settings.epochs, least), settings.max_steps)
    progress.step("fine-tuning on the votes", steps)
    rates = settings.at_width(model.shape.hidden_size, max_scale=MAX_RATE_SCALE if tilts else math.inf)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # its noise alone moved answers without votes by more than the votes did
    paired = ModelWithReference(model, frozen_share=objective.frozen_share)

    def step_at(_step: int) -> Step:
        drawn = [next(part) for part in parts]

        def loss(micro_batches: int) -> Tensor:
            losses = [
                loss_of(*data_parallelism.forward(batch, paired, device=device, micro_batches=micro_batches))
                for batch, loss_of in drawn
            ]
            return torch.stack(losses).sum()

        return Step(loss, rows=max(len(batch.input_ids) for batch, _ in drawn))

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
    return points


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
        return _EncodedExample(Encoded(query.ids, (query.masks[example.mask_index],)), words)

    def tilts(self, examples: Sequence[Example]) -> dict[int, float]:
        """Token → tilt on sentences without votes; empty unless there are tilts of either sign."""
        tilts = {self._token_of(word): tilt for word, tilt in word_tilts(examples).items()}
        known = {token: tilt for token, tilt in tilts.items() if token is not None}
        return known if min(known.values(), default=0) < 0 < max(known.values(), default=0) else {}

    def generalization(self, tilts: dict[int, float]) -> GeneralizationLoss:
        return GeneralizationLoss.of(
            tilts,
            raise_by=self._settings.generalization_raise,
            sink_by=self._settings.generalization_sink,
            allowed=self._offered,
            shown_words=self._shown_words,
        )

    def votes(self, judged: Sequence[_EncodedExample], objective: Objective) -> LossTerm:
        weight = self._settings.votes_weight
        for group in shuffled_batches(judged, self._settings.batch_examples, self._settings.seed):
            judgements = self._flatten(group)

            def loss(logits: Tensor, reference: Tensor, judgements: BatchJudgements = judgements) -> Tensor:
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
        return self._with_loss(
            queries,
            lambda logits, reference: self._settings.anchor_weight * kl_to_reference(logits, reference),
            seed=self._settings.seed + 2,
        )

    def praise(self, queries: Sequence[str], generalized: GeneralizationLoss) -> LossTerm:
        weight = self._settings.generalization_weight
        return self._with_loss(
            queries,
            lambda logits, reference: weight * generalized.in_praise(logits, reference),
            seed=self._settings.seed + 3,
        )

    def blame(self, queries: Sequence[tuple[str, str]], generalized: GeneralizationLoss) -> LossTerm:
        """Move judged words a fraction of the way in the other direction, and learn the hidden word."""
        weight, share = self._settings.blame_lm_weight, self._settings.blame_share
        known = [
            (self._encoder.encode(query), token)
            for query, word in queries
            if (token := self._encoder.ids.get(word)) is not None
        ]
        for group in shuffled_batches(known, self._settings.anchor_examples, self._settings.seed + 4):
            words = torch.tensor([word for _, word in group], device=self._device)  # (masks,)

            def loss(logits: Tensor, reference: Tensor, words: Tensor = words) -> Tensor:
                moved = generalized.in_blame(logits, reference, share=share)
                return moved + weight * masked_lm(logits, words)

            yield query_batch([query for query, _ in group], self._encoder.pad), loss

    def _with_loss(self, queries: Sequence[str], loss: Loss, *, seed: int) -> LossTerm:
        encoded = [self._encoder.encode(query) for query in queries]
        groups = shuffled_batches(encoded, self._settings.anchor_examples, seed)
        return ((query_batch(group, self._encoder.pad), loss) for group in groups)

    def _flatten(self, examples: Sequence[_EncodedExample]) -> BatchJudgements:
        flat = [(row, *word) for row, example in enumerate(examples) for word in example.words]
        rows, words, signs, weights = (
            torch.tensor(column, device=self._device) for column in zip(*flat, strict=True)
        )  # (judgements,) each
        return BatchJudgements(rows, words, signs, weights, self._offered, self._shown_words)
