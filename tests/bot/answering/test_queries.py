import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.queries import Query, parse_query
from bot.errors import NoMaskError, OnlyMasksError, QueryError, QueryTooLongForChatError, TooManyMasksError


def parse(text: str, *, max_chars: int = 400, max_masks: int = 3) -> Query:
    return parse_query(text, max_chars=max_chars, max_masks=max_masks)


@pytest.mark.parametrize("mask", ["[MASK]", "[mask]", "[Mask]", "[ mask ]", "[MASK ]"])
def test_a_mask_may_be_spelled_in_any_case(mask: str) -> None:
    assert parse(f"shoes are {mask}").text == "shoes are [MASK]."


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("a [MASK]", "a [MASK]."),
        ("a [MASK].", "a [MASK]."),
        ("a [MASK]!", "a [MASK]!"),
        ("a [MASK]?", "a [MASK]?"),
        ('he said "a [MASK]."', 'he said "a [MASK]."'),
        ("  a \t [MASK]\n b ", "a [MASK] b."),
        ("cafe\u0301 [MASK]", "caf\u00e9 [MASK]."),
        ("a\u200b b\u00ad [MASK]\ufeff", "a b [MASK]."),
        ("a\x00b\u2028c [MASK]", "a b c [MASK]."),
        ("a\u3164 \u2800 [MASK]", "a [MASK]."),
    ],
)
def test_text_is_normalised_and_ends_in_punctuation(typed: str, text: str) -> None:
    assert parse(typed).text == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", NoMaskError),
        ("a b", NoMaskError),
        ("a mask", NoMaskError),
        ("a [MASC]", NoMaskError),
        ("🔥", NoMaskError),
        ("[MASK]", OnlyMasksError),
        ("[MASK] … [MASK]", OnlyMasksError),
        ("a [MASK] [MASK] [MASK] [MASK]", TooManyMasksError),
        ("a" * 394 + " [MASK]", QueryTooLongForChatError),
    ],
)
def test_what_cannot_be_answered_is_refused(text: str, error: type[QueryError]) -> None:
    with pytest.raises(error):
        parse(text)


def test_the_limits_themselves_are_allowed() -> None:
    assert parse("a" * 393 + " [MASK]").masks == 1
    assert parse("a [MASK] [MASK] [MASK]").masks == 3


def test_the_prefix_in_use_stands_in_the_advice() -> None:
    with pytest.raises(NoMaskError, match=r"`\?fill "):
        parse_query("a", max_chars=400, max_masks=3, prefix="?")


def test_the_model_sees_what_is_not_stored() -> None:
    query = parse("order 12345 is [MASK]")
    assert (query.text, query.stored) == ("order 12345 is [MASK].", "order [number] is [MASK].")


def test_the_hash_ignores_case_spaces_and_the_final_period() -> None:
    assert len({parse(t).hash for t in ("A b [MASK]", "a  B [mask].", "a b [Mask]")}) == 1
    assert parse("a b [MASK]?").hash != parse("a b [MASK]").hash
    assert len(parse("a [MASK]").hash) == 32


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused_with_one_sentence(text: str) -> None:
    said = ""
    try:
        query = parse(f"{text}[MASK]")
    except QueryError as error:
        said = str(error)
    if said:
        assert "\n" not in said
    else:
        assert query.text.count("[MASK]") == query.masks > 0
        assert parse(query.text) == query


@pytest.mark.parametrize("typed", ["a [MASK]\\", "a [MASK] 5\\", "a [MASK] *b\\"])
def test_a_query_is_parsed_once_and_for_all(typed: str) -> None:
    assert parse(parse(typed).text) == parse(typed)


def test_half_a_character_is_left_out() -> None:
    query = parse_query("half \ud83d shoes are [MASK]", max_chars=100, max_masks=3)
    assert query.text == "half shoes are [MASK]."
