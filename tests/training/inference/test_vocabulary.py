"""Which entries of a vocabulary are words that may be offered."""

import json
from pathlib import Path

import pytest
from support.tiny import tiny_tokenizer
from tokenizers import Tokenizer, models

from training.inference import vocabulary
from training.inference.encoder import Encoder
from training.inference.words import BERT_TOKENS, Words


@pytest.mark.parametrize(
    "token",
    [
        "cheap",
        "Nike",
        "a",
        "I",
        "good-looking",
        "state-of-the-art",
        "don't",
        "l’été",
        "überraschend",
        "дешёвый",
        "東京",
        "ok",
        "अच्छा",
        "ดีมาก",
        "நல்ல",
        "كِتَاب",
        "שָׁלוֹם",
        "cafe\u0301",
        "東",
        "は",
        "좋",
    ],
)
def test_a_word(token: str) -> None:
    assert vocabulary.is_word(token)


@pytest.mark.parametrize(
    "token",
    [
        "##able",
        "##s",
        "[unused7]",
        "[MASK]",
        "[UNK]",
        ".",
        "...",
        "-",
        "'",
        "!",
        "7",
        "42",
        "3d",
        "h2o",
        "b",
        "é",
        "\u094d",
        "\u0301a",
        "good-",
        "-good",
        "good--looking",
        "two words",
        "snake_case",
        "c++",
        "$",
        "½",
        "١٢",
        "🙂",
        "",
        " ",
        "cheap\n",
    ],
)
def test_no_word(token: str) -> None:
    assert not vocabulary.is_word(token)


def word_piece_words(entries: dict[str, int]) -> Words:
    return Words(Tokenizer(models.WordPiece(vocab=entries, unk_token="[UNK]")))


def tiny_encoder() -> Encoder:
    return Encoder(tiny_tokenizer(), max_tokens=48)


def test_what_may_be_offered_is_ascending_and_not_denied() -> None:
    entries = {"[PAD]": 0, "Cheap": 9, "bad": 4, "##s": 2, "cheap": 5, "good": 3, ".": 1}
    entries |= {"[UNK]": 6, "[CLS]": 7, "[SEP]": 8, "[MASK]": 10}
    words = word_piece_words(entries)
    assert vocabulary.offered_ids(words) == [3, 4, 5]
    assert vocabulary.offered_ids(words, denied=["CHEAP", "unheard"]) == [3, 4]


def test_what_is_written_can_be_read_back(tmp_path: Path) -> None:
    vocabulary.write(tmp_path, [3, 4], max_tokens=48, precision="int8")
    content = json.loads((tmp_path / "vocabulary.json").read_text())
    assert content == {
        "max_tokens": 48,
        "precision": "int8",
        "special_tokens": {
            "cls": "[CLS]",
            "sep": "[SEP]",
            "pad": "[PAD]",
            "unk": "[UNK]",
            "mask": "[MASK]",
        },
        "agreement": None,
        "quantization": None,
        "offered": [3, 4],
    }


TEXTS = ["A stylish, good-looking boot.", "The STYLISH one is cheap", "washable ice isn't washable", "boot"]


def test_words_that_would_be_taken_apart_are_found_the_commonest_first() -> None:
    assert vocabulary.new_words(tiny_encoder(), TEXTS, min_count=1) == [
        "boot",
        "stylish",
        "washable",
        "good-looking",
    ]


def test_a_rare_word_is_found_only_when_it_is_named() -> None:
    encoder = tiny_encoder()
    assert vocabulary.new_words(encoder, TEXTS, min_count=2) == ["boot", "stylish", "washable"]
    found = vocabulary.new_words(encoder, TEXTS, ["Overpriced", "ugly", "two words"], min_count=3)
    assert found == ["overpriced"]


def test_a_word_with_an_apostrophe_stays_in_pieces() -> None:
    assert vocabulary.new_words(tiny_encoder(), ["don't don’t"], min_count=1) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["también", "muy", "pero", "y", "o", "b"], ["también", "muy", "pero", "y", "o"]),
        (["tambien", "muy", "pero", "y"], ["tambien", "muy", "pero", "y"]),
        (["perché", "della", "anche", "è", "y"], ["perché", "della", "anche", "è"]),
        (["это", "не", "и", "ф"], ["это", "не", "и"]),
        (["the", "and", "y", "o", "a"], ["the", "and", "a"]),
        (["好", "很", "##好", "。"], ["好", "很"]),
    ],
)
def test_words_of_one_letter_are_offered_where_the_vocabulary_speaks_the_language(
    words: list[str], offered: list[str]
) -> None:
    words = [*BERT_TOKENS.names, *words]
    ids = vocabulary.offered_ids(word_piece_words({word: number for number, word in enumerate(words)}))
    assert [words[number] for number in ids] == offered
