"""Signals of a text from its words alone: brand, product, wanted words, blame. Pure, all in polars.

Only whole words match: `unfashionable`, `non-durable` and `nikeadidas` are words of their own. The words come
from the corpus's word lists; this module adds the grammar of denial. A denial is blame unless an unwanted
word follows: "never heavy" and "without being stiff" are not blame; "not comfortable", "less soft" and "never
again" are. This is too strict for "nothing beats these shoes", but missing some praise costs less than
keeping a complaint.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import polars as pl

from training.corpus.language import Grammar, cached_by_language, grammar
from training.corpus.lexicon import load_lexicon

# Words that only complaints use, in addition to the negative words of aspects and the faults of parts.
UNWANTED_LISTS = (
    "long_bad",
    "bad_er",
    "bad_est",
    "rude_word",
    "price_too",
    "break_verb",
    "wash_damage",
    "ruined",
    "come_late",
    "document_fault",
    "defect_word",
    "small_trouble",
    "pain_word",
    "bad_feeling",
)


_DENIED = "never"  # stands for a phrase that denies, in every language
_WORD_OR_END = r"\w+(?:[-\x{2011}']\w+)*|[.,;:!?()\x{2013}\x{2014}\x{2026}]"  # a word, or the end of a clause


@dataclass(frozen=True, slots=True)
class SignalWords:
    """Words to look for, in lower case; products may have two words.

    Attributes:
        proper: brands that are also ordinary words: "Champion" and "Vans" count only with their capital.
    """

    brands: frozenset[str]
    proper: frozenset[str]
    products: frozenset[str]
    wanted: frozenset[str]
    unwanted: frozenset[str]


@cached_by_language
def load_signal_words() -> SignalWords:
    """Collect the words from the lexicon; only the unwanted ones include words for service."""
    lexicon = load_lexicon()
    lists = {name: _lower(words.words) for name, words in lexicon.lists.items()}
    brands, men = lists.pop("brand", frozenset()), lists.get("man", frozenset())
    ordinary = frozenset().union(*lists.values())
    names = [name for it in lexicon.products for name in (it.singular, it.plural, it.mass) if name]
    praise = [
        lexicon.aspects[name].positive.words
        for name in (*lexicon.product_aspects, "verdict")
        if name in lexicon.aspects
    ]
    blame = [aspect.negative.words for aspect in lexicon.aspects.values()]
    faults = [part.faults.words for product in lexicon.products for part in product.group.parts]
    return SignalWords(
        brands=brands,
        proper=brands & (ordinary | {f"{word}s" for word in ordinary}),
        products=_lower(names) - lists.get("sport", frozenset()),  # "for basketball" does not name a ball
        wanted=_lower(chain(*praise)),
        unwanted=_lower(chain(*blame, *faults, *(lists.get(name, ()) for name in UNWANTED_LISTS)))
        - men,  # not Mark
    )


def speech_signals(texts: pl.Series) -> pl.DataFrame:
    """Compute the signals of each text.

    Returns:
        One row per text with the booleans `brand`, `product`, `wanted` (a wanted word that is not denied) and
        `blames` (an unwanted word that is not denied, a denial of anything else, or a doubt).
    """
    # A denial ends with its clause, so every text gets an end: no denial runs into the next text.
    rules = grammar()
    plain = _replaced(texts.str.replace_all("[’‘]", "'"), rules.harmless_phrases, " ") + " ."
    if rules.joins_brands:
        brands = "|".join(sorted(load_signal_words().brands))
        plain = plain.str.replace_all(rf"(?i)\b({brands})-", "$1 ")
    tokens = _tokens(_replaced(plain, rules.denying_phrases, f" {_DENIED} ")).with_columns(
        _kinds(load_signal_words(), rules)
    )
    # Two fills along links and unwanted words: forward from each denial, back from each unwanted word.
    closes = ~pl.col("link") & ~pl.col("unwanted")
    denied = pl.when("denial").then(True).when(closes).then(False).forward_fill().fill_null(False)
    reached = (
        pl.when("unwanted").then(True).when(~pl.col("link")).then(False).backward_fill().fill_null(False)
    )
    tokens = tokens.with_columns(
        denied.alias("denied"),
        denied.shift(1, fill_value=False).alias("follows_denied"),
        reached.shift(-1, fill_value=False).alias("reaches"),
    )
    blames = (
        (pl.col("unwanted") & ~pl.col("denied"))
        | (pl.col("wanted") & pl.col("follows_denied"))
        | (pl.col("denial") & ~pl.col("reaches"))
    )
    signals = tokens.group_by("row", maintain_order=True).agg(
        pl.col("brand", "product").any(),
        (pl.col("wanted") & ~pl.col("follows_denied")).any().alias("wanted"),
        blames.any().alias("blames"),
    )
    is_blaming = pl.col("blames")
    if rules.blaming_phrases:
        is_blaming |= plain.str.contains(_phrases(rules.blaming_phrases))
    return signals.select("brand", "product", "wanted", is_blaming)


def without_denials(texts: pl.Series) -> pl.Series:
    """Remove denials, since VADER takes a denied unwanted word ("never stiff") for something negative."""
    return texts.str.replace_all(rf"(?i)\b(?:{'|'.join(sorted(grammar().denials))}|\w+n['’]t)\b", " ")


def _phrases(pattern: str) -> str:
    return rf"(?i)\b(?:{pattern})\b"


def _replaced(texts: pl.Series, pattern: str, by: str) -> pl.Series:
    """Replace phrases; a language without any has an empty pattern, which would match everywhere."""
    return texts.str.replace_all(_phrases(pattern), by) if pattern else texts


def _tokens(texts: pl.Series) -> pl.DataFrame:
    """One row per word or end of a clause, with the `row` of its text."""
    found = pl.DataFrame(
        {"row": pl.arange(len(texts), eager=True), "token": texts.str.extract_all(_WORD_OR_END)}
    )
    word = pl.col("token").str.to_lowercase().str.replace("'s$", "").str.replace_all("\u2011", "-")
    return found.explode("token").with_columns(word.alias("word"))


def _kinds(words: SignalWords, rules: Grammar) -> list[pl.Expr]:
    """Boolean columns that classify each token."""
    word, following = pl.col("word"), pl.col("word").shift(-1, fill_value=".")
    has_capital = pl.col("token").str.contains(r"^\p{Lu}")
    is_too = word.is_in(rules.too) & following.str.contains(r"^\w")  # "modern, too" is not blame
    return [
        (word.is_in(words.brands) & (has_capital | ~word.is_in(words.proper))).alias("brand"),
        (word.is_in(words.products) | (word + " " + following).is_in(words.products)).alias("product"),
        word.is_in(words.wanted).alias("wanted"),
        (word.is_in(words.unwanted) | is_too).alias("unwanted"),
        (word.is_in({*rules.denials, _DENIED}) | word.str.ends_with("n't")).alias("denial"),
        word.is_in(rules.links).alias("link"),
    ]


def _lower(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words)
