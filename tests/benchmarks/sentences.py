"""The benchmark's sentences: what the simulated people ask, and what a version is judged on.

`queries.jsonl` is praise out of train patterns, and `more_queries.jsonl` continues it to 600. `test.jsonl` is
praise ("main") and complaints, negations, comparisons and sizes ("control") out of test patterns, which
nothing is ever trained on. All are committed; `python tests/benchmarks/sentences.py` from the repository root
writes them again after the patterns or the word lists have changed.

`unknowable.jsonl` is written by hand: test patterns whose sentences do not say whether they ask for praise.
"""

import functools
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from training.corpus.generator import GeneratedSentence, Split, generate, load_patterns
from training.corpus.lexicon import Aspect, Polarity, WordList, load_lexicon

FOLDER = Path(__file__).with_suffix("")
DRAWS = 40_000  # of which each pattern gives its share
MAIN, CONTROL, QUERIES, ALL_QUERIES = 306, 160, 150, 600
QUERIES_A_PATTERN = 3  # people ask the usual patterns more often, but not the same one all day
MOST_WORDS = 8  # of a list, from the most usual on: few models say the rest, and nobody thinks of it
VERDICTS, SIZES = 6, 4  # the usual ones, liked or rejected whatever is said
USUAL_WEIGHT = 4  # of the aspects whose first word is
OPPOSITES: dict[Polarity, Polarity] = {"+": "-", "-": "+"}
OPPOSITE_LISTS = {"bad_er": "good_er", "too_small": "too_big", "too_big": "too_small"}
CONTROL_TOPICS = ("complaint", "negation", "contrast", "comparison_complaint", "size_too", "price_high")
OWN_WORD = "good-looking"  # the team asked for it
SLOT = re.compile(r"\[\{(?P<name>\w+)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the files."""

    text: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    category: str
    pattern: str


def queries() -> list[Line]:
    """Praise of train patterns, as often as the generator uses them."""
    return _all_queries()[:QUERIES]


def more_queries() -> list[Line]:
    """The queries that follow, for teams that ask more."""
    return _all_queries()[QUERIES:ALL_QUERIES]


def tests() -> list[Line]:
    """Praise and control sentences of test patterns, the same number of each as far as they go."""
    main, control = (_lines(kind, split="test", seed=2) for kind in (_praise, _control))
    return _evenly(main, MAIN) + _evenly(control, CONTROL)


FILES: dict[str, Callable[[], list[Line]]] = {
    "queries.jsonl": queries,
    "more_queries.jsonl": more_queries,
    "test.jsonl": tests,
}


@functools.cache
def _all_queries() -> list[Line]:
    return _lines(_praise, split="train", seed=1, most=QUERIES_A_PATTERN)


def content(lines: Iterable[Line]) -> str:
    """The lines as they stand in a file."""
    return "".join(
        json.dumps(asdict(line), ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )


def _lines(
    line_of: Callable[[GeneratedSentence], Line | None], *, split: Split, seed: int, most: int = DRAWS
) -> list[Line]:
    """Lines of different texts, in the generator's order, at most so many of a pattern."""
    lines: dict[str, Line] = {}
    taken: Counter[str] = Counter()
    for sentence in _drawn(split, seed):
        if taken[sentence.pattern_id] == most or sentence.query in lines:
            continue
        if (line := line_of(sentence)) is not None:
            lines[line.text] = line
            taken[line.pattern] += 1
    return list(lines.values())


@functools.cache
def _drawn(split: Split, seed: int) -> tuple[GeneratedSentence, ...]:
    return tuple(s for s in generate(DRAWS, seed=seed, split=split) if s.focus is not None)


def _evenly(lines: Iterable[Line], count: int) -> list[Line]:
    """So many lines, one of each pattern in turn; patterns side by side."""
    of_pattern: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        of_pattern[line.pattern].append(line)
    in_turn = sorted((turn, pattern) for pattern, group in of_pattern.items() for turn in range(len(group)))
    return [of_pattern[pattern][turn] for pattern, turn in sorted((p, t) for t, p in in_turn[:count])]


def _praise(sentence: GeneratedSentence) -> Line | None:
    """Wanted is any praise that fits; unwanted its opposite and what is bad of any product."""
    if sentence.sentiment != "positive" or _polarity(sentence) != "+":
        return None
    wanted = (*_fellows(sentence), *_usual("+", with_aspects=_slot(sentence) == "attribute"))
    unwanted = (*_opposites(sentence), *_usual("-"), *_words("too_small")[:SIZES], *_words("too_big")[:SIZES])
    return _line(sentence, sentence.topic, wanted, [word for word in unwanted if word not in wanted])


def _control(sentence: GeneratedSentence) -> Line | None:
    """Wanted is what the sentence asks for, however unkind; unwanted its opposite, and praise gone blind."""
    expected: Polarity = "+" if sentence.topic == "negation_complaint" else "-"
    if not sentence.topic.startswith(CONTROL_TOPICS) or _polarity(sentence) != expected:
        return None
    wanted = (*_fellows(sentence), *_usual(expected, with_aspects=False))
    if sentence.topic.startswith(("size", "price", "comparison")) or _slot(sentence) == "price":
        wanted = _fellows(sentence)
    unwanted = (*_opposites(sentence), *_usual(OPPOSITES[expected]))
    category = f"control_{sentence.topic.split('_')[0]}"
    return _line(sentence, category, wanted, [word for word in unwanted if word not in wanted])


def _line(
    sentence: GeneratedSentence, category: str, wanted: Sequence[str], unwanted: Sequence[str]
) -> Line | None:
    words, others = (tuple(dict.fromkeys(word.lower() for word in group)) for group in (wanted, unwanted))
    if not words or not others or {*words} & {*others}:
        return None
    return Line(sentence.query, words, others, category, sentence.pattern_id)


def _polarity(sentence: GeneratedSentence) -> Polarity | None:
    """Whether the hidden word is said as good or as bad; None where neither."""
    if _slot(sentence) in OPPOSITE_LISTS:
        return "-"
    word = _focus(sentence)
    for aspect in load_lexicon().aspects.values():
        for polarity in OPPOSITES:
            if word in aspect.words_of(polarity).words:
                return polarity
    return None


def _fellows(sentence: GeneratedSentence) -> tuple[str, ...]:
    """What could stand there as well."""
    slot, polarity = _slot(sentence), _polarity(sentence)
    if slot in load_lexicon().lists:
        return _words(slot)
    return _said(_aspects(sentence), polarity or "+")


def _opposites(sentence: GeneratedSentence) -> tuple[str, ...]:
    """What the sentence denies."""
    if other := OPPOSITE_LISTS.get(_slot(sentence)):
        return _words(other)
    return _said(_aspects(sentence), OPPOSITES[_polarity(sentence) or "+"])


def _aspects(sentence: GeneratedSentence) -> list[Aspect]:
    """The aspect of the hidden word's slot, or those of a product that the word belongs to."""
    lexicon, word = load_lexicon(), _focus(sentence)
    if (named := lexicon.aspects.get(_slot(sentence))) is not None:
        return [named]
    fitting = [a for a in lexicon.aspects.values() if word in (*a.positive.words, *a.negative.words)]
    return [a for a in fitting if a.name in lexicon.product_aspects] or fitting


@functools.cache
def _usual(polarity: Polarity, *, with_aspects: bool = True) -> tuple[str, ...]:
    """The most usual words of a polarity: verdicts, and what is said of a product."""
    lexicon = load_lexicon()
    words = _single(lexicon.aspects["verdict"].words_of(polarity))[:VERDICTS]
    if with_aspects:
        aspects = (lexicon.aspects[name] for name in sorted(lexicon.product_aspects))
        words += tuple(_single(a.words_of(polarity))[0] for a in aspects if a.weight >= USUAL_WEIGHT)
    return tuple(dict.fromkeys(words))


def _said(aspects: Iterable[Aspect], polarity: Polarity) -> tuple[str, ...]:
    return tuple(word for aspect in aspects for word in _single(aspect.words_of(polarity)))


def _words(name: str) -> tuple[str, ...]:
    return _single(load_lexicon().lists[name])


def _single(words: WordList) -> tuple[str, ...]:
    """The usual ones of some words, without those of several parts: few models say them as one."""
    return tuple(word for word in words.words if word.isalpha() or word == OWN_WORD)[:MOST_WORDS]


@functools.cache
def _slot_of_patterns() -> dict[str, str]:
    """Pattern → name of the slot that is the focus; the topic's own list where the word itself stands."""
    return {
        p.id: found["name"] if (found := SLOT.search(p.text)) else p.topic.removeprefix("size_")
        for p in load_patterns()
    }


def _slot(sentence: GeneratedSentence) -> str:
    return _slot_of_patterns()[sentence.pattern_id]


def _focus(sentence: GeneratedSentence) -> str:
    assert sentence.focus is not None
    return sentence.text[slice(*sentence.focus)].lower()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, lines_of in FILES.items():
        (FOLDER / name).write_text(content(lines_of()), encoding="utf-8")
