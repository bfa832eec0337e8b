"""The pattern language: text with slots, compiled once to generate many sentences.

    {city}             a word from the list `city`; two slots of a sentence never take the same word
    {city#a}           the same word for every `#a`
    {products}         a product in the plural; {product} in the singular; {goods} plural or mass noun
    {products:tops}    only from that group or family; several as {products:tops|bags}
    {products#2}       a second, different product; every other mention is the same product
    {are/is}           agrees with the product: plural form / singular form
    {der/die/das}      agrees with the gender of the product's singular: masculine / feminine / neuter form
    {part}, {parts}    a part of the product; {fault} and {strength} are words that fit it
    {comfort:+}        a word of the aspect's positive polarity, {comfort:-} of the negative one
    {attribute:+}      a word of any aspect that applies to the product, a new aspect each time
    {same:-}           a word of the aspect used last, for contrasts
    {=a|b {city}|}     one of several phrases, which may contain slots, or be empty
    [ … ]              the focus: the word that a query would mask; of several one is drawn

"a" or "an" and the capital at the start of a sentence are adjusted to the words.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, combinations_with_replacement

from training.corpus.lexicon import MAX_REDRAWS, CorpusError, Form, Lexicon, Polarity, Product
from training.corpus.slots import MAIN, Piece, SentenceState, append_words

_CHOICE = "{="
_SLOT = re.compile(r"\{(?P<name>[a-z_]+)(?:#(?P<label>\w+))?(?::(?P<option>[a-z_|]+|[+-]))?\}")
_AGREEMENT = re.compile(r"\{(?P<plural>[^{}/]+)/(?P<singular>[^{}/]+)\}")
_GENDERED = re.compile(r"\{(?P<m>[^{}/]+)/(?P<f>[^{}/]+)/(?P<n>[^{}/]+)\}")
_WORD = re.compile(r"[\w'-]+")
_PART_SLOTS = ("part", "parts", "fault", "strength")
_FORMS: Mapping[str, tuple[Form, ...]] = {
    "product": ("singular",),
    "products": ("plural",),
    "goods": ("plural", "mass"),
}
Weighted = tuple[tuple[Product, ...], tuple[float, ...]]


class PatternError(CorpusError):
    """A pattern cannot be read."""

    def __init__(self, text: str, *, problem: str) -> None:
        super().__init__(f"Pattern {text!r}: {problem}. Correct it in its file under patterns/.")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled pattern.

    Attributes:
        pieces: The pieces in order.
        focuses: Half-open ranges of the pieces that may be the focus.
        literals: Lower-case words of the pattern itself, which slots avoid.
        products: Label → the products that fit all its slots, with cumulative weights.
    """

    pieces: tuple[Piece, ...]
    focuses: tuple[tuple[int, int], ...]
    literals: frozenset[str]
    products: Mapping[str, Weighted]

    def write(self, rng: random.Random) -> tuple[str, tuple[int, int] | None]:
        """Generate one sentence, and return it with the character span of its focus."""
        state = SentenceState(rng=rng, used=set(self.literals))
        for label, (products, cumulative) in self.products.items():
            taken = list(state.products.values())
            for _ in range(MAX_REDRAWS):
                state.products[label] = rng.choices(products, cum_weights=cumulative)[0]
                if state.products[label] not in taken:
                    break
        focus = rng.choice(self.focuses) if len(self.focuses) > 1 else next(iter(self.focuses), None)
        text, start, end = "", 0, 0
        for index, piece in enumerate(self.pieces):
            words = piece(state)
            text = append_words(text, words)
            if focus is not None and index == focus[0]:
                start = len(text) - len(words)
            if focus is not None and index == focus[1] - 1:
                end = len(text)
        return text, None if focus is None else (start, end)


