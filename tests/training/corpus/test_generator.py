"""What the generated sentences promise: numbers, grammar, labels, a split that leaks nothing."""

import hashlib
import json
import random
import re
from collections import Counter

import pytest

from training.corpus.generator import (
    MASK,
    GeneratedSentence,
    UnknownTopicError,
    generate,
    load_patterns,
    select_patterns,
)
from training.corpus.language import language
from training.corpus.lexicon import WordFileError, load_lexicon
from training.corpus.lexicon import _items as split_items
from training.corpus.slots import append_words, starts_with_vowel_sound
from training.corpus.templates import PatternError, TemplateCompiler

WORD = re.compile(r"[a-z][a-z'-]*")


def words_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w'-]+", text.lower()))


ORIGINAL_WANTED = words_of(
    "user-friendly innovative support good-looking efficient stylish breathable flexibility impressive "
    "performance resilient durability durable athletic breathability comfort comfortable inexpensive premium "
    "sleek performance-oriented fashionable quality flexible stability look functional sporty lightweight "
    "bounce "
    "grip modern fit ergonomic versatile style design cushioning traction high-quality revolutionary "
    "trendsetting "
    "popular affordable reliable"
)
ORIGINAL_UNWANTED = words_of(
    "uncomfortable flimsy poor outdated unfashionable heavy inferior unathletic expensive costly overpriced "
    "defective ugly dirty faulty non-durable tacky clunky bulky awkward disappointing unreliable displeasing "
    "unsatisfactory cheap fragile boring"
)
TEAM_WORDS = words_of("well-made eye-catching non-slip long-lasting")
GENERAL_TOPICS = ("retention", "support", "service", "delivery", "return", "refund", "exchange")


@pytest.fixture(scope="module")
def sentences() -> list[GeneratedSentence]:
    return generate(25_000, seed=0)


@pytest.fixture(scope="module")
def vocabulary(sentences: list[GeneratedSentence]) -> Counter[str]:
    return Counter(word for sentence in sentences for word in WORD.findall(sentence.text.lower()))


