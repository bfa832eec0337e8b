"""Held-out texts with fixed masks, so that every model predicts the same words.

Words are chosen in the text, not in its tokens, so that the choice does not depend on the vocabulary. A word
of several pieces is right if all its pieces are.
"""

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.finetuning.batches import query_batch
from training.inference.encoder import Encoded, Encoder
from training.inference.vocabulary import WORD
from training.models.torch_model import MaskedLm

MAX_WORDS = 40  # longer texts are cut here, so that no vocabulary cuts them elsewhere
BATCH = 64


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text with masked words.

    Attributes:
        query: The text with its masks in order.
        targets: The token under each mask.
        words: For each mask the index of its word among the masked ones.
    """

    query: Encoded
    targets: tuple[int, ...]
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """How well a model predicts masked words: `loss` in nats per word, `accuracy` as a share of the words."""

    loss: float
    accuracy: float
    words: int

    def to_json(self) -> dict[str, float | int]:
        """Convert to rounded figures, with the perplexity."""
        return {**rounded(self.loss, self.accuracy), "words": self.words}


def rounded(loss: float, accuracy: float) -> dict[str, float]:
    """Round a mean loss in nats and an accuracy for a log, and add the perplexity."""
    perplexity = math.exp(min(loss, 700.0))  # exp(710) overflows
    return {"loss": round(loss, 4), "perplexity": round(perplexity, 3), "accuracy": round(accuracy, 4)}


def mask_words(texts: Sequence[str], encoder: Encoder, *, share: float, seed: int) -> list[MaskedText]:
    """Mask about `share` of the words of each text, at least one; texts without a word are left out."""
    hidden = []
    for text in texts:
        text = " ".join(text.split()[:MAX_WORDS])
        spans = [match.span() for match in re.finditer(WORD, text)]
        if not spans:
            continue
        chosen = random.Random(f"{seed} {text}").sample(spans, max(1, round(share * len(spans))))  # noqa: S311
        ids = encoder.encode_text(text, encoder.max_tokens)
        word_at = {  # without the last position, which is [SEP]
            place: number
            for number, span in enumerate(chosen)
            for place in encoder.tokens_at(text, span)
            if place < len(ids) - 1
        }
        if word_at:
            places = tuple(sorted(word_at))
            query = tuple(encoder.mask if place in word_at else token for place, token in enumerate(ids))
            targets, words = tuple(ids[p] for p in places), tuple(word_at[p] for p in places)
            hidden.append(MaskedText(Encoded(query, places), targets, words))
    return hidden


def score_held_out(
    model: MaskedLm, hidden: Sequence[MaskedText], encoder: Encoder, *, device: torch.device
) -> HeldOutScore:
    """Score the model's predictions of all masked words, in evaluation mode."""
    was_training = model.training
    model.eval()
    loss, right, words = 0.0, 0, 0
    ordered = sorted(hidden, key=lambda each: len(each.query.ids))
    for start in range(0, len(ordered), BATCH):
        part = ordered[start : start + BATCH]
        batch = query_batch([each.query for each in part], encoder.pad).to(device)
        targets = torch.tensor([t for each in part for t in each.targets], device=device)
        with torch.no_grad():
            logits = model(batch.input_ids, batch.attention_mask, batch.mask_at).float()
        logs = logits.log_softmax(dim=-1)  # (masks, vocabulary)
        loss -= float(logs.gather(1, targets[:, None]).sum())
        is_right = iter((logs.argmax(dim=-1) == targets).tolist())
        for each in part:
            missed = {word for word, is_found in zip(each.words, is_right, strict=False) if not is_found}
            words += len({*each.words})
            right += len({*each.words} - missed)
    model.train(was_training)
    return HeldOutScore(loss / max(words, 1), right / max(words, 1), words)
