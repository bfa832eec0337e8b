"""Detection of personal data, measured on a labelled list that was written by hand with made-up numbers."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.people.personal_data import PLACEHOLDER, find_personal_data, has_placeholder, mask_personal_data

LABELLED = Path(__file__).with_name("spellings.txt")
ENOUGH = 0.98


def spellings(label: str) -> list[str]:
    """The spellings of one label: those below its heading."""
    sections = LABELLED.read_text(encoding="utf-8").split("\n# ")
    (lines,) = (one.splitlines()[1:] for one in sections if one.split("\n")[0].strip("# ") == label)
    return [line for line in lines if line.strip()]


def is_all_masked(text: str) -> bool:
    """Whether something is masked, and no digit or address is left."""
    left = PLACEHOLDER.sub("", mask_personal_data(text))
    return has_placeholder(mask_personal_data(text)) and not any(
        sign.isdigit() or sign == "@" for sign in left
    )


def test_the_list_is_long_enough() -> None:
    assert len(spellings("personal")) >= 150
    assert len(spellings("not personal")) >= 150


def test_precision_and_recall_on_the_labelled_list() -> None:
    personal, other = spellings("personal"), spellings("not personal")
    missed = [text for text in personal if not is_all_masked(text)]
    wrong = [text for text in other if mask_personal_data(text) != text]
    found = len(personal) - len(missed)
    assert found / len(personal) >= ENOUGH, missed
    assert found / (found + len(wrong)) >= ENOUGH, wrong


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write jo@example.com", "write [email]"),
        ("write first.last+tag@mail.example.co.uk now", "write [email] now"),
        ("call +49 170 1234567", "call [phone]"),
        ("call (030) 123-45-67", "call [phone]"),
        ("order 12345", "order [number]"),
        ("order AB12345", "order [number]"),
        ("size 42 for 1234", "size 42 for 1234"),
        ("hi <@123> <@!456> <@&789> <#12>", "hi [mention] [mention] [mention] [mention]"),
        ("hi @everyone and @here", "hi [mention] and [mention]"),
        ("order ١٢٣٤٥", "order [number]"),
        ("12995 rupees, order 4711 and jo@example.com", "12995 rupees, order [number] and [email]"),
    ],
)
def test_each_kind_has_its_placeholder(text: str, masked: str) -> None:
    assert mask_personal_data(text) == masked


@given(st.text(max_size=120) | st.text(alphabet="0123456789 +-().@aAx/,€#", max_size=80))
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = mask_personal_data(text)
    assert mask_personal_data(masked) == masked


@given(st.text(alphabet="0123456789 +-().@a", max_size=80))
def test_spans_are_in_order_and_apart(text: str) -> None:
    spans = find_personal_data(text)
    assert all(a.stop <= b.start for a, b in pairwise(spans))
