"""The loss of a step of the domain model: masked language modelling, and optionally the polarity of words.

For a recipe with polarity, texts carry the polarity of the word in focus. Where a wanted word is masked, no
unwanted word may be among the best. Where an unwanted word is masked, as in a complaint or after "never", the
unwanted words must outweigh the wanted ones. Without the second rule the model would praise everything.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.corpus.domain_corpus import CorpusText
from training.corpus.lexicon import unwanted_words, wanted_words
from training.domain.step_log import StepLog
from training.finetuning.batches import Batch, CorpusBatches
from training.finetuning.losses import masked_lm, polarity_loss, rank_hinge
from training.finetuning.trainer import Step
from training.inference import vocabulary
from training.models.torch_model import MaskedLm
from training.settings import DomainSettings

# An unwanted word belongs below this rank in praise. It does not follow FILLBOT_SHOWN_WORDS: a domain model
# is kept when the setting changes, and at most ten words are shown.
HIDDEN_RANK = 15


class MaskedTextSteps:
    """Makes the training steps, each of which writes a row to the log."""

    def __init__(
        self, model: MaskedLm, texts: Sequence[CorpusText], domain: DomainSettings, log: StepLog
    ) -> None:
        """Tokenise the texts with the model's current tokenizer."""
        self._model, self._log, self._domain = model, log, domain
        encoder = model.encoder
        self._batches = iter(
            CorpusBatches(
                [text.text for text in texts],
                encoder,
                batch_examples=domain.batch_examples,
                mask_share=domain.mask_share,
                max_tokens=domain.max_tokens,
                seed=domain.seed,
                focus=[text.focus for text in texts],
                polarities=[text.polarity for text in texts],
            )
        )
        self._device = device = next(model.parameters()).device
        wanted, unwanted = (encoder.words.forms_of(side) for side in (wanted_words(), unwanted_words()))
        others = set(vocabulary.offered_ids(encoder.words)) - set(unwanted)
        self._wanted = torch.tensor(wanted, device=device)
        self._unwanted = torch.tensor(unwanted, device=device)
        self._others = torch.tensor(sorted(others), device=device)  # all other words that may be offered

    def skip(self, steps: int) -> None:
        """Discard the batches of steps that were taken before."""
        for _ in range(steps):
            next(self._batches)

    def step(self, number: int) -> Step:
        """Make step `number`, counted from 0, with the next batch."""
        batch = next(self._batches)
        return Step(lambda micro_batches: self._loss(number, batch, micro_batches), rows=len(batch.input_ids))

    def _loss(self, step: int, batch: Batch, micro_batches: int) -> Tensor:
        """Return the masked-LM loss in nats per masked token, plus the weighted polarity losses."""
        polarities = set() if batch.polarity is None else set(batch.polarity.tolist())  # before the GPU
        tokens, batch = batch.tokens, batch.to(self._device)
        assert batch.targets is not None
        (logits,) = batch.forward(self._model, micro_batches=micro_batches)  # (masks, vocabulary)
        loss = masked_lm(logits, batch.targets)
        is_right = logits.detach().argmax(dim=-1) == batch.targets
        self._log.note(step + 1, loss.detach(), is_right.float().mean(), tokens=tokens)
        if 1 in polarities:
            praise = logits[batch.polarity == 1]
            above = rank_hinge(praise, self._unwanted, allowed=self._others, rank=HIDDEN_RANK)
            loss = loss + self._domain.praise_weight * above
        if -1 in polarities:
            wrong = polarity_loss(logits[batch.polarity == -1], self._unwanted, self._wanted)
            loss = loss + self._domain.blame_weight * wrong
        return loss
