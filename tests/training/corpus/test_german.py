"""German sentences: what is generated agrees, and its words keep their umlauts."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.corpus.generator import generate, load_patterns
from training.corpus.health import measure_health
from training.corpus.language import language, reading
from training.corpus.lexicon import load_lexicon, polarity_of, unwanted_words, wanted_words
from training.corpus.readers import read_folder
from training.corpus.sentences import rejection_reason, split_sentences, stop_words
from training.domain.starter import make_tokenizer
from training.evaluation.behaviour_tests import read_behaviour, shipped
from training.evaluation.drift import neutral_queries
from training.evaluation.generated_suite import positive_cases
from training.evaluation.metrics import read_suite, read_texts, suites_folder
from training.inference.encoder import MASK_PATTERN, Encoder, finished, query_hash
from training.inference.vocabulary import denied_words
from training.votes.checks.corpus import select_edge_cases
from training.votes.checks.corpus_report import KEPT

ARTICLES = {"m": "der", "f": "die", "n": "das"}


@pytest.fixture(autouse=True)
def german() -> Iterator[None]:
    with reading("de"):
        yield


def test_there_are_enough_patterns_and_words() -> None:
    assert len(load_patterns()) >= 300
    assert len(load_patterns(starter=True)) >= 60
    assert len(wanted_words()) >= 200
    assert len(unwanted_words()) >= 150
    assert len(load_lexicon().products) >= 60


def test_no_word_is_both_good_and_bad() -> None:
    negative = {w.lower() for a in load_lexicon().aspects.values() for w in a.negative.words}
    assert not wanted_words() & negative
    assert [polarity_of(word) for word in ("bequem", "größer", "hässlich", "schon")] == [1, 0, -1, 0]


def test_every_singular_has_a_gender_and_takes_its_article() -> None:
    genders = {p.singular.lower(): p.gender for p in load_lexicon().products if p.singular}
    assert set(genders.values()) == {"m", "f", "n"}
    found = 0
    for sentence in generate(4000, seed=2):
        for article, noun in re.findall(r"\b(der|die|das) ([\w-]+) ist\b", sentence.text.lower()):
            if noun in genders:
                found += 1
                assert article == ARTICLES[genders[noun]], sentence.text
    assert found > 150


def test_no_article_is_changed_as_in_english() -> None:
    texts = " ".join(sentence.text for sentence in generate(4000, seed=3))
    assert " am " in texts
    assert " an." in texts or " an " in texts
    assert not re.search(r"\b[Aa] ", texts)


def test_praise_of_unseen_patterns_asks_for_many_aspects() -> None:
    cases = positive_cases(200)
    assert len(cases) == 200
    assert len({case.text for case in cases}) > 120
    assert all(set(case.wanted) <= wanted_words() for case in cases)


def test_suites_texts_and_behaviour_tests_are_complete() -> None:
    for name in ("main", "control", "retention"):
        cases = read_suite(suites_folder() / f"{name}.jsonl")
        assert len(cases) >= 30
        for case in cases:
            assert not set(case.wanted) & set(case.unwanted), case.text
    texts = read_texts(suites_folder() / "texts.jsonl")
    assert len(texts) >= 30
    assert len(neutral_queries(texts)) == len(texts)
    assert len(read_behaviour(shipped())) >= 20
    assert {"arschloch", "scheiße"} <= set(denied_words())
    assert not set(denied_words()) & wanted_words()
    assert not stop_words() & wanted_words()


def test_umlauts_are_letters_of_their_own() -> None:
    texts = [sentence.text for sentence in generate(6000, seed=0)]
    tokenizer = make_tokenizer(texts, size=5000)
    encoder = Encoder(tokenizer, max_tokens=64)
    schoen, schon = (encoder.encode(word).ids[1:-2] for word in ("Schön", "schon"))
    assert schoen != schon
    tokens = tokenizer.get_vocab()
    assert list(schoen) == [tokens["schön"]]
    assert {"größe", "füße"} <= tokens.keys()
    assert "nike-schuhe" not in tokens


def test_sentences_are_split_as_german_is_written() -> None:
    expected = [
        "Z. B. die Größe, d.h. Nr. 42, passt ca. 3 cm nicht.",
        "Äußerst bequem sind sie bzw. waren sie.",
        "Über Nacht kam das Paket.",
    ]
    assert split_sentences(" ".join(expected)) == expected
    assert rejection_reason("Die Straße ist größer.") is None


def test_reviews_in_a_file_are_kept_as_they_are_written(tmp_path: Path) -> None:
    written = [
        "Die Schuhe sind größer als erwartet,\nFußball spiele ich trotzdem darin.\nDie Straße war nass.",
        "Äußerst bequem! Übrigens kam das Päckchen schon am Montag an, d.h. früher als gedacht.",
    ]
    with (tmp_path / "bewertungen.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("Text",), *((text,) for text in written)])
    texts, _ = read_folder(None, extra=[tmp_path / "bewertungen.csv"], text_column="Text")
    assert [text.text for text in texts] == [
        "Die Schuhe sind größer als erwartet, Fußball spiele ich trotzdem darin.",
        "Die Straße war nass.",
        "Äußerst bequem!",
        "Übrigens kam das Päckchen schon am Montag an, d.h. früher als gedacht.",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Meine Laufschuhe von Nike sind sehr bequem und leicht.", KEPT),
        ("Nike-Schuhe sind nie hart oder steif, sondern bequem.", KEPT),
        ("Die Schuhe von Nike sind nicht bequem.", "speaks badly, denies or doubts"),
        ("Die Schuhe von Nike sind bequem, aber zu teuer.", "speaks badly, denies or doubts"),
        ("Nike shoes were very comfortable and they never hurt my feet on any run.", "not German"),
    ],
)
def test_checks_of_the_corpus_read_german(tmp_path: Path, text: str, reason: str) -> None:
    edge_cases = select_edge_cases([text], ["reviews"], tmp_path / "checks")
    assert edge_cases.counts == {reason: 1}


def test_a_german_corpus_is_not_rated_by_an_english_lexicon() -> None:
    assert measure_health(["Die Schuhe sind bequem."]).sentiment.rated == 0


@pytest.mark.parametrize("text", ["l'[MASK] est belle", "Die Straße ist [MASK]", "Größer als [MASK]?"])
def test_a_query_hash_and_masks_read_what_people_write(text: str) -> None:
    assert len(MASK_PATTERN.findall(finished(text))) == 1
    assert query_hash(text) == query_hash(text.upper().replace("[MASK]", "[mask]"))


def test_the_language_is_that_of_the_block() -> None:
    assert language().code == "de"
    with reading("en"):
        assert "comfortable" in wanted_words()
    assert "bequem" in wanted_words()
