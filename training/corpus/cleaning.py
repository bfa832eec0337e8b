"""One cell of a CSV file → blocks of text without HTML, mojibake and invisible characters. Pure.

A block is text whose end no sentence crosses: a paragraph, a heading, a list item. Punctuation, digits and
letter case do not change.
"""

import html
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser

import ftfy

from training.corpus.language import grammar

MAX_ROUNDS = 2  # HTML that was escaped twice does occur, three times does not


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Tags that end a block; all others (b, span, a, …) may occur within a word.
BLOCK_TAGS = _names(
    """address article aside blockquote br caption center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section select summary table tbody
    td tfoot th thead title tr ul"""
)
INLINE_TAGS = _names("a abbr button em font i img input label mark small span sub sup u")
EFFECTS = {
    "bold": _names("b strong th title h1 h2 h3 h4 h5 h6"),
    "item": _names("li dd dt td option"),
    "hidden": _names("script style template noscript"),
}

_ANY_TAG = "|".join(sorted(BLOCK_TAGS.union(INLINE_TAGS, *EFFECTS.values())))
_TAG = re.compile(rf"</?(?:{_ANY_TAG})(?:\s[^<>]*=[^<>]*)?\s*/?>", re.IGNORECASE)
_DECLARATION = re.compile(r"<!--.*?(?:-->|\Z)|<[!?][^>]*>?", re.DOTALL)
_CUT_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}\Z")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"\n[^\S\n]*\n|\n\s*(?=[-*•·–]\s)|\n\s*(?=[\"'“‘(]?[A-Z\d])|\s•\s|\u2029")
# In a language whose nouns have capitals, a line that begins with one may go on with the sentence before it.
_BREAK_AFTER_END = re.compile(
    r"\n[^\S\n]*\n|\n\s*(?=[-*•·–]\s)|(?<=[.!?:])\s*\n\s*(?=[\"'“‘„(]?[A-ZÀ-ÖØ-Þ\d])|\s•\s|\u2029"
)
_BULLET = re.compile(r"^[-*•·–]\s+")

_MOJIBAKE_LEADS = "ÂÃâð"  # in nearly all of it; ftfy takes 0.5 ms for 1,000 characters
_LOST_BYTE = re.compile(r"â€(?=[\s.,!?)]|\Z)")  # ” loses its last byte, which Windows-1252 leaves undefined


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text.

    Attributes:
        is_prose: Whether it is running text, not a heading, a list item or a table cell.
    """

    text: str
    is_prose: bool = True


def split_blocks(cell: str) -> list[Block]:
    """Split a cell into clean, non-empty blocks. HTML is recognised by its tags."""
    cell = cell if _TAG.search(cell) else html.unescape(cell)  # reveals the tags of escaped HTML
    if not _TAG.search(cell):
        return _plain_blocks(cell)
    for _ in range(MAX_ROUNDS):
        parser = _BlockParser()
        parser.feed(_CUT_TAG.sub("", _DECLARATION.sub("", cell)))
        parser.close()
        parser.end_block()
        if not any(_TAG.search(block.text) for block in parser.blocks):
            break
        cell = "".join(f"<p>{block.text}</p>" for block in parser.blocks)
    cleaned = (Block(clean_text(block.text), block.is_prose) for block in parser.blocks)
    return [block for block in cleaned if block.text]


def clean_text(text: str) -> str:
    """Repair mojibake, drop invisible and control characters, and normalise spaces and accents."""
    text = _CONTROL.sub(" ", _INVISIBLE.sub("", repair_mojibake(text)))
    return " ".join(unicodedata.normalize("NFC", text).split())


def repair_mojibake(text: str) -> str:
    """Undo UTF-8 that was read as Windows-1252."""
    if not any(lead in text for lead in _MOJIBAKE_LEADS):
        return text
    return ftfy.fix_encoding(_LOST_BYTE.sub("â€\x9d", text))


def duplicate_key(text: str) -> str:
    """Return a key that equal texts share: their words and numbers, without case and punctuation."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _plain_blocks(text: str) -> list[Block]:
    """Split at paragraphs and bullets; a single line end splits only before a capital or a number."""
    found = []
    breaks = _BREAK_AFTER_END if grammar().nouns_are_capital else _BREAK
    for line in breaks.split(text.replace("\r\n", "\n").replace("\r", "\n")):
        stripped = line.strip()
        unmarked = _BULLET.sub("", stripped, count=1)
        if cleaned := clean_text(unmarked):
            found.append(Block(cleaned, is_prose=unmarked == stripped))
    return found


class _BlockParser(HTMLParser):
    """Collects the text between block tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._has_plain_text = False  # outside bold tags
        self._open: Counter[str] = Counter()  # what the open tags make of their text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """End the block before a block tag, and count open tags."""
        self._pass_tag(tag, 1)

    def handle_endtag(self, tag: str) -> None:
        """End the block at the end of a block tag; ignore a tag that was never opened."""
        self._pass_tag(tag, -1)

    def handle_data(self, data: str) -> None:
        """Collect text."""
        if not self._open["hidden"]:
            self._text.append(data)
            self._has_plain_text |= not self._open["bold"] and bool(data.strip())

    def end_block(self) -> None:
        """End the block, if it is not empty."""
        text = "".join(self._text)
        if text.strip():
            self.blocks.append(Block(text, is_prose=self._has_plain_text and not self._open["item"]))
        self._text, self._has_plain_text = [], False

    def _pass_tag(self, tag: str, step: int) -> None:
        if tag in BLOCK_TAGS:
            self.end_block()
        for effect, tags in EFFECTS.items():
            if tag in tags:
                self._open[effect] = max(0, self._open[effect] + step)
