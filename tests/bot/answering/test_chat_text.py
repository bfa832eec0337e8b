"""What a person typed on Discord, as the sentence that its readers see."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering import chat_text
from bot.answering.chat_text import plain_sentence
from bot.answering.queries import parse_query
from training.inference.encoder import MASK

PLAIN = "Nike shoes are very [MASK]"


@pytest.mark.parametrize(
    "typed",
    [
        "Nike shoes are very **[MASK]**",
        "Nike shoes are very *[MASK]*",
        "Nike shoes are very ***[MASK]***",
        "Nike shoes are very _[MASK]_",
        "Nike shoes are very __[MASK]__",
        "Nike shoes are very __*[MASK]*__",
        "Nike shoes are very ~~[MASK]~~",
        "Nike shoes are very ||[MASK]||",
        "Nike shoes are very `[MASK]`",
        "Nike shoes are very ``[MASK]``",
        "`Nike shoes are very [MASK]`",
        "```Nike shoes are very [MASK]```",
        "```\nNike shoes are very [MASK]\n```",
        "```text\nNike shoes are very [MASK]\n```",
        "**Nike** shoes are _very_ **[MASK]**",
        "**Nike shoes are very [MASK]**",
        "> Nike shoes are very [MASK]",
        ">>> Nike shoes are very [MASK]",
        "# Nike shoes are very [MASK]",
        "### Nike shoes are very [MASK]",
        "-# Nike shoes are very [MASK]",
        "- Nike shoes are very [MASK]",
        "* Nike shoes are very [MASK]",
        r"Nike shoes are very \[MASK\]",
        r"Nike shoes are very \*\*[MASK]\*\*",
        "Nike shoes are very <mask>",
        "Nike shoes are very <MASK>",
        "Nike shoes are very <|mask|>",
        "Nike shoes are very [blank]",
        "Nike shoes are very (mask)",
        "Nike shoes are very (blank)",
        "Nike shoes are very {mask}",
        "Nike shoes are very ［MASK］",
        "Nike shoes are very ___",
        "Nike shoes are very __",
        "Nike shoes are very __________",
        r"Nike shoes are very \_\_\_",
        "Nike shoes are very `___`",
        "Nike shoes are very **___**",
        "Nike shoes are very …",
        "Nike shoes are very ...",
        "Nike shoes are very ….",
        "Nike shoes are very…",
        "Nike shoes are very ???",
        "Nike shoes are very [MASK] 🔥",
        "Nike shoes 👟 are very [MASK] 👍🏽👨‍👩‍👧‍👦🇩🇪❤️1️⃣",
        "Nike shoes <:nike:123456789012345678> are very [MASK]",
        "Nike shoes are very [MASK] <a:party:1234567890123456789>",
        "Nike shoes are very [MASK] https://example.com/a?b=1#c",
        "Nike shoes are very [MASK] <https://example.com>",
        "[Nike shoes](https://example.com/shoes) are very [MASK]",
        '[Nike shoes](<https://example.com> "title") are very [MASK]',
        "Nike shoes are very [MASK] www.example.com",
        "  Nike\u00a0shoes\u200b are very\n[mask]\t",
        # half of a pair of marks, or marks alone
        "Nike shoes are very **[MASK]",
        "Nike shoes are very *[MASK]",
        "Nike shoes are very [MASK]**",
        "Nike shoes are very ~~[MASK]",
        "Nike shoes are very `[MASK]",
        "Nike shoes are very [MASK]||",
        "**Nike shoes are very [MASK]",
        "Nike shoes are very ** [MASK] **",
        "Nike shoes are very || [MASK] ||",
        "Nike shoes are very __ [MASK] __",
        "+ Nike shoes are very [MASK]",
        # spellings of the blank
        "Nike shoes are very MASK",
        "Nike shoes are very $MASK",
        "Nike shoes are very %MASK%",
        "Nike shoes are very #MASK",
        "Nike shoes are very [MASK",
        "Nike shoes are very mask]",
        "Nike shoes are very [[MASK]]",
        "Nike shoes are very ((mask))",
        "Nike shoes are very [MASK1]",
        "Nike shoes are very [MASK 1]",
        "Nike shoes are very 【MASK】",
        "Nike shoes are very 「mask」",
        "Nike shoes are very ［ＭＡＳＫ］",
        "Nike shoes are very <masked>",
        "Nike shoes are very [ ]",
        "Nike shoes are very []",
        "Nike shoes are very [___]",
        "Nike shoes are very (___)",
        "Nike shoes are very [?]",
        "Nike shoes are very ＿＿＿",
        "Nike shoes are very ---",
        "Nike shoes are very -----.",
        "Nike shoes are very ⋯",
        "Nike shoes are very[MASK]",
        # what stands around it
        "Nike shoes are very [MASK](https://example.com)",
        "[Nike shoes](https://example.com 'title') are very [MASK]",
        "Nike shoes are very [MASK] https://example.com/shoes_(men)",
        "Nike shoes are very [MASK] :smile:",
        ":nike: Nike shoes are very [MASK]",
        "Nike shoes are very [MASK] :)",
        "Nike shoes are very [MASK] <3",
        "```ansi\n\x1b[1;31mNike shoes\x1b[0m are very [MASK]\n```",
        '"Nike shoes are very [MASK]"',
        "“Nike shoes are very [MASK].”",
        "Ｎｉｋｅ shoes are very [MASK]",
        "𝐍𝐢𝐤𝐞 shoes are very [MASK]",
    ],
)
def test_the_question_is_the_same_when_it_is_wrapped(typed: str) -> None:
    queries = [parse_query(text, max_chars=400, max_masks=3) for text in (typed, PLAIN)]
    assert queries[0] == queries[1]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("<@123456789012345678> says it is [MASK]", "someone says it is [MASK]"),
        ("<@!123> says it is [MASK]", "someone says it is [MASK]"),
        ("<@&123> says it is [MASK]", "everyone says it is [MASK]"),
        ("@everyone says it is [MASK]", "everyone says it is [MASK]"),
        ("ask in <#123>, it is [MASK]", "ask in the channel, it is [MASK]"),
        ("since <t:1618953630:R> it is [MASK]", "since 2021-04-20 it is [MASK]"),
        ("since <t:1618953630> it is [MASK]", "since 2021-04-20 it is [MASK]"),
        ("use </fill:816437322781949972>, it is [MASK]", "use /fill, it is [MASK]"),
        ("It’s “very” [MASK]", 'It\'s "very" [MASK]'),
        ("It`s [MASK]", "It's [MASK]"),
        ("Nike — the brand – is [MASK]", "Nike - the brand - is [MASK]"),
        ("2010–2020 was [MASK]", "2010-2020 was [MASK]"),
        ("wait… it is [MASK]", "wait... it is [MASK]"),
        ("5 * 3 * 2 is [MASK]", "5 * 3 * 2 is [MASK]"),
        ("a_b_c is [MASK]", "a_b_c is [MASK]"),
        ("snake_case is [MASK]", "snake_case is [MASK]"),
        ("1 < 2 and 3 > 2 is [MASK]", "1 < 2 and 3 > 2 is [MASK]"),
        ("~20 % is [MASK]", "~20 % is [MASK]"),
        ("Nike® Air™ is [MASK]", "Nike® Air™ is [MASK]"),
        ("___ and [MASK]", "___ and [MASK]"),
        ("___ shoes are ___", "[MASK] shoes are [MASK]"),
        ("Nike … shoes are great", "Nike [MASK] shoes are great"),
        ("Let me check… what [MASK]", "Let me check... what [MASK]"),
        ("no blank here", "no blank here"),
        ("a [link] is [MASK]", "a [link] is [MASK]"),
        ("1. FC Köln is [MASK]", "1. FC Köln is [MASK]"),
        ("what the f**k is [MASK]", "what the f**k is [MASK]"),
        ("a price* is [MASK]", "a price* is [MASK]"),
        ('He said "so" and "[MASK]"', 'He said "so" and "[MASK]"'),
        ('"Air" is "[MASK]"', '"Air" is "[MASK]"'),
        ("at 10:30:45 it is [MASK]", "at 10:30:45 it is [MASK]"),
        ("the face mask is [MASK]", "the face mask is [MASK]"),
        ("这双鞋很[MASK]。", "这双鞋很[MASK]。"),
        ("这双鞋，很[MASK]！", "这双鞋，很[MASK]！"),
        ("[MASK]'s shoes and re-[MASK]", "[MASK]'s shoes and re-[MASK]"),
        ("see <id:linked-roles:12>, it is [MASK]", "see the channel, it is [MASK]"),
    ],
)
def test_what_readers_see_is_kept(typed: str, plain: str) -> None:
    assert plain_sentence(typed) == plain


@given(st.text(max_size=80) | st.text(alphabet="*_~|`<>[]()#\\.…-:@!1aMASK \n", max_size=40))
def test_a_plain_sentence_stays_as_it_is(text: str) -> None:
    plain = plain_sentence(text)
    assert plain_sentence(plain) == plain


@pytest.mark.parametrize(
    "typed", ["Nike shoes are very!", "Nike shoes are very mask!", "Nike shoes are very *blank*!"]
)
def test_a_forgotten_blank_is_guessed_at_the_end(typed: str) -> None:
    with pytest.raises(Exception, match=r"`!fill Nike shoes are very \[MASK\]!`"):
        parse_query(typed, max_chars=400, max_masks=3)


@pytest.mark.parametrize(
    "part", ["(", "[", "*", "_ ", "https://x.y/(", "[a](https://", ":a:", "[ _-", "**a", "...…"]
)
def test_a_message_of_one_sign_again_and_again_is_read_at_once(part: str) -> None:
    started = time.process_time()
    plain_sentence((part * 2000)[:2000])
    assert time.process_time() - started < 0.5


@given(st.from_regex(chat_text._PLAIN, fullmatch=True).filter(lambda text: MASK in text))
def test_what_is_taken_as_plain_at_once_has_nothing_to_strip(text: str) -> None:
    assert chat_text._strip_layer(text) == text
