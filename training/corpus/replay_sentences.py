"""Sentences nobody voted on, out of the corpus: what a night carries judgements to, and what it holds."""

from dataclasses import dataclass
from typing import Self

from training.corpus.generator import generate
from training.corpus.lexicon import unwanted_words, wanted_words

EVERYDAY, EVERYDAY_COPIES = "retention", 3  # plain English is forgotten first: it is there more often


@dataclass(frozen=True, slots=True)
class ReplaySentences:
    """Sentences by what their mask asks for.

    Attributes:
        texts: unmasked, replayed with hidden words.
        praise: queries that ask for a good word.
        blame: queries that ask for a bad word, such as complaints and "never [MASK]", and the word.
        others: every other query: plain English, questions, sizes.
    """

    texts: tuple[str, ...]
    praise: tuple[str, ...]
    blame: tuple[tuple[str, str], ...]
    others: tuple[str, ...]

    @classmethod
    def generate(cls, *, seed: int, sentences: int, replayed: int) -> Self:
        """Write them from train patterns; test patterns stay unseen by every model."""
        texts: list[str] = []
        praise: list[str] = []
        blame: list[tuple[str, str]] = []
        others: list[str] = []
        for number, sentence in enumerate(generate(sentences, seed=seed, split="train")):
            copies = EVERYDAY_COPIES if sentence.reason.startswith(EVERYDAY) else 1
            if number < replayed:
                texts += [sentence.text] * copies
            if sentence.focus is None:
                continue
            word = sentence.text[slice(*sentence.focus)].lower()
            if word in wanted_words():
                praise.append(sentence.query)
            elif word in unwanted_words():
                blame.append((sentence.query, word))
            else:
                others += [sentence.query] * copies
        return cls(tuple(texts), tuple(praise), tuple(blame), tuple(others))
