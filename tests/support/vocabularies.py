"""Models with known answers and vocabularies that differ, at the seam of `FillModel`."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from support.oracles import Oracle
from support.tiny import tiny_tokenizer

from training.inference import vocabulary
from training.inference.encoder import Encoder
from training.inference.fill_model import FillModel


class Speaker(Oracle):
    """An oracle with words of its own, and without some of the others'."""

    def __init__(
        self,
        probabilities: dict[str, float],
        *,
        added: Sequence[str] = (),
        unsaid: Sequence[str] = (),
        max_tokens: int = 48,
    ) -> None:
        tokenizer = tiny_tokenizer()
        tokenizer.add_tokens(list(added))
        self.encoder = Encoder(tokenizer, max_tokens=max_tokens)
        self.offered = np.asarray(vocabulary.offered_ids(self.encoder.words, denied=unsaid))
        row = np.full(
            len(self.encoder.words.ids), (1 - sum(probabilities.values())) / len(self.encoder.words.ids)
        )
        for word, probability in probabilities.items():
            row[self.encoder.words.ids[word]] = probability
        self.row = np.log(row).astype(np.float32)

    word_of = FillModel.word_of


def speaker(
    probabilities: dict[str, float] | None = None,
    *,
    added: Sequence[str] = (),
    unsaid: Sequence[str] = (),
    max_tokens: int = 48,
) -> FillModel:
    return cast("FillModel", Speaker(probabilities or {}, added=added, unsaid=unsaid, max_tokens=max_tokens))
