"""What a challenger did with every judged word, and which judgements contradict our own lists. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from training.corpus.lexicon import unwanted_words, wanted_words
from training.evaluation.behaviour_tests import Opinions
from training.votes.retraining_set import Example

MAX_SINK = 3  # places that an accepted word may sink; further down, as many as it has above it


@dataclass(frozen=True, slots=True)
class Placed:
    """A judged word of one query with its places, from 1, among the words that may be offered.

    Attributes:
        before, after: its place with the champion and with the challenger.
        is_outdone: whether the team wants every word that the challenger shows instead.
    """

    query: str
    word: str
    is_wanted: bool
    before: int
    after: int
    is_outdone: bool = False

    @property
    def change(self) -> int:
        """Places by which the word rose; negative if it fell."""
        return self.before - self.after

    @property
    def went_wrong(self) -> bool:
        """Whether an accepted word fell or a rejected one rose."""
        return self.change < 0 if self.is_wanted else self.change > 0

    def is_lost(self, shown_words: int) -> bool:
        """Whether an accepted word is no longer shown or sank far, and not in favour of wanted words."""
        if not self.is_wanted or self.is_outdone:
            return False
        is_gone = self.before <= shown_words < self.after
        return is_gone or -self.change > max(MAX_SINK, self.before - 1)


@dataclass(frozen=True, slots=True)
class Learnt:
    """The places of all judged words that a model can say."""

    words: tuple[Placed, ...]
    shown_words: int

    def count(self, *, is_wanted: bool, matches: Callable[[Placed], bool] = lambda _: True) -> int:
        """Count the accepted or the rejected words that match."""
        return sum(word.is_wanted == is_wanted and matches(word) for word in self.words)

    def shown(self, place: Callable[[Placed], int], *, is_wanted: bool) -> int:
        """Count the accepted or the rejected words that are shown, by their place before or after."""
        return self.count(is_wanted=is_wanted, matches=lambda word: place(word) <= self.shown_words)

    @property
    def lost(self) -> list[Placed]:
        """The accepted words that were lost, the deepest fall first."""
        lost = (word for word in self.words if word.is_lost(self.shown_words))
        return sorted(lost, key=lambda word: (word.change, word.word, word.query))

    @property
    def went_wrong(self) -> list[Placed]:
        """The words that moved against the votes, the largest step first."""
        wrong = (word for word in self.words if word.went_wrong)
        return sorted(wrong, key=lambda word: (-abs(word.change), word.word, word.query))


@dataclass(frozen=True, slots=True)
class Contradictions:
    """How far the votes on sentences of praise contradict the list of bad words.

    Attributes:
        judged: bad words that were judged there.
        accepted: those of them that the team accepts.
    """

    judged: int
    accepted: int


def directions(examples: Iterable[Example]) -> dict[str, float]:
    """Word, in lower case → weight of the judgements for it minus that of those against it."""
    total: dict[str, float] = defaultdict(float)
    for example in examples:
        for side, sign in ((example.wanted, 1.0), (example.unwanted, -1.0)):
            for word, weight in side:
                total[word.lower()] += sign * weight
    return dict(total)


def opinions_of(examples: Iterable[Example]) -> Opinions:
    """Return the words on which the team's judgements contradict what our behaviour tests assume."""
    total = directions(examples)
    wanted = {word for word, direction in total.items() if direction > 0}
    return Opinions(
        rejected=frozenset((total.keys() - wanted) & wanted_words()),
        accepted=frozenset(wanted & unwanted_words()),
        wanted=frozenset(wanted),
    )


def contradictions_in(praise: Sequence[Example]) -> Contradictions:
    """Count the judged bad words of sentences that ask for praise, and those that the team accepts."""
    bad = {word: direction for word, direction in directions(praise).items() if word in unwanted_words()}
    return Contradictions(judged=len(bad), accepted=sum(direction > 0 for direction in bad.values()))
