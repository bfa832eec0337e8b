"""Turns Discord's message markup into the plain sentence that people see. Pure.

Discord wraps text in markup and encodes mentions, emoji and times with ids. None of that belongs to the
query: `**[MASK]**` means `[MASK]`. Typographic quotes and dashes are normalised, so that a phone and a
desktop keyboard produce the same query.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from bot.texts import say
from training.inference.encoder import MASK

INVISIBLE = re.compile(  # includes the blank letters that people send as an empty message
    r"[\u00ad\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u2800\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\U000e0000-\U000e007f]"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Unambiguous spellings of the blank, also with a pipe, spaces or full-width brackets.
_BLANK = re.compile(
    r"[\[［]\s*(?:mask|blank|masked)\s*[\]］]|<\s*\|?\s*(?:mask|blank)\s*\|?\s*>|\(\s*(?:mask|blank)\s*\)|"
    r"\{\{?\s*(?:mask|blank)\s*\}?\}",
    re.IGNORECASE,
)
# Spellings that count as a blank only where the text has no unambiguous one.
_LINE = re.compile(r"(?<![^\s\"'(\[])(?:_{2,}|_(?:\s+_)+)(?=[\s.,;:!?\"')\]]|$)")
_LEFT_OUT = re.compile(r"(?<=\s)(?:\.{3,}|…+)(?=\s*[.!?]?\s*$|\s+\w)|(?<=\w)(?:\.{3,}|…+)\s*$")
_QUESTION_MARKS = re.compile(r"(?<=\s)\?{2,}(?=\s|$)")

_CODE_BLOCK = re.compile(r"```(?:[\w+#.-]+\n)?(.*?)```", re.DOTALL)
_CODE = re.compile(r"(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MASKED_LINK = re.compile(
    r"(?<!\\)\[([^\[\]\n]+)\]\(\s*<?(?:https?|discord)://[^\s)>]+>?(?:\s+\"[^\"]*\")?\s*\)", re.IGNORECASE
)
_LINK = re.compile(r"<?(?:https?://|discord://|www\.)[^\s<>]*[^\s<>.,;:!?\"')\]]>?", re.IGNORECASE)
_EMOJI_CODE = re.compile(r"<a?:\w{1,64}:\d{1,20}>")
_SOMEBODY = re.compile(r"<@!?\d{1,20}>")
_ROLE = re.compile(r"<@&\d{1,20}>|(?<![\w@])@(?:everyone|here)\b")
_CHANNEL = re.compile(
    r"<#\d{1,20}>|<id:\w+>|https?://(?:\w+\.)?discord(?:app)?\.com/channels/[\d/@me]+", re.IGNORECASE
)
_TIME = re.compile(r"<t:(-?\d{1,12})(?::[tTdDfFsSR])?>")
_COMMAND = re.compile(r"</([\w -]{1,100}):\d{1,20}>")
_LINE_MARK = re.compile(r"^[ \t]*(?:>>>[ \t]+|(?:>[ \t]+)+|-#[ \t]+|#{1,3}[ \t]+|[-*][ \t]+)", re.MULTILINE)
# Paired markup, longest first: `**` would match inside `***`.
_PAIRS = tuple(
    re.compile(rf"(?<!\\){start}(?=\S)(.+?)(?<=\S){stop}", re.DOTALL)
    for start, stop in (
        (r"\*\*\*", r"\*\*\*"),
        (r"\*\*", r"\*\*"),
        (r"__(?!_)", r"(?<!_)__(?!_)"),
        (r"~~", r"~~"),
        (r"\|\|", r"\|\|"),
        (r"\*", r"\*"),
        (r"(?<![\w_])_(?!_)", r"(?<!_)_(?![\w_])"),
    )
)
_ESCAPED = re.compile(r"\\([\\`*_~|<>\[\]()#@:!.+>-])")
_SAME = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ`´＇", "'"),
        **dict.fromkeys("“”„‟″«»＂〝〞", '"'),
        **dict.fromkeys("‐‑‒–—―−﹘－", "-"),
        "…": "...",
        "\u00a0": " ",
    }
)
# Emoji with joiners and skin tones; characters that are text by default only with a variation selector.
_JOINED = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_ONE_PICTURE = (
    "(?:[\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u25fd\u25fe\u2600-\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff]"
    "|[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u25ff\u2900-\u2bff\u3030\u303d\u3297\u3299](?=\ufe0f)"
    f"|[0-9#*](?=\ufe0f?\u20e3)){_JOINED}"
)
_PICTURE = re.compile(f"{_ONE_PICTURE}(?:\u200d{_ONE_PICTURE})*")
_SLOT = "\ue000"  # a private-use character in place of the blank while markup is stripped
_BEFORE_MARKS = re.compile(r"\s+(?=[.,;!?](?:\s|$))")


def plain_sentence(text: str) -> str:
    """Return the sentence as readers see it, with every blank written as `[MASK]`.

    Links and emoji are removed. A mention becomes a word for what it names. Idempotent.
    """
    while (plain := _strip_layer(text)) != text:
        text = plain
    return text


def visible(text: str) -> str:
    """Remove invisible characters, and collapse whitespace."""
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    text = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign for sign in text)
    return " ".join(text.split())


def _strip_layer(text: str) -> str:
    """Strip one layer of markup."""
    text = unicodedata.normalize("NFC", text.replace(_SLOT, ""))
    text = _CODE_BLOCK.sub(r"\1", text)
    text = _CODE.sub(r"\2", text)
    text = _ESCAPED.sub(r"\1", text)
    text = _BLANK.sub(_SLOT, text)
    text = _MASKED_LINK.sub(r"\1", text)
    text = _replace_codes(text)
    text = _LINK.sub(" ", text)
    text = _PICTURE.sub(" ", text)
    text = INVISIBLE.sub("", text)
    text = _strip_markup(text)
    if _SLOT not in text:
        text = _mark_implied_blanks(text)
    text = visible(text.translate(_SAME))
    text = _BEFORE_MARKS.sub("", text)
    return text.replace(_SLOT, MASK)


def _replace_codes(text: str) -> str:
    """Replace the codes of mentions, times, commands and custom emoji with the words that readers see."""
    text = _EMOJI_CODE.sub(" ", text)
    text = _SOMEBODY.sub(say("sentence.somebody"), text)
    text = _ROLE.sub(say("sentence.everybody"), text)
    text = _CHANNEL.sub(say("sentence.channel"), text)
    text = _COMMAND.sub(r"/\1", text)
    return _TIME.sub(_date, text)


def _date(match: re.Match[str]) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=int(match[1])):%Y-%m-%d}"
    except OverflowError:
        return " "


def _strip_markup(text: str) -> str:
    """Strip paired markup, including nested pairs; unpaired marks stay."""
    text = _LINE_MARK.sub("", text)
    while True:
        before = text
        for pair in _PAIRS:
            text = pair.sub(r"\1", text)
        if text == before:
            return text


def _mark_implied_blanks(text: str) -> str:
    """Take an underline, an ellipsis or question marks as the blank where the text has no explicit one."""
    for implied in (_LINE, _LEFT_OUT, _QUESTION_MARKS):
        if implied.search(text):
            return implied.sub(f" {_SLOT}", text)
    return text