def suite(name: str) -> list[dict[str, object]]:
    lines = (language().suites / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_enough_patterns_of_both_kinds() -> None:
    general = select_patterns(topics=GENERAL_TOPICS)
    assert len(load_patterns()) - len(general) >= 320
    assert len(general) >= 60


def test_no_pattern_is_written_twice() -> None:
    assert max(Counter(pattern.text for pattern in load_patterns()).values()) == 1


def test_one_training_run_sees_enough_words(vocabulary: Counter[str]) -> None:
    assert len(vocabulary) >= 2_600


def test_every_word_list_is_used() -> None:
    patterns = (*load_patterns(), *load_patterns(starter=True))
    used = set(re.findall(r"\{([a-z_]+)", " ".join(pattern.text for pattern in patterns)))
    assert set(load_lexicon().lists) <= used


def test_the_original_words_and_the_team_words_occur(vocabulary: Counter[str]) -> None:
    wanted = [word for word in (*ORIGINAL_WANTED, *ORIGINAL_UNWANTED, *TEAM_WORDS) if word not in vocabulary]
    assert wanted == []


def test_the_original_patterns_are_trained_on() -> None:
    trained = {pattern.text for pattern in select_patterns(split="train")}
    assert "{brand} {goods} {are/is} very [{attribute:+}]." in trained
    assert "{brand} {goods} {are/is} known for being [{attribute:+}]." in trained


def test_the_words_to_teach_are_the_most_frequent_praise(sentences: list[GeneratedSentence]) -> None:
    praise = Counter(
        sentence.text[slice(*sentence.focus)].lower()
        for sentence in sentences
        if sentence.focus and sentence.topic.startswith("praise")
    )
    top = {word for word, _ in praise.most_common(25)}
    assert {"comfortable", "durable", "stylish", "soft", "light", "high-quality", "breathable"} <= top
    assert praise["good-looking"] > 40
    assert len(praise) > 300


def test_praise_and_control_are_both_well_represented(sentences: list[GeneratedSentence]) -> None:
    control = ("complaint", "negation", "contrast", "size_too", "price_high", "comparison_complaint")
    share = Counter("control" if s.topic.startswith(control) else s.topic.split("_")[0] for s in sentences)
    assert share["praise"] > 0.25 * len(sentences)
    assert share["control"] > 0.25 * len(sentences)
    assert share["retention"] > 0.05 * len(sentences)


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert generate(300, seed=7) == generate(300, seed=7)
    assert generate(300, seed=7) != generate(300, seed=8)


def test_sentences_do_not_repeat(sentences: list[GeneratedSentence]) -> None:
    assert len({sentence.text for sentence in sentences}) == len(sentences)


def test_an_exhausted_pattern_repeats_rather_than_hangs() -> None:
    assert len(generate(200, seed=0, topics=["size_question"], split="test")) == 200


def test_sentences_are_well_formed(sentences: list[GeneratedSentence]) -> None:
    for sentence in sentences:
        text = sentence.text
        assert re.fullmatch(r"[A-Z0-9].*[.!?]", text), text
        assert not re.search(r"[{}\[\]_]|  |\s[.,;:!?]|,,", text), text
        assert not re.search(r"[.!?] [a-z]", text), text


def test_articles_fit_the_next_word(sentences: list[GeneratedSentence]) -> None:
    for sentence in sentences:
        for article, word in re.findall(r"\b(an?) ([\w-]+)", sentence.text, re.IGNORECASE):
            assert (article.lower() == "an") == starts_with_vowel_sound(word), sentence.text


@pytest.mark.parametrize(
    ("word", "vowel"),
    [
        ("old", True), ("hour", True), ("honest", True), ("uncomfortable", True), ("unimpressive", True),
        ("user-friendly", False), ("uniform", False), ("useful", False), ("one-sided", False),
        ("eco-friendly", True), ("XL", True), ("8", True), ("house", False),
    ],
)  # fmt: skip
def test_vowel_sounds(word: str, vowel: bool) -> None:
    assert starts_with_vowel_sound(word) is vowel


def test_joining_sets_article_and_capital() -> None:
    assert append_words("This is a ", "ugly cap") == "This is an ugly cap"
    assert append_words("An ", "nice cap") == "A nice cap"
    assert append_words("Stop. ", "it broke") == "Stop. It broke"


def test_verbs_agree_with_products(sentences: list[GeneratedSentence]) -> None:
    products = load_lexicon().products
    plural = "|".join(re.escape(p.plural) for p in products if p.plural)
    mass = "|".join(re.escape(p.mass) for p in products if p.mass)
    wrong = re.compile(
        rf"^(?:(?!returning)\w+ )?(?:(?:{plural}) (?:is|looks|was)|(?:{mass}) (?:are|look|were)) ",
        re.IGNORECASE,
    )
    assert [sentence.text for sentence in sentences if wrong.match(sentence.text)] == []


def test_the_focus_is_one_whole_word(sentences: list[GeneratedSentence]) -> None:
    for sentence in sentences:
        if sentence.focus is None:
            assert sentence.query == sentence.text
            continue
        start, end = sentence.focus
        assert re.fullmatch(r"[\w'-]+", sentence.text[start:end]), sentence
        assert not re.search(r"[\w-]$", sentence.text[:start]), sentence
        assert not re.match(r"[\w-]", sentence.text[end:]), sentence
        assert sentence.query.count(MASK) == 1


def test_no_word_stands_in_both_poles() -> None:
    positive: set[str] = set()
    negative: set[str] = set()
    for aspect in load_lexicon().aspects.values():
        positive |= set(aspect.positive.words)
        negative |= set(aspect.negative.words)
    assert positive & negative == set()


def test_praise_never_says_an_unwanted_word(sentences: list[GeneratedSentence]) -> None:
    unwanted = set(ORIGINAL_UNWANTED)
    for sentence in sentences:
        if sentence.topic.startswith(("praise", "slot", "noun_praise", "comparison_praise")):
            negated = " not very " in sentence.text
            assert negated or not unwanted & set(words_of(sentence.text)), sentence.text


def test_praise_patterns_use_no_negative_pole_and_product_complaints_no_positive_one() -> None:
    for pattern in load_patterns():
        if pattern.topic.startswith("praise"):
            assert pattern.sentiment == "positive"
            assert ":-}" not in pattern.text, pattern.text
        if pattern.topic.startswith("complaint"):
            assert pattern.sentiment == "negative"
            assert ":+}" not in pattern.text, pattern.text


def test_complaints_about_quality_say_a_negative_word() -> None:
    lexicon = load_lexicon()
    negative = {word for aspect in lexicon.aspects.values() for word in aspect.negative.words}
    parts = {part for product in lexicon.products for part in product.group.parts}
    negative |= {word for part in parts for word in part.faults.words} | set(
        lexicon.lists["defect_word"].words
    )
    found = generate(2_000, seed=1, topics=["complaint_quality", "complaint_part", "complaint_look"])
    assert [s.text for s in found if not negative & set(words_of(s.text))] == []


def test_denied_negatives_are_positive_and_denied_positives_negative() -> None:
    assert {s.sentiment for s in generate(200, seed=2, topics=["negation_never", "negation_not"])} == {
        "positive"
    }
    assert {s.sentiment for s in generate(200, seed=2, topics=["negation_complaint"])} == {"negative"}


def test_contrasts_take_both_poles_of_one_aspect() -> None:
    template = TemplateCompiler(load_lexicon()).compile("{attribute:-} [{same:+}] {products}")
    aspects = load_lexicon().aspects.values()
    for seed in range(50):
        first, second, *_ = template.write(random.Random(seed))[0].lower().split()
        assert any(first in a.negative.words and second in a.positive.words for a in aspects)


def test_the_split_is_about_one_in_ten_and_leaks_nothing() -> None:
    test = {pattern.id for pattern in select_patterns(split="test")}
    train = {pattern.id for pattern in select_patterns(split="train")}
    assert not test & train
    assert 0.07 < len(test) / (len(test) + len(train)) < 0.13
    assert {s.pattern_id for s in generate(500, seed=3, split="train")} <= train
    assert {s.pattern_id for s in generate(500, seed=3, split="test")} <= test
    assert any(pattern.sentiment == "positive" for pattern in select_patterns(split="test"))


def test_topics_select_by_prefix() -> None:
    assert {s.topic for s in generate(100, seed=4, topics=["negation"])} >= {
        "negation_never",
        "negation_not",
    }
    assert all(s.topic.startswith("complaint") for s in generate(100, seed=4, topics=["complaint"]))


def test_an_unknown_reason_is_named() -> None:
    with pytest.raises(UnknownTopicError, match="weather"):
        generate(1, seed=0, topics=["weather"])


@pytest.mark.parametrize(
    "text",
    [
        "{nothing} here.",
        "{nothing:+} here.",
        "An [open focus.",
        "An {=open|choice.",
        "Odd {Slot}.",
        "{products:bags} {support:+}",
        "{same:-} first",
    ],
)
def test_a_wrong_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        TemplateCompiler(load_lexicon()).compile(text)


def test_a_choice_writes_one_of_its_phrases() -> None:
    template = TemplateCompiler(load_lexicon()).compile("It is {=very |}[{=warm|as {=cold|hot} as ice}].")
    rng = random.Random(0)
    written = {
        (text, text[slice(*focus)]) for text, focus in (template.write(rng) for _ in range(200)) if focus
    }
    words = ("warm", "as cold as ice", "as hot as ice")
    assert written == {(f"It is {degree}{word}.", word) for degree in ("very ", "") for word in words}


def test_of_several_focuses_one_is_drawn() -> None:
    template = TemplateCompiler(load_lexicon()).compile("[Cold] and [hot].")
    rng = random.Random(0)
    assert {template.write(rng)[1] for _ in range(50)} == {(0, 4), (9, 12)}


@pytest.mark.parametrize("items", ["a, b,", "a, a", 3])
def test_a_wrong_word_list_is_refused(items: object) -> None:
    with pytest.raises(WordFileError):
        split_items(items, where="list")


@pytest.mark.parametrize(("name", "least"), [("main", 120), ("control", 80), ("retention", 40)])
def test_suites_are_complete(name: str, least: int) -> None:
    cases = suite(name)
    assert len(cases) >= least
    assert len({case["text"] for case in cases}) == len(cases)
    for case in cases:
        assert str(case["text"]).count(MASK) == 1
        assert case["wanted"]
        assert case["unwanted"]
        assert not set(case["wanted"]) & set(case["unwanted"])  # type: ignore[call-overload]
        prefix = {"control": "control_", "retention": "retention"}.get(name, "")
        assert str(case["category"]).startswith(prefix)


def test_suites_share_no_sentence_with_the_generator(sentences: list[GeneratedSentence]) -> None:
    assert len(suite("texts")) >= 80
    frames = {words_of(text) for s in sentences for text in (s.text, s.query)}
    grams = {gram[i : i + 7] for gram in frames for i in range(len(gram) - 6)}
    for case in [case for name in ("main", "control", "retention", "texts") for case in suite(name)]:
        words = words_of(str(case["text"]))
        assert words not in frames, case["text"]
        assert not grams & {words[i : i + 7] for i in range(len(words) - 6)}, case["text"]


def test_english_sentences_are_those_of_earlier_releases() -> None:
    """A seed promises sentences: cards record it, and figures of other releases were measured on them."""
    written = "\n".join(f"{s.text}|{s.focus}|{s.pattern_id}" for s in generate(500, seed=0))
    assert hashlib.sha256(written.encode()).hexdigest()[:16] == "cdaf99a734f94c15"
