"""What a text speaks of and how, by its words alone: brand, product, wanted words, blame. Pure; all polars.

Words are whole: `unfashionable`, `non-durable` and `nikeadidas` are words of their own. They come from the
word lists of the corpus; only the grammar of denial stands here. A denial must reach an unwanted word, or it
blames: "never heavy" and "without being stiff" are no blame; "not comfortable", "less soft" and "never again"
are. That is too strict for "nothing beats these shoes", but praise that is missed costs less than a complaint
that is kept.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import polars as pl

from training.corpus.lexicon import load_lexicon

# Lists whose words only complaints use, beside the negative words of the aspects and the faults of parts.
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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DENIALS = _words(
    """not no never neither nor none nobody nothing nowhere without cannot hardly barely scarcely seldom
    rarely less lack lacks lacked lacking cant dont doesnt didnt isnt arent wasnt werent wont wouldnt couldnt
    shouldnt aint"""
)
# What may stand between a denial and the unwanted word it denies. "so" and "such" may not: "never so heavy".
LINKS = _words(
    """be is are was were being been feel feels felt feeling look looks looked looking seem seems get gets
    getting become becomes becoming make makes call find a an the at all any ever even really very overly that
    one bit or"""
)
DENYING_PHRASES = r"(?i)\b(?:far from|(?:any|every)thing but|no longer|no more)\b"
HARMLESS_PHRASES = (
    r"(?i)\b(?:not (?:only|just|to mention)|no (?:doubt|wonder|matter)|without (?:a )?doubt|"
    r"(?:cannot|can't|can not) go wrong|could(?: not|n't) be (?:more|better|happier)|"
    r"(?:have|has|had|ever|always|i've|we've) (?:worn|used))\b"
)
BLAMING_PHRASES = (
    r"(?i)\b(?:(?:should|could|would|must|might) (?:be|have been|make)|(?:used|supposed|meant) to be|if only|"
    r"wish\w*|doubt\w*|hoped|expected|promised|advertised|pretend\w*|claim\w*|so-called|unfortunately|sadly|"
    r"needs? (?:to|more|better)|regret\w*|complain\w*|fail\w*|f[ae]ll(?:s|ing)? apart|came off|hurts?|"
    r"runs? (?:small|large)|returned|sent (?:it|them) back|refund\w*)\b"
)
_WORD_OR_END = r"\w+(?:[-\x{2011}']\w+)*|[.,;:!?()\x{2013}\x{2014}\x{2026}]"  # an end is that of a clause


@dataclass(frozen=True, slots=True)
class Words:
    """Lower-case words, and names of two words, to look for.

    Attributes:
        proper: Brands that are ordinary words, too: "Champion" and "Vans" need their capital.
    """

    brands: frozenset[str]
    proper: frozenset[str]
    products: frozenset[str]
    wanted: frozenset[str]
    unwanted: frozenset[str]


@functools.cache
def load_words() -> Words:
    """Take them from the lexicon: wanted are words for products, unwanted those for service, too."""
    lexicon = load_lexicon()
    lists = {name: _lower(words.words) for name, words in lexicon.lists.items()}
    brands, men = lists.pop("brand"), lists["man"]
    ordinary = frozenset().union(*lists.values())
    names = [name for it in lexicon.products for name in (it.singular, it.plural, it.mass) if name]
    praise = [lexicon.aspects[name].positive.words for name in (*lexicon.product_aspects, "verdict")]
    blame = [aspect.negative.words for aspect in lexicon.aspects.values()]
    faults = [part.faults.words for product in lexicon.products for part in product.group.parts]
    return Words(
        brands=brands,
        proper=brands & (ordinary | {f"{word}s" for word in ordinary}),
        products=_lower(names) - lists["sport"],  # "for basketball" names no ball
        wanted=_lower(chain(*praise)),
        unwanted=_lower(chain(*blame, *faults, *(lists[name] for name in UNWANTED_LISTS))) - men,  # not Mark
    )


def listen(texts: pl.Series) -> pl.DataFrame:
    """Say of each text what it speaks of.

    Returns:
        A row a text with `brand`, `product`, `wanted` (a wanted word that nothing denies) and `blames` (an
        unwanted word that nothing denies, a denial of anything else, or a doubt); all booleans.
    """
    # Each text ends in the end of a clause, where every denial ends, so that none runs into the next text.
    plain = texts.str.replace_all("[’‘]", "'").str.replace_all(HARMLESS_PHRASES, " ") + " ."
    tokens = _tokens(plain.str.replace_all(DENYING_PHRASES, " never ")).with_columns(_kinds(load_words()))
    # Two runs along links and unwanted words: from each denial onwards, and from each unwanted word back.
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
    said = tokens.group_by("row", maintain_order=True).agg(
        pl.col("brand", "product").any(),
        (pl.col("wanted") & ~pl.col("follows_denied")).any().alias("wanted"),
        blames.any().alias("blames"),
    )
    return said.select("brand", "product", "wanted", pl.col("blames") | plain.str.contains(BLAMING_PHRASES))


def affirmed(texts: pl.Series) -> pl.Series:
    """The texts without denials, for a judge of sentiment who would misread those that blame nobody."""
    return texts.str.replace_all(rf"(?i)\b(?:{'|'.join(sorted(DENIALS))}|\w+n['’]t)\b", " ")


def _tokens(texts: pl.Series) -> pl.DataFrame:
    """The words and ends of clauses of all texts below each other, each with the `row` of its text."""
    found = pl.DataFrame(
        {"row": pl.arange(len(texts), eager=True), "token": texts.str.extract_all(_WORD_OR_END)}
    )
    word = pl.col("token").str.to_lowercase().str.replace("'s$", "").str.replace_all("\u2011", "-")
    return found.explode("token").with_columns(word.alias("word"))


def _kinds(words: Words) -> list[pl.Expr]:
    """What each token is; all booleans."""
    word, following = pl.col("word"), pl.col("word").shift(-1, fill_value=".")
    has_capital = pl.col("token").str.contains(r"^\p{Lu}")
    is_too = (word == "too") & following.str.contains(r"^\w")  # "modern, too" blames nobody
    return [
        (word.is_in(words.brands) & (has_capital | ~word.is_in(words.proper))).alias("brand"),
        (word.is_in(words.products) | (word + " " + following).is_in(words.products)).alias("product"),
        word.is_in(words.wanted).alias("wanted"),
        (word.is_in(words.unwanted) | is_too).alias("unwanted"),
        (word.is_in(DENIALS) | word.str.ends_with("n't")).alias("denial"),
        word.is_in(LINKS).alias("link"),
    ]


def _lower(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words)
