"""From opinions to sentences that can be stored: parsed like questions, without personal data, bounded."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from bot.answering.queries import parse_query
from bot.errors import ImportFileError, QueryError
from bot.imports.shapes import Opinion, read_opinions
from bot.texts import number, say
from storage.people.personal_data import has_placeholder
from storage.votes.sources import MAX_NAME, MAX_WEIGHT, ImportedSentence
from training.inference.vocabulary import denied_words, is_word

MAX_BYTES = 5_000_000
MAX_OPINIONS = 200_000
MAX_WORD = 50  # characters


def source_name(text: str) -> str:
    """Return the name of a source.

    Raises:
        ImportFileError: It is empty or too long.
    """
    if not 0 < len(name := " ".join(text.split())) <= MAX_NAME:
        raise ImportFileError(say("import.name", most=MAX_NAME))
    return name


def source_weight(text: str) -> float:
    """Return the weight of a source, also from a number with a decimal comma.

    Raises:
        ImportFileError: It is no number, or out of range.
    """
    try:
        weight = float(text.replace(",", "."))
    except ValueError:
        weight = 0.0
    if not 0 < weight <= MAX_WEIGHT:
        raise ImportFileError(say("import.weight", most=number(MAX_WEIGHT, "g")))
    return weight


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would teach, and how many opinions are left out for each reason (`import.left_out`)."""

    sentences: tuple[ImportedSentence, ...]
    left_out: tuple[tuple[str, int], ...]

    @property
    def wanted(self) -> int:
        """Number of wanted words."""
        return sum(is_wanted for one in self.sentences for *_, is_wanted in one.words)

    @property
    def unwanted(self) -> int:
        """Number of unwanted words."""
        return sum(len(one.words) for one in self.sentences) - self.wanted


def read_file(
    name: str,
    data: bytes,
    *,
    max_chars: int,
    max_masks: int,
    denied: Collection[str] = (),
    spell: Callable[[str], str] = str.lower,
) -> Preview:
    """Read a file. Takes seconds for a large one.

    Args:
        name: The file's name, whose ending says how it is read.
        data: What it holds.
        max_chars: Sentences with more characters are left out.
        max_masks: Sentences with more masks are left out.
        denied: Words that the team denied.
        spell: Returns a word as the answers spell it, since votes count for one spelling.

    Raises:
        ImportFileError: The file cannot be read, is too large, or has nothing to import.
    """
    if len(data) > MAX_BYTES:
        raise ImportFileError(say("import.too_large", most=f"{MAX_BYTES / 1e6:g}"))
    opinions = read_opinions(name, data)
    preview = preview_of(opinions, max_chars=max_chars, max_masks=max_masks, denied=denied, spell=spell)
    if not preview.sentences:
        raise ImportFileError("\n".join([say("import.nothing"), *left_out_lines(preview)]))
    return preview


def preview_of(
    opinions: Iterable[Opinion],
    *,
    max_chars: int,
    max_masks: int,
    denied: Collection[str] = (),
    spell: Callable[[str], str] = str.lower,
) -> Preview:
    """Parse and merge opinions; of opinions on the same word the majority counts, a tie is left out."""
    refused = denied_words().union(word.lower() for word in denied)
    left_out: Counter[str] = Counter()
    parsed: dict[str, tuple[str, str, int] | str] = {}  # sentence → query, hash and masks, or why not
    queries: dict[str, str] = {}
    tallies: defaultdict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
    for count, one in enumerate(opinions):
        if count >= MAX_OPINIONS:
            raise ImportFileError(say("import.too_many", most=MAX_OPINIONS))
        if one.sentence not in parsed:
            parsed[one.sentence] = _parsed(one.sentence, max_chars=max_chars, max_masks=max_masks)
        found, word = parsed[one.sentence], one.word.strip()
        if isinstance(found, str):
            left_out[found] += 1
        elif not is_word(word) or len(word) > MAX_WORD:
            left_out["no_word"] += 1
        elif word.lower() in refused:
            left_out["denied"] += 1
        else:
            query, query_hash, masks = found
            mask = 0 if one.mask_index is None and masks == 1 else one.mask_index
            if mask is None or mask >= masks:
                left_out["which_mask"] += 1
                continue
            queries.setdefault(query_hash, query)
            tallies[query_hash][mask, spell(word)] += 1 if one.is_wanted else -1
    sentences = []
    for query_hash, tally in tallies.items():
        words = tuple((mask, word, count > 0) for (mask, word), count in tally.items() if count)
        left_out["contradictory"] += len(tally) - len(words)
        if words:
            sentences.append(ImportedSentence(queries[query_hash], query_hash, words))
    return Preview(tuple(sentences), tuple((reason, n) for reason, n in sorted(left_out.items()) if n))


def preview_lines(
    name: str, weight: float, preview: Preview, *, escape: Callable[[str], str] = str
) -> list[str]:
    """Return what would be imported, for a person to confirm; `escape` is applied to the file's texts."""
    first = preview.sentences[0]
    shown = [f"{'👍' if is_wanted else '👎'} {escape(word)}" for _, word, is_wanted in first.words[:5]]
    return [
        say("import.preview", name=name, n=len(preview.sentences)),
        say("import.words", wanted=preview.wanted, unwanted=preview.unwanted, weight=f"{weight:g}"),
        say("import.example", sentence=escape(first.query), words=", ".join(shown)),
        *left_out_lines(preview),
    ]


def left_out_lines(preview: Preview) -> list[str]:
    """Return a line for each reason why opinions are left out."""
    return [say(f"import.left_out.{reason}", n=count) for reason, count in preview.left_out]


def _parsed(sentence: str, *, max_chars: int, max_masks: int) -> tuple[str, str, int] | str:
    try:
        query = parse_query(sentence, max_chars=max_chars, max_masks=max_masks)
    except QueryError:
        return "no_query"
    # Masked personal data never teach (`training.votes.checks`), so they are not stored at all.
    return "personal_data" if has_placeholder(query.stored) else (query.stored, query.hash, query.masks)
