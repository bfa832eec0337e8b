"""Guesses the legacy encoding of a file, as spreadsheets of all regions write it without a byte order mark.

Of 13 files, each in another encoding, charset-normalizer alone misreads 5 or 6: it takes KOI8-R for Shift
JIS, Big5 for Shift JIS, and Windows-1252 for Windows-1250. It is right about scripts other than Latin once it
gets only the words with non-ASCII bytes, without the English around them, and only plausible encodings to
choose from. Latin encodings differ in few letters; `latin_encodings` tells them apart by the alphabets of
languages.
"""

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

from training.corpus.csv.latin_encodings import guess_latin_encoding

MAX_SAMPLE_BYTES = 32_768
MAX_LINE_BYTES = 1 << 16
FOREIGN_SHARE = 0.5  # of the bytes of such words; French has 0.2 at most, Cyrillic and Chinese over 0.6
VALID_SHARE = 0.7  # of the non-ASCII bytes that are valid UTF-8, in a UTF-8 file with some stray bytes
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
LATIN_COST = 0.3  # per character: at most 0.2 in Latin text, at least 0.46 in other scripts
CHINESE_PUNCTUATION = "，。、！？；：“”‘’（）《》"
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_WORD = re.compile(rb"[^\s,;|\t\"]*[\x80-\xff][^\s,;|\t\"]*")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def encoding_of_file(path: Path) -> str:
    """Guess the encoding of a file that is not UTF-8; "latin-1" stands for Windows-1252."""
    return guess_encoding(_sample(path))


def guess_encoding(sample: bytes) -> str:
    """Guess the encoding of lines with non-ASCII bytes."""
    words = _WORD.findall(sample)
    foreign = sum(len(part) for word in words for part in _FOREIGN.findall(word))
    valid = sum(map(len, _UTF_8.findall(sample)))
    if not foreign or valid >= VALID_SHARE * foreign:  # UTF-8 with some stray bytes
        return "latin-1"
    latin, cost = guess_latin_encoding(sample)
    if foreign < FOREIGN_SHARE * sum(map(len, words)) or cost < LATIN_COST:
        return "latin-1" if latin == "cp1252" else latin
    from charset_normalizer import from_bytes

    found = from_bytes(b" ".join(words), cp_isolation=OTHER_SCRIPTS, preemptive_behaviour=False)
    # Where it recognises the language it is right, unless the other encoding only swaps capitals.
    likely = {match.encoding: match.coherence - _oddity(sample, match.encoding) for match in found}
    ordered = sorted(likely, key="cp874".__eq__)  # last: any Cyrillic could be Thai without vowels
    return max(ordered, key=lambda encoding: likely[encoding], default="latin-1")


def _sample(path: Path) -> bytes:
    """Read lines with non-ASCII bytes until there are enough."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < MAX_SAMPLE_BYTES and (line := file.readline(MAX_LINE_BYTES)):
            if not line.isascii():
                lines.append(line)
                size += len(line)
    return b"".join(lines)


def _oddity(sample: bytes, encoding: str) -> float:
    """Share of characters that are rare in real text, and of capitals after small letters."""
    decoded = sample.decode(encoding, errors="replace")
    text = [char for char in decoded if not char.isascii()]
    swapped = sum(one.islower() and other.isupper() for one, other in pairwise(decoded))
    return (sum(map(_is_odd, text)) + swapped) / max(1, len(text))


def _is_odd(char: str) -> bool:
    """Whether a character is rare in real text: half-width kana, rare ideographs, box drawings."""
    if char in CHINESE_PUNCTUATION:
        return False
    point = ord(char)
    if "\uff61" <= char <= "\uff9f" or char == "\ufffd" or 0xE000 <= point < 0xF900 or point > 0xFFFF:
        return True
    return unicodedata.category(char)[0] in "SCN"
