"""What the model reads of what people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny import tiny_tokenizer

from training.errors import QueryTooLongError
from training.inference.encoder import MASK, Encoder, completed, finished


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(tiny_tokenizer(), max_tokens=16)


def words(encoder: Encoder, ids: tuple[int, ...] | list[int]) -> list[str]:
    return [encoder.words.tokens[token] for token in ids]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nike shoes are very [MASK]", "Nike shoes are very [MASK]."),
        ("Nike shoes are very [MASK].", "Nike shoes are very [MASK]."),
        ("are they [mask]?", "are they [MASK]?"),
        ("so [Mask]!", "so [MASK]!"),
        ("so [ MASK ] …", "so [MASK] …"),
        ("[MASK]\n\tshoes   are late", "[MASK] shoes are late."),
        ("they said “it is [MASK]!”", "they said “it is [MASK]!”"),
        ('they said "it is [MASK]"', 'they said "it is [MASK]".'),
        ("(the box was [MASK].)", "(the box was [MASK].)"),
        ("the box [MASK]:", "the box [MASK]:"),
        ("それは[MASK]です。", "それは[MASK]です。"),
        ("the [MASK] box,", "the [MASK] box,."),
        ("[MASK]", "[MASK]."),
        ("", "."),
    ],
)
def test_a_query_is_finished_with_a_period_where_it_lacks_one(text: str, expected: str) -> None:
    assert finished(text) == expected


@given(st.text())
def test_finishing_twice_is_finishing_once(text: str) -> None:
    assert finished(finished(text)) == finished(text)


@pytest.mark.parametrize(
    ("text", "with_words", "expected"),
    [
        ("Nike shoes are [MASK].", ["cheap"], "Nike shoes are cheap."),
        ("[MASK] shoes are [MASK].", ["these", "cheap"], "These shoes are cheap."),
        ("[MASK] shoes are [MASK].", ["these"], "These shoes are [MASK]."),
        ("[MASK] shoes are [MASK].", [MASK, "cheap"], "[MASK] shoes are cheap."),
        ("No mask.", ["cheap"], "No mask."),
        ("[MASK].", ["été"], "Été."),
    ],
)
def test_a_text_is_completed_in_order(text: str, with_words: list[str], expected: str) -> None:
    assert completed(text, with_words) == expected


def test_a_query_becomes_tokens_and_places_of_masks(encoder: Encoder) -> None:
    encoded = encoder.encode("Nike [mask] are [MASK]")
    assert words(encoder, encoded.ids) == ["[CLS]", "nike", "[MASK]", "are", "[MASK]", ".", "[SEP]"]
    assert encoded.masks == (2, 4)


def test_masks_side_by_side_and_inside_words(encoder: Encoder) -> None:
    assert encoder.encode("[MASK][MASK]").masks == (1, 2)
    encoded = encoder.encode("so[MASK]ly")
    assert words(encoder, encoded.ids) == ["[CLS]", "so", "[MASK]", "[UNK]", ".", "[SEP]"]


@pytest.mark.parametrize("special", ["[CLS]", "[SEP]", "[PAD]", "[UNK]"])
def test_special_tokens_that_people_type_are_plain_text(encoder: Encoder, special: str) -> None:
    encoded = encoder.encode(f"{special} is [MASK]")
    inside = words(encoder, encoded.ids)[1:-1]
    assert special != inside[0]
    assert inside[:3] == ["[", "[UNK]", "]"]  # brackets, and a word nobody knows
    assert len(encoded.masks) == 1


def test_a_mask_in_an_unmasked_text_is_plain_text_too(encoder: Encoder) -> None:
    assert encoder.mask not in encoder.encode_text("it is [MASK]", 16)
    assert encoder.mask not in encoder.words_of("it is [MASK]")[0]


def test_the_longest_query_fits_and_one_token_more_does_not(encoder: Encoder) -> None:
    # 16 tokens: [CLS], 12 words, [MASK], ".", [SEP].
    assert len(encoder.encode("shoes " * 12 + "[MASK]").ids) == 16
    with pytest.raises(QueryTooLongError, match="That is 17 word pieces; the model reads at most 16"):
        encoder.encode("shoes " * 13 + "[MASK]")


def test_a_corpus_text_is_cut(encoder: Encoder) -> None:
    ids = encoder.encode_text("Nike shoes are great.", 5)
    assert words(encoder, ids) == ["[CLS]", "nike", "shoes", "are", "[SEP]"]


def test_the_pieces_of_each_word_belong_together(encoder: Encoder) -> None:
    ids, of_words = encoder.words_of("Washable shoes are cheap, not breakable!")
    assert words(encoder, ids) == (
        ["[CLS]", "wash", "##able", "shoes", "are", "cheap", ",", "not", "break", "##able", "!", "[SEP]"]
    )
    assert of_words == [(1, 2), (3,), (4,), (5, 6), (7,), (8, 9, 10)]  # punctuation goes with its word


def test_a_word_that_does_not_fit_whole_is_left_out(encoder: Encoder) -> None:
    ids, of_words = encoder.words_of("shoes " * 13 + "washable")  # 13 + 2 pieces, 14 places
    assert len(ids) == 16
    assert of_words == [(place,) for place in range(1, 14)]


def test_tokens_of_a_span_of_characters(encoder: Encoder) -> None:
    text = "Washable shoes are cheap"
    ids = encoder.encode_text(text, 16)
    for word, pieces in (
        ("Washable", ["wash", "##able"]),
        ("shoes", ["shoes"]),
        ("are cheap", ["are", "cheap"]),
    ):
        start = text.index(word)
        at = encoder.tokens_at(text, (start, start + len(word)))
        assert words(encoder, [ids[position] for position in at]) == pieces
    assert encoder.tokens_at(text, (8, 9)) == []  # the space


def test_a_text_without_a_word(encoder: Encoder) -> None:
    assert encoder.words_of("  ") == ((encoder.cls, encoder.sep), [])


def test_the_tokenizer_that_was_given_stays_as_it_was() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.enable_padding(length=32)
    tokenizer.enable_truncation(4)
    encoder = Encoder(tokenizer, max_tokens=16)
    assert len(encoder.encode("Nike shoes are very [MASK].").ids) == 8
    assert tokenizer.padding is not None
    assert tokenizer.truncation is not None
    assert not tokenizer.encode_special_tokens


@given(st.text(max_size=60))
def test_any_text_is_encoded_or_refused(encoder: Encoder, text: str) -> None:
    query = f"{text} [MASK]"
    try:
        encoded = encoder.encode(query)
    except QueryTooLongError:
        return
    assert encoded.ids[0] == encoder.cls
    assert encoded.ids[-1] == encoder.sep
    assert [i for i, token in enumerate(encoded.ids) if token == encoder.mask] == list(encoded.masks)
    assert len(encoded.masks) == finished(query).count(MASK)
