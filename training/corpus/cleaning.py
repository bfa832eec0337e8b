"""One cell of a CSV file → blocks of clean text: HTML, entities, mojibake, invisible characters. Pure.

A block is a run of text that no sentence crosses the end of: a paragraph, a heading, a list item.
Punctuation, digits and letter case stay as they are.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from html.parser import HTMLParser

ROUNDS = 2  # text that was wrongly decoded or escaped twice is seen now and then, three times is not


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Ends of blocks; every other tag (b, span, a, …) may stand within a word.
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

# UTF-8 that was read as Windows-1252, back to its bytes: "â€™" is E2 80 99. Only these four lead bytes
# (accents, punctuation, emoji), so that "CAFÉ®" is not taken for one.
_BYTES = {byte: bytes([byte]).decode("cp1252", errors="replace") for byte in range(0x80, 0x100)}
_BYTE_OF = {char: byte for byte, char in _BYTES.items() if char != "\ufffd"} | {
    chr(byte): byte for byte in range(0x80, 0xA0)
}
_TAIL = f"[{re.escape(''.join(char for char, byte in _BYTE_OF.items() if byte < 0xC0))}]"
_MOJIBAKE = re.compile(f"[ÂÃ]{_TAIL}|â{_TAIL}{{2}}|ð{_TAIL}{{3}}")
_LOST_QUOTE = re.compile(r"â€(?=[\s.,!?)]|\Z)")  # ” loses its last byte, which Windows-1252 does not define


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text.

    Attributes:
        is_prose: Whether it is running text; a heading, a list item or a table cell is not.
    """

    text: str
    is_prose: bool = True


def blocks(cell: str) -> list[Block]:
    """Split a cell into its blocks, cleaned; empty ones left out. HTML is recognised by its tags."""
    cell = cell if _TAG.search(cell) else html.unescape(cell)  # escaped HTML shows its tags now
    if not _TAG.search(cell):
        return _plain_blocks(cell)
    for _ in range(ROUNDS):
        parser = _BlockParser()
        parser.feed(_CUT_TAG.sub("", _DECLARATION.sub("", cell)))
        parser.close()
        parser.end_block()
        if not any(_TAG.search(block.text) for block in parser.blocks):
            break
        cell = "".join(f"<p>{block.text}</p>" for block in parser.blocks)
    cleaned = (Block(cleaned_text(block.text), block.is_prose) for block in parser.blocks)
    return [block for block in cleaned if block.text]


def cleaned_text(text: str) -> str:
    """One line: mojibake repaired, invisible and control characters gone, single spaces, composed accents."""
    text = _CONTROL.sub(" ", _INVISIBLE.sub("", repaired(text)))
    return " ".join(unicodedata.normalize("NFC", text).split())


def repaired(text: str) -> str:
    """Undo UTF-8 that was read as Windows-1252, wherever a sequence is complete."""
    for _ in range(ROUNDS):
        if not any(lead in text for lead in "ÂÃâð"):
            break
        text = _MOJIBAKE.sub(_decoded, text)
    return _LOST_QUOTE.sub("”", text)


def duplicate_key(text: str) -> str:
    """What two texts share that say the same: their words and numbers, without case and punctuation."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _decoded(match: re.Match[str]) -> str:
    try:
        return bytes(_BYTE_OF.get(char) or ord(char) for char in match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def _plain_blocks(text: str) -> list[Block]:
    """Paragraphs and bulleted lines; a single line end is a break only before a capital or a number."""
    lines = _BREAK.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    found = []
    for line in lines:
        stripped = line.strip()
        bullet = _BULLET.match(stripped)
        cleaned = cleaned_text(stripped[bullet.end() :] if bullet else stripped)
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
        """Open a tag."""
        if tag in BLOCK_TAGS:
            self.end_block()
        self._count(tag, 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<br/>`: nothing stays open."""
        if tag in BLOCK_TAGS:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        """Close a tag; one that was never opened closes nothing."""
        if tag in BLOCK_TAGS:
            self.end_block()
        self._count(tag, -1)

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._hidden or not data:
            return
        self._text.append(data)
        if not self._bold and data.strip():
            self._plain = True

    def end_block(self) -> None:
        """Close the block, if it holds anything."""
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
