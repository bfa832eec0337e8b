"""Fill several masks jointly by beam search, so that the words fit together. No torch.

It starts with every mask open. Each beam fills the open mask with the most confident prediction with its
likeliest words, the model reads the query with each of them in place, and log-probabilities add up. All beams
of all queries go through the model in one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from training.corpus.sentences import stop_words
from training.inference.encoder import Encoded
from training.inference.fill_model import Candidate, FillModel, Floats

# A query takes 1 + BEAMS × (masks − 1) + masks forward passes. Twice the beams with eight branches changed
# the best filling in 1 of 16 sentences, and did not improve it.
BEAMS = 4
# Words that a beam branches into. All final fillings, at most 24, are kept: a 👎 on a reply counts against
# each of its words, and 14 of 16 sentences had a filling without any of them.
BRANCHES = 6
OPEN = -1  # a mask without a token
LAST = -1e4  # added to the log-probability of excluded words, which ranks them last

Unsaid = frozenset[tuple[int, str]]  # (mask index, word) to exclude there


@dataclass(frozen=True, slots=True)
class JointFilling:
    """A word for each mask, chosen jointly.

    Attributes:
        words: one per mask.
        log_probabilities: natural; of each word given the words chosen before it.
    """

    words: tuple[str, ...]
    log_probabilities: tuple[float, ...]

    @property
    def log_probability(self) -> float:
        """The joint log-probability."""
        return sum(self.log_probabilities)


@dataclass(frozen=True, slots=True)
class JointAnswer:
    """Fillings, best first, and each mask's candidates given the best filling's other words."""

    masks: tuple[tuple[Candidate, ...], ...]
    fillings: tuple[JointFilling, ...]


@dataclass(frozen=True, slots=True)
class _Beam:
    """A token and its log-probability per mask; `OPEN` and 0 for open masks."""

    tokens: tuple[int, ...]
    logs: tuple[float, ...]

    @property
    def open(self) -> list[int]:
        """The open masks."""
        return [mask for mask, token in enumerate(self.tokens) if token == OPEN]

    def put(self, mask: int, token: int, log: float) -> "_Beam":
        """Return this beam with a token at a mask."""
        tokens, logs = list(self.tokens), list(self.logs)
        tokens[mask], logs[mask] = token, log
        return _Beam(tuple(tokens), tuple(logs))


class _Search:
    """The beams of one query, best first."""

    def __init__(self, model: FillModel, query: str, unsaid: Unsaid) -> None:
        self._model, self._unsaid = model, unsaid
        self._encoded = model.encoder.encode(query)
        self._lists = _lists(self._encoded.masks)
        self._words = words = model.encoder.words
        offered = set(model.offered.tolist())
        said = [known for one in self._encoded.ids if (known := words.canonical(one)) is not None]
        self._said = {
            word for word in map(words.text, offered.intersection(said)) if word.lower() not in stop_words()
        }
        masks = len(self._encoded.masks)
        self.beams = [_Beam((OPEN,) * masks, (0.0,) * masks)]

    def read(self, beam: _Beam) -> Encoded:
        """Put a beam's words in the query. Each word is one token, so positions and length stay the same."""
        ids, masks, slots = list(self._encoded.ids), self._encoded.masks, self._encoded.slots
        for at, slot, token in zip(masks, slots, beam.tokens, strict=True):
            ids[at] = ids[at] if token == OPEN else self._words.form(token, slot)
        return Encoded(
            tuple(ids), tuple(masks[mask] for mask in beam.open), tuple(slots[mask] for mask in beam.open)
        )

    def grow(self, beams: Sequence[_Beam], rows: Sequence[Floats]) -> None:
        """Branch every beam at one mask. rows: one (open masks, vocabulary) array per beam."""
        grown: dict[tuple[int, ...], _Beam] = {}
        for beam, logs in zip(beams, rows, strict=True):
            sayable = [self._sayable(beam, mask, row) for mask, row in zip(beam.open, logs, strict=True)]
            surest = max(range(len(sayable)), key=lambda i: float(sayable[i][self._model.offered].max()))
            mask, row = beam.open[surest], sayable[surest]
            for token in self._model.best(row, BRANCHES):
                new = beam.put(mask, token, float(row[token]))
                known = grown.get(new.tokens)  # the same words may be found in another order
                if known is None or sum(new.logs) > sum(known.logs):
                    grown[new.tokens] = new
        best = sorted(grown.values(), key=lambda beam: (-sum(beam.logs), beam.tokens))
        self.beams = best[:BEAMS] if best[0].open else best

    def around_the_best(self) -> list[_Beam]:
        """Return the best beam with one mask open, for each mask."""
        best = self.beams[0]
        return [best.put(mask, OPEN, 0.0) for mask in range(len(best.tokens))]

    def answer(self, rows: Sequence[Floats], *, top: int) -> JointAnswer:
        """Return the answer from one (1, vocabulary) array per mask, given the best filling's other words."""
        masks = []
        for mask, (beam, logs) in enumerate(zip(self.around_the_best(), rows, strict=True)):
            masks.append(tuple(self._model.candidates(self._sayable(beam, mask, logs[0]), top)))
        fillings = [JointFilling(tuple(map(self._model.word_of, b.tokens)), b.logs) for b in self.beams]
        return JointAnswer(tuple(masks), tuple(fillings))

    def _sayable(self, beam: _Beam, mask: int, row: Floats) -> Floats:
        """Rank excluded words last, and repetitions: "good and good", "wet [MASK]" with "wet".

        A word of the query or of another mask is not repeated, unless it is a stop word ("my boots and my
        socks") of another list of words.
        """
        words = {word for at, word in self._unsaid if at == mask} | self._said
        for other, token in enumerate(beam.tokens):
            if token != OPEN and other != mask:
                word = self._model.word_of(token)
                if self._lists[other] == self._lists[mask] or word.lower() not in stop_words():
                    words.add(word)
        tokens = [known for word in words if (known := self._words.token(word)) is not None]
        if not tokens:
            return row
        row = row.copy()
        row[tokens] += LAST
        return row


def fill_jointly(
    model: FillModel, queries: Sequence[str], *, top: int, unsaid: Sequence[Unsaid] = ()
) -> list[JointAnswer]:
    """Fill all masks of each query jointly, with `top` candidates per mask.

    Args:
        model: the model.
        queries: texts with at least one mask each.
        top: number of candidates per mask.
        unsaid: the excluded words of each query; empty to exclude nothing.

    Raises:
        QueryTooLongError: a query has more word pieces than the model reads.
    """
    unsaid = unsaid or [frozenset()] * len(queries)
    searches = [_Search(model, query, each) for query, each in zip(queries, unsaid, strict=True)]
    while growing := [search for search in searches if search.beams[0].open]:
        for search, rows in _through(model, [(search, search.beams) for search in growing]):
            search.grow(search.beams, rows)
    around = [(search, search.around_the_best()) for search in searches]
    return [search.answer(rows, top=top) for search, rows in _through(model, around)]


def _through(
    model: FillModel, asked: Sequence[tuple[_Search, Sequence[_Beam]]]
) -> list[tuple[_Search, list[Floats]]]:
    """One batch of all beams of all searches; one (open masks, vocabulary) array per beam."""
    rows = iter(model.log_probabilities([search.read(beam) for search, beams in asked for beam in beams]))
    return [(search, [next(rows) for _ in beams]) for search, beams in asked]


def _lists(masks: Sequence[int]) -> list[int]:
    """Return a group number for each mask; masks with at most one word piece between them share one."""
    starts = [after - before > 2 for before, after in pairwise(masks)]
    return list(accumulate(starts, initial=0))
