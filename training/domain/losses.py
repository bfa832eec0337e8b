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
from training.generated_suite import unwanted_words
from training.losses import above_the_best, kl_to_reference, masked_lm
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
                marked=[text.is_praise for text in texts],
            )
        )
        bad = {token for word in unwanted_words() if (token := encoder.ids.get(word)) is not None}
        self._unwanted = torch.tensor(sorted(bad))
        self._allowed = torch.tensor([t for t in vocabulary.offered(encoder.ids) if t not in bad])

    def skip(self, steps: int) -> None:
        """Pass over the batches of steps that were taken before."""
        for _ in range(steps):
            next(self._batches)

    def loss(self, step: int, device: torch.device) -> Tensor:
        """Of the next batch."""
        batch = next(self._batches)
        tokens = batch.tokens
        has_praise = bool(batch.marked is not None and batch.marked.any())
        batch = batch.to(device)
        assert batch.targets is not None
        logits = self._model(batch.input_ids, batch.attention_mask, batch.mask_at)  # (masks, vocabulary)
        loss = masked_lm(logits, batch.targets)
        is_right = logits.detach().argmax(dim=-1) == batch.targets
        self._log.note(step + 1, loss.detach(), is_right.float().mean(), tokens=tokens)
        if has_praise:
            praise = logits[batch.marked]
            loss = loss + self._weight * above_the_best(
                praise, self._unwanted.to(device), allowed=self._allowed.to(device)
            )
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
        self._model = model
        self._encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
        held = [(self._encoder.encode(query), number) for number, query in enumerate(self._queries)]
        self._held = shuffled(held, self._domain.held_examples, self._domain.seed + 1)
        for _ in range(skip):
            next(self._held)

    def loss(self) -> Tensor:
        """Of the next batch."""
        part = next(self._held)
        batch = of_queries([query for query, _ in part], self._encoder.pad).to(self._device)
        logits = self._model(batch.input_ids, batch.attention_mask, batch.mask_at)
        answers = self._answers[[number for _, number in part]]
        return self._domain.held_weight * kl_to_reference(logits[:, : answers.shape[1]], answers)