class TemplateCompiler:
    """Compiles patterns against one lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._product_aspects = lexicon.product_aspects
        groups = {product.group.name: product.group for product in lexicon.products}
        self._aspects_of = {}
        for one, other in combinations_with_replacement(groups.values(), 2):
            shared = [a for name, a in lexicon.aspects.items() if name in one.aspects & other.aspects]
            weights = tuple(accumulate(aspect.weight for aspect in shared))
            self._aspects_of[frozenset({one.name, other.name})] = (tuple(shared), weights)

    def compile(self, text: str) -> Template:
        """Compile one pattern.

        Raises:
            PatternError: It names an unknown list, aspect or group, or its focus is malformed.
        """
        pieces: list[Piece] = []
        marks: list[int] = []
        literals: list[str] = []
        for raw in _split(text):
            if raw in ("[", "]"):
                marks.append(len(pieces))
            elif raw.startswith("{"):
                pieces.append(self._slot(raw, text))
            else:
                pieces.append(_literal(raw))
                literals.append(raw)
        focuses = tuple(zip(marks[::2], marks[1::2], strict=False))
        if len(marks) % 2 or any(start == end for start, end in focuses):
            raise PatternError(text, problem="the focus needs one [ and one ] with text between them")
        said = [slot["name"] for slot in _SLOT.finditer(text) if slot["option"] in ("+", "-")]
        if said and said[0] == "same":
            raise PatternError(text, problem="{same:…} needs an aspect before it")
        return Template(
            pieces=tuple(pieces),
            focuses=focuses,
            literals=frozenset(_WORD.findall(" ".join(literals).lower())),
            products=self._products(text),
        )

    def _slot(self, raw: str, text: str) -> Piece:
        if raw.startswith(_CHOICE):
            return self._choice(raw, text)
        if agreement := _AGREEMENT.fullmatch(raw):
            plural, singular = agreement["plural"], agreement["singular"]
            return lambda state: state.agreement(plural, singular)
        if gendered := _GENDERED.fullmatch(raw):
            words = gendered.groupdict()
            return lambda state: state.gendered(words)
        slot = _SLOT.fullmatch(raw)
        if slot is None:
            raise PatternError(text, problem=f"{raw} is not a slot")
        name, label, option = slot["name"], slot["label"], slot["option"]
        if option in ("+", "-"):
            return self._aspect_slot(name, "+" if option == "+" else "-", text)
        if name in _FORMS:
            return lambda state: state.product(_FORMS[name], label or MAIN)
        if name in _PART_SLOTS:
            return lambda state: state.part_word(name)
        if name not in self._lexicon.lists:
            raise PatternError(text, problem=f"there is no list {name!r}")
        return lambda state: state.word(self._lexicon.lists[name], label)

    def _choice(self, raw: str, text: str) -> Piece:
        """Compile "{=a|b {city}}" to a piece that writes one of the phrases, all equally likely."""
        phrases = [
            [self._slot(part, text) if part.startswith("{") else _literal(part) for part in _split(phrase)]
            for phrase in _alternatives(raw[len(_CHOICE) : -1])
        ]

        def write(state: SentenceState) -> str:
            written = ""
            for piece in state.rng.choice(phrases):
                words = piece(state)
                written = append_words(written, words) if written else words
            return written

        return write

    def _aspect_slot(self, name: str, polarity: Polarity, text: str) -> Piece:
        if name == "same":
            return lambda state: state.same_aspect_word(polarity)
        if name == "attribute":
            return lambda state: state.any_aspect_word(polarity, self._aspects_of)
        if name not in self._lexicon.aspects:
            raise PatternError(text, problem=f"there is no aspect {name!r}")
        return lambda state: state.aspect_word(polarity, self._lexicon.aspects[name])

    def _products(self, text: str) -> dict[str, Weighted]:
        """Return label → the products that all slots with that label allow, with cumulative weights."""
        slots = list(_SLOT.finditer(text))
        labels = [slot["label"] or MAIN for slot in slots if slot["name"] in _FORMS]
        about_main = {"attribute", *_PART_SLOTS}
        if (
            _AGREEMENT.search(text)
            or _GENDERED.search(text)
            or any(slot["name"] in about_main for slot in slots)
        ):
            labels.append(MAIN)
        found = {}
        for label in dict.fromkeys(labels):
            needs_gender = label == MAIN and _GENDERED.search(text) is not None
            fitting = [
                product
                for product in self._lexicon.products
                if (product.gender or not needs_gender)
                and all(self._allows(product, slot, label) for slot in slots)
            ]
            if not fitting:
                raise PatternError(text, problem="no product fits all of its slots")
            singular = any(s["name"] == "product" and (s["label"] or MAIN) == label for s in slots)
            weights = (product.singular_weight if singular else product.weight for product in fitting)
            found[label] = (tuple(fitting), tuple(accumulate(weights)))
        return found

    def _allows(self, product: Product, slot: re.Match[str], label: str) -> bool:
        name, option = slot["name"], slot["option"]
        if name in _FORMS and (slot["label"] or MAIN) == label:
            if option and product.group.name not in self._lexicon.groups_of(option):
                return False
            return any(product.form(form) for form in _FORMS[name])
        if name in _PART_SLOTS and label == MAIN:
            return any(part.plural or name != "parts" for part in product.group.parts)
        if option in ("+", "-") and name in self._product_aspects:
            return name in product.group.aspects
        return True


def _split(text: str) -> list[str]:
    """Split a pattern into slots, focus marks and the text between them."""
    parts, depth = [""], 0
    for char in text:
        if char in "[]" and not depth:
            parts += [char, ""]
            continue
        if char == "{" and not depth:
            parts.append("")
        depth += (char == "{") - (char == "}")
        parts[-1] += char
        if char == "}" and depth == 0:
            parts.append("")
        if depth < 0:
            break
    if depth:
        raise PatternError(text, problem="its braces do not match")
    return [part for part in parts if part]


def _alternatives(text: str) -> list[str]:
    """Split at the bars that are outside slots."""
    phrases, depth = [""], 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if char == "|" and not depth:
            phrases.append("")
        else:
            phrases[-1] += char
    return phrases


def _literal(text: str) -> Piece:
    return lambda _state: text
