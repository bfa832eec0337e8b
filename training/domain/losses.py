"""What a step of the domain model's training minimises.

Masked language modelling on the recipe's texts. A recipe that is held adds two batches a step: complaints and
negations, whose answers stay near the base's (KL over the words that the base knows); and edge cases with a
wanted word hidden, where no unwanted word may come up among the best.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from training import vocabulary
from training.batches import CorpusBatches, of_queries, shuffled
from training.corpus.generator import generate
from training.domain.corpus import CorpusText
from training.domain.step_log import StepLog
from training.encoder import Encoder
from training.generated_suite import unwanted_words, wanted_words
from training.losses import kl_to_reference, masked_lm, above_the_best, wrong_pole
from training.model import MaskedLm
from training.settings import DomainSettings

HELD_REASONS = ("complaint", "negation", "contrast", "comparison_complaint", "size_too", "price_high")
HELD_SENTENCES = 1_500
BATCH = 64


class MaskedTexts:
    """The loss of the next batch, and a line in the log."""

    def __init__(
        self, model: MaskedLm, texts: Sequence[CorpusText], domain: DomainSettings, log: StepLog
    ) -> None:
        """Tokenise the texts, on the tokenizer that the model has now."""
        self._model, self._log, self._weight = model, log, domain.unwanted_weight
        encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
        self._batches = iter(
            CorpusBatches(
                [text.text for text in texts],
                encoder,
                batch_examples=domain.batch_examples,
                mask_share=domain.mask_share,
                max_tokens=domain.max_tokens,
                seed=domain.seed,
                focus=[text.focus for text in texts],
                marks=[text.pole for text in texts],
            )
        )
        self._wanted, self._unwanted = (
            torch.tensor(sorted(token for word in words if (token := encoder.ids.get(word)) is not None))
            for words in (wanted_words(), unwanted_words())
        )
        bad = set(self._unwanted.tolist())
        self._allowed = torch.tensor([t for t in vocabulary.offered(encoder.ids) if t not in bad])

    def skip(self, steps: int) -> None:
        """Pass over the batches of steps that were taken before."""
        for _ in range(steps):
            next(self._batches)

    def loss(self, step: int, device: torch.device) -> Tensor:
        """Of the next batch."""
        batch = next(self._batches)
        tokens = batch.tokens
        poles = set() if batch.mark is None else set(batch.mark.tolist())
        batch = batch.to(device)
        assert batch.targets is not None
        logits = self._model(batch.input_ids, batch.attention_mask, batch.mask_at)  # (masks, vocabulary)
        loss = masked_lm(logits, batch.targets)
        is_right = logits.detach().argmax(dim=-1) == batch.targets
        self._log.note(step + 1, loss.detach(), is_right.float().mean(), tokens=tokens)
        import os
        wp, wn = float(os.environ.get("WP", 0.3)), float(os.environ.get("WN", 0.5))
        wanted, unwanted = self._wanted.to(device), self._unwanted.to(device)
        if 1 in poles:
            loss = loss + wp * above_the_best(logits[batch.mark == 1], unwanted, allowed=self._allowed.to(device))
        if -1 in poles and wn:
            loss = loss + wn * wrong_pole(logits[batch.mark == -1], unwanted, wanted)
        return loss


class Held:
    """Holds complaints and negations near what the base says, among the words that it knows."""

    def __init__(self, base: MaskedLm, domain: DomainSettings, *, device: torch.device) -> None:
        """Ask the base, as it came, before it learns new words."""
        self._domain, self._device = domain, device
        sentences = generate(HELD_SENTENCES, seed=domain.seed + 1, reasons=HELD_REASONS, split="train")
        self._queries = [s.query for s in sentences if s.focus is not None]
        encoder = Encoder(base.tokenizer, max_tokens=base.shape.max_tokens)
        answers = []
        base.eval()
        for start in range(0, len(self._queries), BATCH):
            part = self._queries[start : start + BATCH]
            batch = of_queries([encoder.encode(query) for query in part], encoder.pad).to(device)
            with torch.no_grad():
                logits = base(batch.input_ids, batch.attention_mask, batch.mask_at)
            answers.append(logits.float().log_softmax(dim=-1).half())
        self._answers = torch.cat(answers)  # (queries, base's vocabulary)

    def begin(self, model: MaskedLm, *, skip: int) -> None:
        """Prepare the batches, once the model has its new words; those of `skip` steps are passed over."""
        self.model = model
        self._encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
        held = [(self._encoder.encode(query), number) for number, query in enumerate(self._queries)]
        self._held = shuffled(held, self._domain.held_examples, self._domain.seed + 1)
        for _ in range(skip):
            next(self._held)

    def loss(self) -> Tensor:
        """Of the next batch."""
        part = next(self._held)
        batch = of_queries([query for query, _ in part], self._encoder.pad).to(self._device)
        logits = self.model(batch.input_ids, batch.attention_mask, batch.mask_at)
        answers = self._answers[[number for _, number in part]]
        return self._domain.held_weight * kl_to_reference(logits[:, : answers.shape[1]], answers)
