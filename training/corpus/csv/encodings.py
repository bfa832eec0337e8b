"""Guesses the encoding of a file without a byte order mark, among those that spreadsheets write.

chardet recognises it from the lines with non-ASCII bytes, but needs more of them than a short text in
English, Spanish or Italian has: it misreads 8 of 42 in Windows-1252. Therefore this encoding, the most common
one, is recognised first, by the letters of the languages that use it. docs/dependencies.md compares the
libraries.
"""

import re
from pathlib import Path

import ftfy.bad_codecs  # noqa: F401  registers WINDOWS_1252

# It reads the five bytes that Windows-1252 leaves undefined as control characters.
WINDOWS_1252 = "sloppy-windows-1252"
MAX_SAMPLE_BYTES = 32_768
MAX_LINE_BYTES = 1 << 16
VALID_SHARE = 0.7  # of the non-ASCII bytes that are valid UTF-8, in a UTF-8 file with some stray bytes
ENCODINGS = [
    *(f"cp{page}" for page in (775, 850, 852, 857, 866, 874, 932, 949, *range(1250, 1259))),
    *("iso8859-2", "koi8-r", "mac-latin2", "mac-roman", "mac-turkish", "big5", "euc-jp", "gb18030"),
]
WESTERN_LETTERS = {
    "English": "éèêïñöüçàëáíóôûâ",
    "French": "éèàêçùîâôûëïœ",
    "German": "üäößé",
    "Spanish": "óíáéñúü",
    "Portuguese": "ãçéáíóêõúâàôü",
    "Italian": "èàùòìé",
    "Dutch": "ëéïèöüóáê",
    "Swedish": "äöåé",
    "Danish": "øåæé",
    "Catalan": "àóéèíçòúïü",
    "Icelandic": "áíðéóúöýþæ",
}
SIGNS = "‘’“”–—…•·€£°®™½²¿¡«»\u00a0"
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# A capital or a sign within a word: "trŠs", "donÕt".
_ODD = re.compile(r"[a-z][À-Þ€£°•«“¿¡]|[^\W\d_][€£°•«“¿¡½²][^\W\d_]")


def encoding_of_file(path: Path) -> str:
    """Guess the encoding of a file that is not UTF-8."""
    return guess_encoding(_sample(path))


def guess_encoding(sample: bytes) -> str:
    """Guess the encoding of lines with non-ASCII bytes."""
    valid = sum(map(len, _UTF_8.findall(sample)))
    if valid >= VALID_SHARE * len(_NOT_ASCII.findall(sample)) or _is_western(sample):
        return WINDOWS_1252
    import chardet

    found = chardet.detect(sample, include_encodings=ENCODINGS, compat_names=False)["encoding"]
    return WINDOWS_1252 if found in (None, "cp1252") else found


def _is_western(sample: bytes) -> bool:
    """Whether the sample, read as Windows-1252, uses the letters of one Western European language."""
    text = sample.decode("cp1252", errors="replace")
    used = {char for char in text if not char.isascii()}
    alphabets = ({*SIGNS, *letters, *letters.upper()} for letters in WESTERN_LETTERS.values())
    return any(used <= alphabet for alphabet in alphabets) and not _ODD.search(text)


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
