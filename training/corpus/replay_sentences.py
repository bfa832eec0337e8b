"""Generated sentences without votes, which judgements generalise to or which preserve existing skills."""

from dataclasses import dataclass
from typing import Self

from training.corpus.generator import generate
from training.corpus.lexicon import polarity_of

EVERYDAY, EVERYDAY_COPIES = "retention", 3  # plain English is forgotten first, so it appears more often


@dataclass(frozen=True, slots=True)
class ReplaySentences:
    """Sentences by what their mask asks for.

    Attributes:
        texts: Unmasked sentences, for replay.
        praise: Queries that ask for a good word.
        blame: Queries that ask for a bad word, such as complaints and "never [MASK]", each with that word.
        others: All other queries: plain English, questions, sizes.
    """

    texts: tuple[str, ...]
    praise: tuple[str, ...]
    blame: tuple[tuple[str, str], ...]
    others: tuple[str, ...]

    @classmethod
    def generate(cls, *, seed: int, sentences: int, replayed: int) -> Self:
        """Generate `sentences` sentences, the first `replayed` of them also for replay.

        They come from train patterns; test patterns stay unseen by every model.
        """
        texts: list[str] = []
        praise: list[str] = []
        blame: list[tuple[str, str]] = []
        others: list[str] = []
        for number, sentence in enumerate(generate(sentences, seed=seed, split="train")):
            copies = EVERYDAY_COPIES if sentence.topic.startswith(EVERYDAY) else 1
            if number < replayed:
                texts += [sentence.text] * copies
            if sentence.focus is None:
                continue
            word = sentence.text[slice(*sentence.focus)].lower()
            polarity = polarity_of(word)
            if polarity > 0:
                praise.append(sentence.query)
            elif polarity < 0:
                blame.append((sentence.query, word))
            else:
                others += [sentence.query] * copies
        return cls(tuple(texts), tuple(praise), tuple(blame), tuple(others))
