"""Several masks filled together: each word is chosen in view of the others. No torch.

A beam search. It starts with every mask open; each beam fills the open mask that it is surest of with its
likeliest words, the query is read again with each of them in place, and log-probabilities add up. All beams
of all queries go through the model together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from training.inference.encoder import Encoded
from training.inference.fill_model import Candidate, FillModel, Floats

# The model reads a query 1 + BEAMS × (masks − 1) + masks times. With twice the beams, and eight branches, the
# best filling was another one in 1 of 16 sentences, and no better.
BEAMS = 4
# Words that a beam goes on with. The fillings at the end, 24 at most, are all kept: a 👎 on a reply is one on
# each of its words, and in 14 of 16 sentences there was a filling that has none of them.
BRANCHES = 6
OPEN = -1  # where a beam has no token yet
LAST = -1e4  # added to the log-probability of what is not to be said: it comes after everything else

Unsaid = frozenset[tuple[int, str]]  # (mask index, word): not to be said there


@dataclass(frozen=True, slots=True)
class JointFilling:
    """A word for each mask, chosen together.

    Attributes:
        words: one a mask.
        log_probabilities: natural; of each word given those that were chosen before it.
    """

    words: tuple[str, ...]
    log_probabilities: tuple[float, ...]

    @property
    def log_probability(self) -> float:
        """Of all words together."""
        return sum(self.log_probabilities)


@dataclass(frozen=True, slots=True)
class JointAnswer:
    """The best fillings, best first; and each mask's candidates while the others are as in the best one."""

    masks: tuple[tuple[Candidate, ...], ...]
    fillings: tuple[JointFilling, ...]


@dataclass(frozen=True, slots=True)
class _Beam:
    """A token and its log-probability a mask; `OPEN` and 0 where there is none yet."""

    tokens: tuple[int, ...]
    logs: tuple[float, ...]

    @property
    def open(self) -> list[int]:
        """The masks without a token."""
        return [mask for mask, token in enumerate(self.tokens) if token == OPEN]

    def put(self, mask: int, token: int, log: float) -> "_Beam":
        """This beam with another token at a mask."""
        tokens, logs = list(self.tokens), list(self.logs)
        tokens[mask], logs[mask] = token, log
        return _Beam(tuple(tokens), tuple(logs))


class _Search:
    """The beams of one query, best first."""

    def __init__(self, model: FillModel, query: str, unsaid: Unsaid) -> None:
        self._model, self._unsaid = model, unsaid
        self._encoded = model.encoder.encode(query)
        self._lists = _lists(self._encoded.masks)
        masks = len(self._encoded.masks)
        self.beams = [_Beam((OPEN,) * masks, (0.0,) * masks)]

    def read(self, beam: _Beam) -> Encoded:
        """The query with a beam's words in it. A word is one token: nothing moves, and no limit is passed."""
        ids = list(self._encoded.ids)
        for at, token in zip(self._encoded.masks, beam.tokens, strict=True):
            ids[at] = ids[at] if token == OPEN else token
        return Encoded(tuple(ids), tuple(self._encoded.masks[mask] for mask in beam.open))

    def grow(self, beams: Sequence[_Beam], rows: Sequence[Floats]) -> None:
        """Let each beam fill a mask; rows are (open masks, vocabulary), one a beam."""
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
        """The best beam with one mask open, for each mask."""
        best = self.beams[0]
        return [best.put(mask, OPEN, 0.0) for mask in range(len(best.tokens))]

    def answer(self, rows: Sequence[Floats], *, top: int) -> JointAnswer:
        """What was found; rows are (1, vocabulary), one for each beam around the best."""
        masks = []
        for mask, (beam, logs) in enumerate(zip(self.around_the_best(), rows, strict=True)):
            row = self._sayable(beam, mask, logs[0])
            best = self._model.best(row, top)
            masks.append(tuple(Candidate(self._model.word_of(t), t, math.exp(row[t])) for t in best))
        fillings = [JointFilling(tuple(map(self._model.word_of, b.tokens)), b.logs) for b in self.beams]
        return JointAnswer(tuple(masks), tuple(fillings))

    def _sayable(self, beam: _Beam, mask: int, row: Floats) -> Floats:
        """A mask's log-probabilities, last what is not to be said there: "very very", "good and good"."""
        words = {word for at, word in self._unsaid if at == mask}
        for other, token in enumerate(beam.tokens):
            if token != OPEN and other != mask and self._lists[other] == self._lists[mask]:
                words.add(self._model.word_of(token))
        spellings = {s for word in words for s in (word, word.lower(), word.capitalize(), word.upper())}
        tokens = [self._model.encoder.ids[s] for s in spellings if s in self._model.encoder.ids]
        if not tokens:
            return row
        row = row.copy()
        row[tokens] += LAST
        return row


def fill_jointly(
    model: FillModel, queries: Sequence[str], *, top: int, unsaid: Sequence[Unsaid] = ()
) -> list[JointAnswer]:
    """The best words for all masks of each query together, and `top` candidates a mask.

    Args:
        model: answers.
        queries: at least one mask in each.
        top: candidates a mask.
        unsaid: what is not to be said, one for each query; none: everything may be.

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
    """All beams of all searches through the model together; one (open masks, vocabulary) array a beam."""
    rows = iter(model.log_probabilities([search.read(beam) for search, beams in asked for beam in beams]))
    return [(search, [next(rows) for _ in beams]) for search, beams in asked]


def _lists(masks: Sequence[int]) -> list[int]:
    """A number for each mask, the same for masks in a row with one word piece between them at most."""
    starts = [after - before > 2 for before, after in pairwise(masks)]
    return list(accumulate(starts, initial=0))
