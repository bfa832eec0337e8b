"""Whether a base model can fill in easy blanks, which one with a random or broken head cannot.

A checkpoint can be complete and still be of no use: its head was never trained, belongs to another
vocabulary, or is read with shifted positions. Loading it raises no error. So the model is compared with
itself under heads whose words are shuffled: a word is known if it is likelier than under nineteen of twenty
of them, that is, if it is among the likeliest twentieth of all words. A random head knows a twentieth.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.corpus.language import language
from training.corpus.yaml_files import read_yaml
from training.errors import WeakBaseError
from training.inference.encoder import Encoder
from training.inference.vocabulary import offered_ids
from training.inference.words import Slot
from training.models.torch_model import MaskedLm
from training.settings import Settings

KNOWN_SHARE = 1 / 20  # of all words, among which a known word is
NEEDED = 0.5  # share of the blanks of each kind


@dataclass(frozen=True, slots=True)
class BaseCheck:
    """How many blanks of each kind a model fills in.

    Attributes:
        asked: kind of blank → number of blanks of which the vocabulary has a word.
        known: kind of blank → number of those that the model knows.
    """

    asked: Mapping[str, int]
    known: Mapping[str, int]

    @property
    def failed(self) -> list[str]:
        """The kinds of which the model knows too few."""
        return [kind for kind, asked in self.asked.items() if self.known[kind] < NEEDED * asked]

    @property
    def share(self) -> float:
        """The share of all blanks that the model knows; 0 if its vocabulary has none of the words."""
        return sum(self.known.values()) / max(1, sum(self.asked.values()))

    @property
    def is_passed(self) -> bool:
        """Whether the model knows enough of each kind."""
        return not self.failed and bool(sum(self.asked.values()))

    def to_json(self) -> dict[str, dict[str, int]]:
        """Convert to JSON for a version's card."""
        return {kind: {"known": self.known[kind], "of": self.asked[kind]} for kind in self.asked}


def require_usable(model: MaskedLm, settings: Settings) -> BaseCheck | None:
    """Check the configured base model; None if there are no easy blanks in the corpus's language.

    Raises:
        WeakBaseError: It cannot fill them in, and the settings do not allow that.
    """
    check = check_base(model)
    if check is not None and not check.is_passed and not settings.allow_weak_base:
        kinds = check.failed or check.asked
        known, asked = (sum(counts[kind] for kind in kinds) for counts in (check.known, check.asked))
        raise WeakBaseError(settings.base_model, known, asked)
    return check


@torch.no_grad()
def check_base(model: MaskedLm) -> BaseCheck | None:
    """Ask a model for the easy blanks of the corpus's language; None if there are none in that language."""
    path = easy_blanks()
    if not path.exists():
        return None
    model.eval()
    encoder, asked, known = model.encoder, Counter[str](), Counter[str]()
    offered = offered_ids(encoder.words)
    all_words = {slot: [encoder.words.form(token, slot) for token in offered] for slot in Slot}
    for kind, blanks in read_yaml(path).items():
        asked[kind] = 0
        for text, *answers in blanks:
            query = encoder.encode(text)
            ids = torch.tensor([query.ids])
            rows = model(ids, None, torch.tensor(query.masks)).float().numpy()  # (masks, vocabulary)
            for row, slot, words in zip(rows, query.slots, answers, strict=True):
                fitting = _forms(encoder, words, slot)
                if fitting:
                    asked[kind] += 1
                    known[kind] += bool(np.mean(row[all_words[slot]] > row[fitting].max()) <= KNOWN_SHARE)
    return BaseCheck(asked, known)


def easy_blanks() -> Path:
    """The file with the blanks of the corpus's language."""
    return language().suites / "easy.yaml"


def _forms(encoder: Encoder, words: list[str], slot: Slot) -> list[int]:
    tokens = (encoder.words.token(word) for word in words)
    return [encoder.words.form(token, slot) for token in tokens if token is not None]
