"""One cell of a CSV file → blocks of text without HTML, mojibake and invisible characters. Pure.

A block is text whose end no sentence crosses: a paragraph, a heading, a list item. Punctuation, digits and
letter case do not change.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from html.parser import HTMLParser

MAX_ROUNDS = 2  # text that was wrongly decoded or escaped twice does occur, three times does not


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Tags that end a block; all others (b, span, a, …) may occur within a word.
BLOCK_TAGS = _names(
    """address article aside blockquote br caption center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section select summary table tbody
    td tfoot th thead title tr ul"""
)
INLINE_TAGS = _names("a abbr button em font i img input label mark small span sub sup u")
BOLD_TAGS = _names("b strong th title h1 h2 h3 h4 h5 h6")
ITEM_TAGS = _names("li dd dt td option")
HIDDEN_TAGS = _names("script style template noscript")

_ANY_TAG = "|".join(sorted(BLOCK_TAGS | INLINE_TAGS | BOLD_TAGS | HIDDEN_TAGS))
_TAG = re.compile(rf"</?(?:{_ANY_TAG})(?:\s[^<>]*=[^<>]*)?\s*/?>", re.IGNORECASE)
_DECLARATION = re.compile(r"<!--.*?(?:-->|\Z)|<[!?][^>]*>?", re.DOTALL)
_CUT_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}\Z")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"\n[^\S\n]*\n|\n\s*(?=[-*•·–]\s)|\n\s*(?=[\"'“‘(]?[A-Z\d])|\s•\s|\u2029")
_BULLET = re.compile(r"[-*•·–]\s+")

# Maps UTF-8 that was read as Windows-1252 back to its bytes: "â€™" is E2 80 99. Only with these four lead
# bytes (accents, punctuation, emoji), so that "CAFÉ®" is not mistaken for one.
_BYTES = {byte: bytes([byte]).decode("cp1252", errors="replace") for byte in range(0x80, 0x100)}
_BYTE_OF = {char: byte for byte, char in _BYTES.items() if char != "\ufffd"} | {
    chr(byte): byte for byte in range(0x80, 0xA0)
}
_TAIL = f"[{re.escape(''.join(char for char, byte in _BYTE_OF.items() if byte < 0xC0))}]"
_MOJIBAKE = re.compile(f"[ÂÃ]{_TAIL}|â{_TAIL}{{2}}|ð{_TAIL}{{3}}")
_LOST_QUOTE = re.compile(r"â€(?=[\s.,!?)]|\Z)")  # ” loses its last byte, which is undefined in Windows-1252


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text.

    Attributes:
        is_prose: whether it is running text, not a heading, a list item or a table cell.
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
    """Undo UTF-8 that was read as Windows-1252, wherever a byte sequence is complete."""
    for _ in range(MAX_ROUNDS):
        if not any(lead in text for lead in "ÂÃâð"):
            break
        text = _MOJIBAKE.sub(_decoded, text)
    return _LOST_QUOTE.sub("”", text)


def duplicate_key(text: str) -> str:
    """A key that equal texts share: their words and numbers, without case and punctuation."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _decoded(match: re.Match[str]) -> str:
    try:
        return bytes(_BYTE_OF.get(char) or ord(char) for char in match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def _plain_blocks(text: str) -> list[Block]:
    """Split at paragraphs and bullets; a single line end splits only before a capital or a number."""
    lines = _BREAK.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    found = []
    for line in lines:
        stripped = line.strip()
        bullet = _BULLET.match(stripped)
        cleaned = clean_text(stripped[bullet.end() :] if bullet else stripped)
        if cleaned:
            found.append(Block(cleaned, is_prose=bullet is None))
    return found


class _BlockParser(HTMLParser):
    """Collects the text between block tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._plain = False  # whether the block has text outside bold tags
        self._bold = self._items = self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block at a block tag, and count open tags."""
        if tag in BLOCK_TAGS:
            self.end_block()
        self._count(tag, 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block at a tag such as `<br/>`, which leaves nothing open."""
        if tag in BLOCK_TAGS:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        """End a block at a block tag; ignore a tag that was never opened."""
        if tag in BLOCK_TAGS:
            self.end_block()
        self._count(tag, -1)

    def handle_data(self, data: str) -> None:
        """Collect text."""
        if self._hidden or not data:
            return
        self._text.append(data)
        if not self._bold and data.strip():
            self._plain = True

    def end_block(self) -> None:
        """End the block, if it is not empty."""
        text = "".join(self._text)
        if text.strip():
            self.blocks.append(Block(text, is_prose=self._plain and not self._items))
        self._text, self._plain = [], False

    def _count(self, tag: str, step: int) -> None:
        if tag in BOLD_TAGS:
            self._bold = max(0, self._bold + step)
        if tag in ITEM_TAGS:
            self._items = max(0, self._items + step)
        if tag in HIDDEN_TAGS:
            self._hidden = max(0, self._hidden + step)
