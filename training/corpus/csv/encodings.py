"""Which encoding a file has that is not Unicode: what spreadsheets of all regions write without a mark.

Text of another script than Latin is told by charset-normalizer, from the words with foreign bytes alone:
English around them would drown it. It confuses the encodings of Latin letters, of which few differ; those
are told by the alphabets of languages (`latin_encodings`).
"""

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

from training.corpus.csv.latin_encodings import likeliest

MAX_SAMPLE_BYTES = 32_768
MAX_LINE_BYTES = 1 << 16
FOREIGN_SHARE = 0.5  # of the bytes of words with any; French has 0.2 at most, Cyrillic and Chinese over 0.6
VALID_SHARE = 0.7  # of the sequences of bytes, in a file of UTF-8 with some foreign bytes
OTHER_SCRIPTS = [
    "cp1251",
    "koi8_r",
    "cp866",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
]
LATIN_COST = 0.3  # a character; of Latin text 0.2 at most, of another script 0.46 at least
CHINESE_PUNCTUATION = "，。、！？；：“”‘’（）《》"
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_WORD = re.compile(rb"[^\s,;|\t\"]*[\x80-\xff][^\s,;|\t\"]*")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def encoding_of_file(path: Path) -> str:
    """The likeliest encoding of a file that is not UTF-8; "latin-1" stands for Windows-1252."""
    return guessed(_sample(path))


def guessed(sample: bytes) -> str:
    """The same, of lines that have foreign bytes."""
    words = _WORD.findall(sample)
    foreign = sum(len(part) for word in words for part in _FOREIGN.findall(word))
    valid = sum(map(len, _UTF_8.findall(sample)))
    if not foreign or valid >= VALID_SHARE * foreign:  # UTF-8 with some bytes of another file
        return "latin-1"
    latin, cost = likeliest(sample)
    if foreign < FOREIGN_SHARE * sum(map(len, words)) or cost < LATIN_COST:
        return "latin-1" if latin == "cp1252" else latin
    from charset_normalizer import from_bytes

    found = from_bytes(b" ".join(words), cp_isolation=OTHER_SCRIPTS, preemptive_behaviour=False)
    # Where it knows the language it is right, but for letters whose capitals the other encoding swaps.
    likely = {match.encoding: match.coherence - _oddity(sample, match.encoding) for match in found}
    ordered = sorted(likely, key="cp874".__eq__)  # any Cyrillic could be Thai without vowels
    return max(ordered, key=lambda encoding: likely[encoding], default="latin-1")


def _sample(path: Path) -> bytes:
    """Lines with foreign bytes, from the whole file until there are enough."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < MAX_SAMPLE_BYTES and (line := file.readline(MAX_LINE_BYTES)):
            if not line.isascii():
                lines.append(line)
                size += len(line)
    return b"".join(lines)


def _oddity(sample: bytes, encoding: str) -> float:
    """The share of characters that no text in use has so often, and of capitals behind small letters."""
    decoded = sample.decode(encoding, errors="replace")
    text = [char for char in decoded if not char.isascii()]
    swapped = sum(one.islower() and other.isupper() for one, other in pairwise(decoded))
    return (sum(map(_is_odd, text)) + swapped) / max(1, len(text))


def _is_odd(char: str) -> bool:
    """Neither a letter in daily use nor punctuation: half-width kana, rare ideographs, box drawings."""
    if char in CHINESE_PUNCTUATION:
        return False
    point = ord(char)
    if "\uff61" <= char <= "\uff9f" or char == "\ufffd" or 0xE000 <= point < 0xF900 or point > 0xFFFF:
        return True
    return unicodedata.category(char)[0] in "SCN"
