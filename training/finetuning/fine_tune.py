"""Domain model + retraining set → challenger.

Each step mixes up to five batches: voted queries, drawn to what the votes ask for; praise nobody voted on,
to which judged words are carried over; blame (complaints, "never [MASK]"), where they are moved the other
way, so that the model does not become blindly positive; every other query, held to the domain model; and
replayed text, held likewise and, where judgements are carried over, learnt a little: that pays for what
carrying costs in fluency.
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
from training.inference.encoder import Encoded, Encoder
from training.models.torch_model import MaskedLm
from training.progress import Progress
from training.settings import NightSettings
from training.votes.retraining_set import Example

MAX_SCALE = math.sqrt(2)  # of the learning rate, where judgements are carried over

# (masks, vocabulary) logits of the model and of the model before → a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]
Part = Iterator[tuple[Batch, Loss]]


@dataclass(frozen=True, slots=True)
class _Example:
    """An example as numbers: its query with one mask, tokens and weights."""

    query: Encoded
    wanted: tuple[tuple[int, float], ...]
    unwanted: tuple[tuple[int, float], ...]


def fine_tune(
    model: MaskedLm,
    examples: Sequence[Example],
    *,
    token_of: Callable[[str], int | None],
    offered: Sequence[int],
    background: ReplaySentences,
    settings: NightSettings,
    device: torch.device,
    progress: Progress,
    objective: Objective = DEFAULT_OBJECTIVE,
    data_parallelism: DataParallelism = SINGLE_WORKER,
    checkpointer: Checkpointer | None = None,
) -> list[LossPoint]:
    """Fine-tune in place, and leave the model on the CPU.

    Args:
        model: the domain model.
        examples: what to learn; words that are no token of the model are passed over.
        token_of: word → token id, None when it cannot be said as one.
        offered: ids of the tokens that may be offered; ranks are among them.
        background: sentences nobody voted on.
        settings: hyper-parameters.
        device: where to train.
        progress: told once a step.
        objective: the loss, and what goes with it.
        data_parallelism: who trains together: all of them call this with the same arguments.
        checkpointer: of the state in between.
    """
    torch.manual_seed(settings.seed)
    course = _Course(model, token_of, offered, settings, device)
    judged = [j for j in map(course.example, examples) if j.wanted or j.unwanted]
    if not judged:
        return []
    model.to(device)
    tilts = course.tilts(examples) if objective.has_generalization else {}
    parts = [course.voted(judged, objective)]
    if objective.has_replay:
        parts.append(course.replayed(background.texts, lm_weight=settings.replay_lm_weight if tilts else 0.0))
    if objective.has_anchors:
        parts.append(course.held(background.others))
    if tilts:
        parts += [course.praised(background.praise, tilts), course.blamed(background.blame, tilts)]
    elif objective.has_anchors:
        parts.append(course.held([query for query, _ in background.blame]))
    per_epoch = math.ceil(len(judged) / settings.batch_examples)
    least = settings.reach_steps if tilts else settings.min_steps
    steps = min(max(per_epoch * settings.epochs, least), settings.max_steps)
    progress.step("fine-tuning on the votes", steps)
    scale = math.sqrt(768 / model.shape.hidden_size)  # narrower models need, and bear, larger steps
    if tilts:
        scale = min(scale, MAX_SCALE)  # of many steps smaller ones do, and harm less
    rates = settings.model_copy(update={"learning_rate": settings.learning_rate * scale})
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # its noise alone moves answers nobody voted on, by more than the votes do
    paired = ModelWithReference(model, frozen_share=objective.frozen_share)

    def step_at(_step: int) -> Step:
        drawn = [next(part) for part in parts]

        def loss(micro_batches: int) -> Tensor:
            losses = [
                of(*data_parallelism.forward(batch, paired, device=device, micro_batches=micro_batches))
                for batch, of in drawn
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


class _Course:
    """The parts of a step: each gives batches without end, with the loss that belongs to them."""

    def __init__(
        self,
        model: MaskedLm,
        token_of: Callable[[str], int | None],
        offered: Sequence[int],
        settings: NightSettings,
        device: torch.device,
    ) -> None:
        self._encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
        self._token_of, self._settings, self._device = token_of, settings, device
        self._offered = torch.tensor(list(offered), device=device)

    def example(self, example: Example) -> _Example:
        """As numbers; without words where the query has no such mask."""
        query = self._encoder.encode(example.query)
        if example.mask_index >= len(query.masks):
            return _Example(query, (), ())

        def tokens(words: tuple[tuple[str, float], ...]) -> tuple[tuple[int, float], ...]:
            return tuple(
                (token, weight) for word, weight in words if (token := self._token_of(word)) is not None
            )

        one_mask = Encoded(query.ids, (query.masks[example.mask_index],))
        return _Example(one_mask, tokens(example.wanted), tokens(example.unwanted))

    def tilts(self, examples: Sequence[Example]) -> dict[int, float]:
        """Token → tilt beyond the voted queries; none where both directions are not known."""
        tilts = {self._token_of(word): tilt for word, tilt in word_tilts(examples).items()}
        known = {token: tilt for token, tilt in tilts.items() if token is not None}
        return known if min(known.values(), default=0) < 0 < max(known.values(), default=0) else {}

    def voted(self, judged: Sequence[_Example], objective: Objective) -> Part:
        """Voted queries, under the objective's loss."""
        weight = self._settings.votes_weight
        for group in shuffled_batches(judged, self._settings.batch_examples, self._settings.seed):
            said = self._judged(group)

            def loss(logits: Tensor, before: Tensor, said: BatchJudgements = said) -> Tensor:
                return weight * objective.votes_loss(logits, before, said)

            yield self._batch([example.query for example in group]), loss

    def replayed(self, texts: Sequence[str], *, lm_weight: float) -> Part:
        """Corpus texts with hidden words: held, and learnt with some weight."""
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

            def loss(logits: Tensor, before: Tensor, targets: Tensor | None = batch.targets) -> Tensor:
                assert targets is not None
                learnt = masked_lm(logits, targets.to(logits.device))
                kept = kl_to_reference(logits, before)
                return settings.replay_weight * kept + lm_weight * learnt

            yield batch, loss

    def held(self, queries: Sequence[str]) -> Part:
        """Queries whose answers stay."""
        return self._asked(
            queries,
            lambda logits, before: self._settings.anchor_weight * kl_to_reference(logits, before),
            seed=self._settings.seed + 2,
        )

    def praised(self, queries: Sequence[str], tilts: dict[int, float]) -> Part:
        """Praise: judged words as the votes have them."""
        settings = self._settings
        carried = self._carried(tilts, part=1.0)
        return self._asked(
            queries,
            lambda logits, before: settings.reach_weight * carried.in_praise(logits, before),
            seed=settings.seed + 3,
        )

    def blamed(self, queries: Sequence[tuple[str, str]], tilts: dict[int, float]) -> Part:
        """Blame: judged words a little the other way, and the word that stood there."""
        carried = self._carried(tilts, part=self._settings.blame_part)
        weight = self._settings.blame_lm_weight
        known = [
            (self._encoder.encode(query), token)
            for query, word in queries
            if (token := self._encoder.ids.get(word)) is not None
        ]
        for group in shuffled_batches(known, self._settings.anchor_examples, self._settings.seed + 4):
            words = torch.tensor([word for _, word in group], device=self._device)

            def loss(logits: Tensor, before: Tensor, words: Tensor = words) -> Tensor:
                return carried.in_blame(logits, before) + weight * masked_lm(logits, words)

            yield self._batch([query for query, _ in group]), loss

    def _carried(self, tilts: dict[int, float], *, part: float) -> GeneralizationLoss:
        raise_by, sink_by = part * self._settings.reach_raise, part * self._settings.reach_sink
        return GeneralizationLoss.of(tilts, raise_by=raise_by, sink_by=sink_by, allowed=self._offered)

    def _asked(self, queries: Sequence[str], loss: Loss, *, seed: int) -> Part:
        encoded = [self._encoder.encode(query) for query in queries]
        groups = shuffled_batches(encoded, self._settings.anchor_examples, seed)
        return ((self._batch(group), loss) for group in groups)

    def _batch(self, queries: Sequence[Encoded]) -> Batch:
        return query_batch(queries, self._encoder.pad)

    def _judged(self, examples: Sequence[_Example]) -> BatchJudgements:
        """All judgements of some examples, flat."""
        flat = [
            (row, token, sign, weight)
            for row, example in enumerate(examples)
            for words, sign in ((example.wanted, 1.0), (example.unwanted, -1.0))
            for token, weight in words
        ]
        rows, words, signs, weights = (
            torch.tensor(column, device=self._device) for column in zip(*flat, strict=True)
        )
        return BatchJudgements(rows, words, signs, weights, self._offered)
